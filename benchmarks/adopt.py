"""What the first adoption of many small files costs: the list, the digests, and the digests alone for comparison.

    python benchmarks/adopt.py [--count 10000] [--size 65536] [--rounds 3] [--work DIR] [--write]

The comparison reads the same files in the same order and takes the same digests, with hashlib, blake3 and zlib and
nothing else. What hashing costs is `add` after `add --no-hash`, less a run that finds nothing to do.
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


def best(costs: list[Cost]) -> Cost:
    return min(costs, key=lambda cost: cost.cpu)


def measured(folder: Path, count: int, size: int, rounds: int) -> dict[str, Cost]:
    """The least costs of each step over a tree of `count` files."""
    tree, home = folder / f"tree-{count}", folder / "home"
    write_tree(tree, count, size)
    steps: dict[str, list[Cost]] = {name: [] for name in ("alone", "list", "hash", "idle")}
    environ = {"SDKEEP_HOME": str(home), "HOME": str(folder)}
    add = [*SDKEEP, "add", "--in-place", "-q", str(tree)]
    for _ in range(rounds):
        shutil.rmtree(home, ignore_errors=True)
        steps["alone"].append(run([*PYTHON, "-c", ALONE, str(tree), "2"]))
        steps["list"].append(run([*add, "--no-hash"], environ))
        steps["hash"].append(run([*SDKEEP, "sync"], environ))
        steps["idle"].append(run([*SDKEEP, "sync"], environ))
    shutil.rmtree(tree)
    return {name: best(costs) for name, costs in steps.items()}


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=65_536, help="bytes a file")
    options = parser.parse_args()
    with workplace(options.work, options.count * options.size * 2) as folder:
        few = measured(folder, options.count // 10, options.size, 1)
        many = measured(folder, options.count, options.size, options.rounds)
    names = {
        "alone": "the same digests, hashlib and blake3 alone",
        "list": "`sdkeep add --in-place --no-hash`",
        "hash": "`sdkeep sync`, which hashes them",
        "idle": "`sdkeep sync`, nothing to do",
    }
    rows = [
        [names[step], f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.peak:.0f}", f"{few[step].peak:.0f}"]
        for step, cost in many.items()
    ]
    hashing = many["hash"].cpu - many["idle"].cpu
    ratio = many["alone"].cpu / hashing
    clock = many["alone"].wall / max(many["hash"].wall - many["idle"].wall, 0.01)
    heads = ["", "CPU s", "wall s", "peak MB", f"peak MB, {options.count // 10:,} files"]
    text = (
        f"{options.count:,} files of {options.size:,} bytes. Hashing runs at {ratio:.2f} times the speed of the "
        f"digests alone by processor time, {clock:.2f} by the clock.\n\n{table(heads, rows)}"
    )
    publish("adopt", text, write=options.write)


if __name__ == "__main__":
    main()
