"""Checkpoints to measure with: torch zips of any size, made without torch."""

from __future__ import annotations

import random
import zipfile
from array import array
from pathlib import Path

TENSORS = 1000


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
            at = archive.start_dir + 30 + len(info.filename) + 4
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
