"""Model files by the real torch, and torch-shaped files of hand-written opcodes for what torch would never write."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from tests.makers.zips import Rec, make_zip

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.complex64,
    torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz,
]  # fmt: skip


def sample(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    """Numbers that use many bit patterns of `dtype`."""
    generator = torch.Generator().manual_seed(len(shape) + 7)
    if dtype is torch.bool:
        return torch.rand(shape, generator=generator) > 0.5
    width = torch.empty((), dtype=dtype).element_size()
    count = math.prod(shape)
    raw = torch.randint(0, 256, (count * width,), generator=generator, dtype=torch.uint8)
    return raw.view(dtype).reshape(shape)


def saved(value: object, *, legacy: bool = False) -> bytes:
    """What `torch.save` writes."""
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=not legacy)
    return out.getvalue()


def save(path: Path, value: object, *, legacy: bool = False) -> Path:
    path.write_bytes(saved(value, legacy=legacy))
    return path


def flat(value: object, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """An independent statement of the naming rule: dotted paths."""
    if isinstance(value, torch.Tensor):
        yield path or "tensor", value
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in pairs:
        yield from flat(item, f"{path}.{key}" if path else str(key))


def raw(tensor: torch.Tensor) -> bytes:
    """Row-major little-endian bytes."""
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()) if tensor.numel() else b""


def rezipped(data: bytes, *, compress: bool = False) -> bytes:
    """The same members written again by Python."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info), zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
    return out.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# Opcodes by hand


def text(words: str) -> bytes:
    encoded = words.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def whole(number: int) -> bytes:
    if -(1 << 31) <= number < 1 << 31:
        return b"J" + struct.pack("<i", number)
    encoded = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(whole, values)) + b"t"


def storage(key: str, kind: str = "FloatStorage", numel: int = 4) -> bytes:
    return b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + whole(numel) + b"tQ"


def tensor(
    place: bytes, shape: tuple[int, ...] = (4,), strides: tuple[int, ...] = (1,), start: int = 0, extra: bytes = b""
) -> bytes:
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n("
    return call + place + whole(start) + numbers(shape) + numbers(strides) + hooks + extra + b"tR"


def mapping(**values: bytes) -> bytes:
    return b"}(" + b"".join(text(name) + value for name, value in values.items()) + b"u"


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


EVIL = b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."


def torch_zip(data_pkl: bytes, *more: Rec, storages: tuple[bytes, ...] = (b"\0" * 16,), **options: object) -> bytes:
    """A torch zip with this pickle and these storages; `more` members come last."""
    records = [Rec("archive/data.pkl", data_pkl), Rec("archive/byteorder", b"little")]
    records += [Rec(f"archive/data/{place}", data) for place, data in enumerate(storages)]
    records += [Rec("archive/version", b"3\n"), *more]
    return make_zip(records, **options)  # type: ignore[arg-type]
