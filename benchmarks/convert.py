"""What converting a checkpoint costs beside copying it, as whole processes.

    python benchmarks/convert.py [--gib 4] [--rounds 3] [--work DIR] [--torch] [--write]

Builds a torch zip of 1,000 tensors, then runs `cp --reflink=never` and `sdkeep convert PATH -o OUT` by turns. `cp`
leaves the writing to the disk to the system, `sdkeep convert` waits for it (fsync); so both are measured without: the
row marked "not syncing" is the same command with `os.fsync` taken away. No digest is computed on either side. `--torch`
adds what the usual script does: `torch.load(weights_only=True, mmap=True)` and `safetensors.torch.save_file`.
"""

from __future__ import annotations

import os
from pathlib import Path

from checkpoint import TENSORS, build
from measuring import PYTHON, SDKEEP, arguments, by_turns, costs_table, publish, run, workplace

COPY = "`cp --reflink=never`"
NOT_SYNCING = "import os; os.fsync = lambda handle: None; from sdkeep.__main__ import main; main()"
USUAL = """
import sys, torch
from safetensors.torch import save_file
save_file(torch.load(sys.argv[1], weights_only=True, mmap=True, map_location="cpu"), sys.argv[2])
"""


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--gib", type=float, default=4.0, help="size of the checkpoint")
    parser.add_argument("--torch", action="store_true", help="measure torch.load and save_file too")
    options = parser.parse_args()
    size = int(options.gib * (1 << 30))
    with workplace(options.work, needs=2 * size + (1 << 30)) as folder:
        checkpoint, out = folder / "model.ckpt", folder / "out.safetensors"
        build(checkpoint, size)
        size = checkpoint.stat().st_size
        convert = ["convert", str(checkpoint), "-o", str(out)]
        commands = {
            COPY: ["cp", "--reflink=never", str(checkpoint), str(out)],
            "`sdkeep convert`, not syncing": [*PYTHON, "-c", NOT_SYNCING, *convert],
            "`sdkeep convert`": [*SDKEEP, *convert],
            "`sdkeep convert --precision fp16`": [*SDKEEP, *convert, "--precision", "fp16"],
        }
        if options.torch:
            commands["`torch.load(mmap=True)` and `save_file`"] = [*PYTHON, "-c", USUAL, str(checkpoint), str(out)]
        settle(out, checkpoint)
        costs = by_turns(commands, options.rounds, lambda: settle(out, checkpoint))
        costs["`sdkeep --help`"] = by_turns({"": [*SDKEEP, "--help"]}, 3 * options.rounds)[""]
    ours = costs["`sdkeep convert`, not syncing"].cpu - costs["`sdkeep --help`"].cpu
    share = f"Not syncing, less the start: {ours / costs[COPY].cpu:.2f} times the processor time of `cp`."
    facts = f"A torch zip of {size:,} bytes, {TENSORS:,} float32 tensors. {share}"
    publish("convert", f"{facts}\n\n{costs_table(costs, peer=COPY)}", write=options.write)


def settle(out: Path, checkpoint: Path) -> None:
    """Take the copy away, let the disk come to rest and the source into memory, so that no run pays for another."""
    out.unlink(missing_ok=True)
    os.sync()
    run(["cat", str(checkpoint)])


if __name__ == "__main__":
    main()
