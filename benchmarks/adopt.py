"""What the first adoption of many small files costs: the list, the digests, and the digests alone for comparison.

    python benchmarks/adopt.py [--count 10000] [--sizes 262144 1048576] [--rounds 3] [--work DIR] [--write]

The comparison reads the same files in the same order and takes the same digests, with hashlib, blake3 and zlib and
nothing else. `add --in-place` is the whole first adoption: the list, the verdicts and the digests. What hashing costs
by itself is `sync` after `add --no-hash`, less a run that finds nothing to do.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from library import write_tree
from measuring import PYTHON, SDKEEP, Cost, arguments, publish, run, table, workplace

ALONE = """
import hashlib, sys, zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from blake3 import blake3
def digests(path):
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    return (hashlib.sha256(data).hexdigest(), blake3(data).hexdigest(), zlib.crc32(data),
            hashlib.sha256(memoryview(data)[start:]).hexdigest())
paths = sorted(Path(sys.argv[1]).rglob("*.safetensors"))
with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    print(len(list(pool.map(digests, paths))))
"""


NAMES = {
    "alone": "the same digests, hashlib and blake3 alone",
    "whole": "`sdkeep add --in-place`: list and digests",
    "list": "`sdkeep add --in-place --no-hash`: the list",
    "hash": "`sdkeep sync`, which hashes them",
    "idle": "`sdkeep sync`, nothing to do",
}


def best(costs: list[Cost]) -> Cost:
    return min(costs, key=lambda cost: cost.cpu)


def measured(folder: Path, count: int, size: int, rounds: int) -> dict[str, Cost]:
    """The least costs of each step over a tree of `count` files."""
    tree, home = folder / f"tree-{count}", folder / "home"
    write_tree(tree, count, size)
    steps: dict[str, list[Cost]] = {name: [] for name in NAMES}
    environ = {"SDKEEP_HOME": str(home), "HOME": str(folder)}
    add = [*SDKEEP, "add", "--in-place", "-q", str(tree)]
    for _ in range(rounds):
        shutil.rmtree(home, ignore_errors=True)
        steps["alone"].append(run([*PYTHON, "-c", ALONE, str(tree), "2"]))
        steps["whole"].append(run(add, environ))
        shutil.rmtree(home)
        steps["list"].append(run([*add, "--no-hash"], environ))
        steps["hash"].append(run([*SDKEEP, "sync"], environ))
        steps["idle"].append(run([*SDKEEP, "sync"], environ))
    shutil.rmtree(tree)
    return {name: best(costs) for name, costs in steps.items()}


def told(size: int, count: int, few: dict[str, Cost], many: dict[str, Cost]) -> str:
    """What was measured at one size, as a sentence and a table."""
    rows = [
        [NAMES[step], f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.peak:.0f}", f"{few[step].peak:.0f}"]
        for step, cost in many.items()
    ]
    alone, whole = many["alone"], many["whole"]
    hashing = many["hash"].cpu - many["idle"].cpu
    clock = many["hash"].wall - many["idle"].wall
    listing = (many["list"].cpu - few["list"].cpu) / (count - count // 10) * 1000
    heads = ["", "CPU s", "wall s", "peak MB", f"peak MB, {count // 10:,} files"]
    return (
        f"{count:,} files of {size:,} bytes. Hashing runs at {alone.cpu / hashing:.2f} times the speed of the digests "
        f"alone by processor time, {alone.wall / max(clock, 0.01):.2f} by the clock. The whole first adoption takes "
        f"{whole.cpu / alone.cpu:.2f} times the processor time of the digests alone, {whole.wall / alone.wall:.2f} by "
        f"the clock; each file more costs {listing:.2f} ms on the list.\n\n{table(heads, rows)}"
    )


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[262_144, 1_048_576], help="bytes a file")
    options = parser.parse_args()
    parts = []
    with workplace(options.work, options.count * max(options.sizes) * 2) as folder:
        for size in options.sizes:
            few = measured(folder, options.count // 10, size, 1)
            parts.append(told(size, options.count, few, measured(folder, options.count, size, options.rounds)))
    publish("adopt", "\n\n".join(parts), write=options.write)


if __name__ == "__main__":
    main()
