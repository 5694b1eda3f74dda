"""Every digest in one pass beside each of them alone, over a safetensors file that lies in the page cache.

    python benchmarks/digests.py [--size 1024] [--rounds 3] [--write]

`--size` in MiB. What counts are the last lines: the speed of one pass against that of the slowest single digest, ours
(which reads ahead in a thread) and `hashlib.file_digest`. A safetensors file has two digests that are SHA-256 over
almost the same bytes, other files have one.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import arguments, publish, table

from sdkeep.formats.digests import ALL, digest_file
from sdkeep.ground.digest import DigestKind

ALONE = (DigestKind.SHA256, DigestKind.SSHS, DigestKind.BLAKE3, DigestKind.CRC32)


def written(folder: Path, megabytes: int) -> Path:
    """A safetensors file of random bytes."""
    size = megabytes << 20
    header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    path = folder / "model.safetensors"
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(megabytes):
            file.write(block)
    return path


def timed(path: Path, kinds: frozenset[DigestKind], rounds: int) -> tuple[float, float]:
    """The best wall time of several runs, and the processor time of that one, in seconds."""
    return best(lambda: digest_file(path, kinds), rounds)


def hashlib_alone(path: Path, rounds: int) -> tuple[float, float]:
    """The same for the standard library's own reading of a file."""
    with path.open("rb") as file:
        return best(lambda: (file.seek(0), hashlib.file_digest(file, "sha256")), rounds)


def best(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    found = []
    for _ in range(rounds):
        wall, spent = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - spent))
    return min(found)


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--size", type=int, default=1024, help="MiB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), options.size)
        path.read_bytes() if options.size <= 64 else digest_file(path, frozenset({DigestKind.CRC32}))
        alone = {kind: timed(path, frozenset({kind}), options.rounds) for kind in ALONE}
        together = timed(path, ALL, options.rounds)
        peer = hashlib_alone(path, options.rounds)
        pickle = timed(path, ALL - {DigestKind.AUTOV3, DigestKind.SSHS}, options.rounds)
    amount = options.size / 1024
    rows = [[str(kind), f"{amount / wall:.2f}", f"{cpu / amount:.2f}"] for kind, (wall, cpu) in alone.items()]
    rows.append(["all in one pass", f"{amount / together[0]:.2f}", f"{together[1] / amount:.2f}"])
    rows.append(
        ["all that other files than safetensors have", f"{amount / pickle[0]:.2f}", f"{pickle[1] / amount:.2f}"]
    )
    rows.append(["`hashlib.file_digest`, SHA-256", f"{amount / peer[0]:.2f}", f"{peer[1] / amount:.2f}"])
    slowest, cores = max(wall for wall, _ in alone.values()), f"on {os.cpu_count()} cores"
    rows.append(["all, against `hashlib.file_digest`", f"{peer[0] / together[0]:.2f}x", cores])
    rows.append(["all, against the slowest alone", f"{slowest / together[0]:.2f}x", cores])
    rows.append(["other files', against the slowest alone", f"{slowest / pickle[0]:.2f}x", cores])
    publish("digests", table(["digest", "GiB/s", "CPU s a GiB"], rows), write=options.write)


if __name__ == "__main__":
    main()
