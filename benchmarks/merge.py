"""What merging whole checkpoints costs beside copying one, beside torch alone, and beside other mergers.

    python benchmarks/merge.py [--rounds 3] [--work DIR] [--peers] [--write]

Builds three SD 1.5-shaped checkpoints in fp16 (2.13 GB each, see sd15.py), merges once so that digests are known,
then runs everything by turns as whole processes. `cp` leaves the writing to the disk to the system, `sdkeep merge`
waits for it (fsync), so both are measured without. Merges of this size import no torch; the limits that are told with
its import subtracted are from when they did. `--peers` adds sd-mecha and what AUTOMATIC1111's merger does: every
model loaded, merged in fp16, saved by safetensors.
"""

from __future__ import annotations

import os
from pathlib import Path

import sd15
from measuring import PYTHON, arguments, by_turns, costs_table, publish, run, workplace

COPY = "`cp --reflink=never`"
TORCH = "python, `import torch`"
SUM, ADD, ONE = "weighted sum of two", "add difference of three", "weighted sum, one thread"
LOOP, MECHA = "weighted sum, every model in memory", "weighted sum, sd-mecha"
NOT_SYNCING = "import os; os.fsync = lambda handle: None; from sdkeep.__main__ import main; main()"
IN_MEMORY = """
import sys, torch
from safetensors.torch import load_file, save_file
first, second, out = sys.argv[1:]
theta_1, theta_0 = load_file(second), load_file(first)
for key in theta_0:
    if "model" in key and key in theta_1 and not key.endswith("position_ids"):
        theta_0[key] = ((1 - 0.3) * theta_0[key]) + (0.3 * theta_1[key])
save_file(theta_0, out)
"""
BY_MECHA = """
import sys, torch, sd_mecha
first, second, out = sys.argv[1:]
models = [sd_mecha.model(path, "sd1-ldm") for path in (first, second)]
sd_mecha.merge(sd_mecha.weighted_sum(*models, alpha=0.3), output=out, output_dtype=torch.float16)
"""


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--peers", action="store_true", help="measure sd-mecha and a loop over loaded models too")
    options = parser.parse_args()
    with workplace(options.work, needs=4 * 2_200_000_000) as folder:
        models = [folder / f"{name}.safetensors" for name in "abc"]
        for seed, path in enumerate(models):
            sd15.build(path, seed)
        out = folder / "out.safetensors"
        environ = {"SDKEEP_HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": ""}  # compiled once, as installed
        ours = [*PYTHON, "-c", NOT_SYNCING, "merge"]
        two, three = [str(path) for path in models[:2]], [str(path) for path in models]
        commands = {
            COPY: ["cp", "--reflink=never", two[0], str(out)],
            TORCH: [*PYTHON, "-c", "import torch"],
            SUM: [*ours, *two, "--alpha", "0.3", "-o", str(out), "--threads", "2"],
            ONE: [*ours, *two, "--alpha", "0.3", "-o", str(out), "--threads", "1"],
            ADD: [*ours, *three, "--alpha", "0.3", "-o", str(out), "--threads", "2"],
        }
        if options.peers:
            commands[LOOP] = [*PYTHON, "-c", IN_MEMORY, *two, str(out)]
            commands[MECHA] = [*PYTHON, "-c", BY_MECHA, *two, str(out)]
        run(commands[ADD], environ)  # takes the digests
        settle(out, models)
        costs = by_turns(commands, options.rounds, lambda: settle(out, models), environ)
    wall = {name: cost.wall for name, cost in costs.items()}
    said = [
        f"Less `import torch`: {(wall[name] - wall[TORCH]) / wall[COPY]:.2f} times `cp` by the clock for the {name}."
        for name in (SUM, ADD)
    ]
    said.append(f"One thread takes {wall[ONE] / wall[SUM]:.2f} times as long as two.")
    most = max(costs[SUM].peak, costs[ADD].peak)
    said.append(f"Most memory: {most:.0f} MB; `import torch` alone takes {costs[TORCH].peak:.0f} MB.")
    said += [f"{peer}: {wall[peer] / wall[SUM]:.1f} times as long." for peer in (LOOP, MECHA) if peer in wall]
    publish("merge", " ".join(said) + f"\n\n{costs_table(costs, peer=COPY)}", write=options.write)


def settle(out: Path, models: list[Path]) -> None:
    """Take the result away, let the disk come to rest and the models into memory, so that no run pays for another."""
    out.unlink(missing_ok=True)
    os.sync()
    for path in models:
        run(["cat", str(path)])


if __name__ == "__main__":
    main()
