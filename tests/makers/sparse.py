"""Checkpoints of many gigabytes that take no room: torch's zip with holes where the numbers would be."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path

from tests.makers import headers
from tests.makers.torchfiles import mapping, pickled, storage, tensor

_FULL = 0xFFFFFFFF
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def full_ema(size: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a checkpoint with as many as SD 1.x has with its EMA, about `size` bytes of float32."""
    found: dict[str, tuple[int, ...]] = dict(headers.checkpoint("sd1"))
    wanted = 1826 - len(found)
    each = (size // 4 - sum(map(math.prod, found.values()))) // wanted
    for place in range(wanted):
        found[f"model_ema.diffusion_modeloutput_blocks{place}1transformer_blocks0attn2to_outweight"] = (each,)
    return found


def sparse_checkpoint(path: Path, tensors: Mapping[str, tuple[int, ...]], more: bytes = b"") -> Path:
    """Write the file; `more` are opcodes that leave one value, pickled under the key `more`."""
    body = {
        name: tensor(storage(str(place), numel=math.prod(shape)), shape, _strides(shape))
        for place, (name, shape) in enumerate(tensors.items())
    }
    data = pickled(mapping(**body, **({"more": more} if more else {})))
    records = [("data.pkl", data, len(data)), ("byteorder", b"little", 6)]
    records += [(f"data/{place}", b"", 4 * math.prod(shape)) for place, shape in enumerate(tensors.values())]
    records.append(("version", b"3\n", 2))
    central = bytearray()
    with path.open("wb") as file:
        for name, content, size in records:
            central += _member(file.fileno(), f"archive/{name}".encode(), content, size)
        start = os.lseek(file.fileno(), 0, os.SEEK_END)
        end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *(len(records),) * 2, len(central), start)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(central), 1)
        end = struct.pack("<4s4H2LH", _END, 0, 0, 0xFFFF, 0xFFFF, _FULL, _FULL, 0)
        os.write(file.fileno(), bytes(central) + end64 + locator + end)
    return path


def _member(file: int, name: bytes, content: bytes, size: int) -> bytes:
    """Append a record, a hole where it has no content; returns its entry in the directory."""
    import zlib

    at, crc = os.lseek(file, 0, os.SEEK_END), zlib.crc32(content) if content else 0
    padding = -(at + 30 + len(name) + 4) % 64
    extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
    os.write(file, struct.pack("<4s5H3L2H", _LOCAL, 45, 0, 0, 0, 0x21, crc, size, size, len(name), len(extra)))
    os.write(file, name + extra + content)
    os.ftruncate(file, at + 30 + len(name) + len(extra) + size)
    wide = struct.pack("<HHQ", 1, 8, at)
    fixed = (_CENTRAL, 45, 45, 0, 0, 0, 0x21, crc, size, size, len(name), len(wide), 0, 0, 0, 0, _FULL)
    return struct.pack("<4s6H3L5H2L", *fixed) + name + wide


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[place + 1 :]) for place in range(len(shape)))
