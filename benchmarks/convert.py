"""What converting a checkpoint costs beside copying it.

    python benchmarks/convert.py [--gib 4] [--folder DIR] [--rounds 3] [--cli] [--precision fp16]

Builds a torch-zip checkpoint of the wanted size in DIR, then runs `cp --reflink=never` and the conversion by turns,
each in a process of its own, and prints user+system CPU seconds, wall seconds and peak memory as a Markdown table. By
default a few lines of Python drive the library; `--cli` runs `sdkeep convert`. torch is not needed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
import zipfile
from array import array
from dataclasses import dataclass
from pathlib import Path

DRIVER = """
import sys
from pathlib import Path
from sdkeep.formats.convert import ConvertOptions, plan, write_safetensors
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from sdkeep.ground.kinds import Precision
precision = Precision(sys.argv[3]) if sys.argv[3] else None
with FileSource(Path(sys.argv[1])) as source:
    write_safetensors(source, plan(look(source), ConvertOptions(precision)), Path(sys.argv[2]))
"""
TENSORS = 1000


@dataclass(frozen=True, slots=True)
class Cost:
    cpu: float
    wall: float
    peak: float


def build(path: Path, size: int) -> None:
    """A state dict of float32 tensors, with numbers as weights have them, laid out as `torch.save` does it."""
    each = size // TENSORS // 4096 * 4096
    dice = random.Random(1)
    block = array("f", (dice.gauss(0, 0.05) for _ in range(1 << 18))).tobytes()
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        archive.writestr("archive/data.pkl", pickled(each // 4))
        archive.writestr("archive/byteorder", b"little")
        for number in range(TENSORS):
            info = zipfile.ZipInfo(f"archive/data/{number}")
            at = archive.fp.tell() + 30 + len(info.filename) + 4
            info.extra = b"FB" + (-at % 64).to_bytes(2, "little") + b"Z" * (-at % 64)
            with archive.open(info, "w") as member:
                left = each
                while left:
                    left -= member.write(block[:left])
        archive.writestr("archive/version", b"3\n")


def pickled(elements: int) -> bytes:
    """The opcodes of `{"layer.N.weight": tensor, ...}`."""
    rows, columns = elements // 64, 64
    out = [b"\x80\x02}("]
    for number in range(TENSORS):
        out += [
            text(f"model.diffusion_model.layer.{number}.weight"), b"ctorch._utils\n_rebuild_tensor_v2\n((",
            text("storage"), b"ctorch\nFloatStorage\n", text(str(number)), text("cpu"), whole(elements), b"tQ",
            whole(0), whole(rows), whole(columns), b"\x86", whole(columns), whole(1), b"\x86\x89",
            b"ccollections\nOrderedDict\n)RtR",
        ]  # fmt: skip
    return b"".join([*out, b"u."])


def text(word: str) -> bytes:
    return b"X" + len(word).to_bytes(4, "little") + word.encode()


def whole(number: int) -> bytes:
    return b"J" + number.to_bytes(4, "little")


def run(command: list[str]) -> Cost:
    """Run a command to its end; raises when it fails."""
    begun = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - begun
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gib", type=float, default=4.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cli", action="store_true")
    parser.add_argument("--precision", default="", choices=["", "fp16", "bf16", "fp32"])
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sdkeep-bench-", dir=options.folder))
    try:
        measure(folder, options)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, options: argparse.Namespace) -> None:
    checkpoint, out = folder / "model.ckpt", folder / "out.safetensors"
    build(checkpoint, int(options.gib * (1 << 30)))
    convert = [sys.executable, "-c", DRIVER, str(checkpoint), str(out), options.precision]
    if options.cli:
        precision = ["--precision", options.precision] if options.precision else []
        convert = [sys.executable, "-m", "sdkeep", "convert", str(checkpoint), "-o", str(out), *precision]
    commands = {"cp": ["cp", "--reflink=never", str(checkpoint), str(out)], "convert": convert}
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            costs[name].append(run(command))
            out.unlink()
    report(checkpoint.stat().st_size, costs)


def report(size: int, costs: dict[str, list[Cost]]) -> None:
    print(f"{size:,} bytes, {TENSORS:,} tensors; medians of {len(costs['cp'])} runs\n")
    print("| | CPU s | of cp | wall s | peak MB |\n|---|---|---|---|---|")
    base = statistics.median(cost.cpu for cost in costs["cp"])
    for name, runs in costs.items():
        cpu, wall = statistics.median(c.cpu for c in runs), statistics.median(c.wall for c in runs)
        print(f"| {name} | {cpu:.2f} | {cpu / base:.2f} | {wall:.2f} | {max(c.peak for c in runs):.0f} |")


if __name__ == "__main__":
    main()
