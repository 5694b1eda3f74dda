"""What scanning costs, beside picklescan on the same file and beside reading it whole.

    python benchmarks/scan.py [--gib 4] [--rounds 5] [--work DIR] [--write]

The file is a clean torch zip of 1,000 tensors: the parts that can run code are read, the tensors are not. The last two
rows read it all, once: checksums and digests are no part of a scan, and are measured apart.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from checkpoint import TENSORS, build
from measuring import SDKEEP, arguments, by_turns, costs_table, publish, workplace


def main() -> None:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument("--gib", type=float, default=4.0, help="size of the checkpoint")
    options = parser.parse_args()
    size = int(options.gib * (1 << 30))
    with workplace(options.work, needs=size + (1 << 30)) as folder:
        checkpoint = folder / "model.ckpt"
        build(checkpoint, size)
        size = checkpoint.stat().st_size
        commands = {"`sdkeep --help`": [*SDKEEP, "--help"], "`sdkeep scan`": [*SDKEEP, "scan", str(checkpoint)]}
        commands["`sdkeep show`"] = [*SDKEEP, "show", str(checkpoint)]
        peer = shutil.which("picklescan", path=str(Path(sys.executable).parent)) or shutil.which("picklescan")
        if peer:
            commands["picklescan"] = [peer, "--path", str(checkpoint)]
        reading_all = {
            "`sdkeep scan --full`, every checksum": [*SDKEEP, "scan", "--full", str(checkpoint)],
            "`sha256sum`": ["sha256sum", str(checkpoint)],
        }
        by_turns(commands, 1)
        costs = {**by_turns(commands, options.rounds), **by_turns(reading_all, 1)}
    facts = f"A torch zip of {size:,} bytes, {TENSORS:,} float32 tensors, in the page cache."
    table = costs_table(costs, peer="picklescan" if peer else "")
    publish("scan", f"{facts}\n\n{table}", write=options.write)


if __name__ == "__main__":
    main()
