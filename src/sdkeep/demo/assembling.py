"""Small model files, put together byte by byte: torch's zip with a pickle of opcodes written out here, and safetensors.

No file here is the work of `torch.save` or of a pickler, so what a callable is called is text and stays text: nothing
is imported, resolved or run while a file is made.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Iterable, Mapping

from sdkeep.formats.safetensors import Slot, build_header, in_file_order

Shape = tuple[int, ...]
Header = Mapping[str, Shape]

_RAMP = b"".join(struct.pack("<e", (step - 128) / 4096) for step in range(256))
_MIDNIGHT = (2026, 1, 1, 0, 0, 0)


def torch_zip(header: Header, *, wrapper: str = "", before: bytes = b"", folder: str = "archive") -> bytes:
    """A checkpoint in torch's zip layout: fp16 tensors with these names and shapes.

    `wrapper` is the key of a dict around them, as trainers write it. `before` are opcodes that come ahead of the dict
    and must leave the stack as they found it: where a malicious file hides its call.
    """
    tensors = _mapping((name, _tensor(str(at), shape)) for at, (name, shape) in enumerate(header.items()))
    value = _mapping([("global_step", _whole(4000)), (wrapper, tensors)]) if wrapper else tensors
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        _write(archive, f"{folder}/data.pkl", b"\x80\x02" + before + value + b".")
        _write(archive, f"{folder}/byteorder", b"little")
        for at, shape in enumerate(header.values()):
            _write(archive, f"{folder}/data/{at}", numbers(shape))
        _write(archive, f"{folder}/version", b"3\n")
    return out.getvalue()


def calling(module: str, name: str, argument: str) -> bytes:
    """Opcodes that call `module.name(argument)` and drop the answer: GLOBAL, BINUNICODE, TUPLE1, REDUCE, POP."""
    return _named(module, name) + _text(argument) + b"\x85R0"


def safetensors(header: Header, metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file of fp16 tensors with these names and shapes."""
    slots = in_file_order(Slot(name, "F16", shape) for name, shape in header.items())
    return build_header(slots, metadata or {}) + b"".join(numbers(slot.shape) for slot in slots)


def numbers(shape: Shape) -> bytes:
    """Small fp16 numbers that fill a shape: a ramp around zero, over and over."""
    length = 2 * math.prod(shape)
    return (_RAMP * (length // len(_RAMP) + 1))[:length]


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _MIDNIGHT), data)


# opcodes


def _tensor(key: str, shape: Shape) -> bytes:
    """`torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`."""
    strides = [math.prod(shape[at + 1 :]) for at in range(len(shape))]
    place = _text("storage") + _named("torch", "HalfStorage") + _text(key) + _text("cpu") + _whole(math.prod(shape))
    numbered = _whole(0) + _tuple(map(_whole, shape)) + _tuple(map(_whole, strides))
    hooks = b"\x89" + _named("collections", "OrderedDict") + b")R"
    return _named("torch._utils", "_rebuild_tensor_v2") + b"(" + _tuple([place]) + b"Q" + numbered + hooks + b"tR"


def _mapping(items: Iterable[tuple[str, bytes]]) -> bytes:
    return b"}(" + b"".join(_text(name) + value for name, value in items) + b"u"


def _tuple(items: Iterable[bytes]) -> bytes:
    return b"(" + b"".join(items) + b"t"


def _named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode("ascii")


def _text(words: str) -> bytes:
    raw = words.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _whole(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)
