"""A torch zip written from scratch, for UIs that read nothing else: tensors and plain values, and no other name.

The pickle imports `collections.OrderedDict`, `torch._utils._rebuild_tensor_v2` (`_v3` for the formats without a storage
class of their own) and torch's storage classes and dtypes. `torch.load(weights_only=True)` reads it.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from sdkeep.formats.convert import Piece, Plan, Written, hypernetwork_part, piece_bytes
from sdkeep.formats.dtypes import BITS, STORAGES, TORCH_NAMES, count
from sdkeep.formats.gather import Gatherer
from sdkeep.formats.output import Output, Sink
from sdkeep.formats.safetensors import Slot
from sdkeep.ground.errors import CannotConvert
from sdkeep.ground.events import Report, Stop, silent
from sdkeep.ground.source import Source

_ALIGNMENT = 64
_DATE = (1980, 1, 1, 0, 0, 0)
_CLASSES = {dtype: name for name, dtype in STORAGES.items() if not name.endswith("UntypedStorage")}
_NAMES = {code: name for name, code in reversed(TORCH_NAMES.items()) if code in BITS and code != "F4"}

Plain = str | int | float | bool | None | list["Plain"]

_HYPERNETWORK_FIELDS: dict[str, Callable[[str], Plain]] = {
    "step": int, "name": str, "layer_structure": json.loads, "activation_func": str, "is_layer_norm": json.loads,
    "weight_initialization": str, "sd_checkpoint": str, "sd_checkpoint_name": str, "activate_output": json.loads,
    "use_dropout": json.loads, "dropout_structure": json.loads, "last_layer_dropout": json.loads, "optional_info": str,
}  # fmt: skip
"""What AUTOMATIC1111's modules/hypernetworks/hypernetwork.py stores beside the layers, and how to read it from text."""


def write_clean_pt(
    source: Source,
    plan: Plan,
    out: Path,
    *,
    report: Report = silent,
    stop: Stop | None = None,
    hasher: Sink | None = None,
) -> Written:
    """Write what `plan` says as a torch zip to `out`, which must not exist; a stop or an error leaves nothing behind.

    A hypernetwork, a list and a bare tensor get their shape back. Deterministic like `write_safetensors`, whose errors
    it raises.
    """
    for piece in plan.pieces:
        if piece.slot.dtype not in _NAMES:
            raise CannotConvert(f"the tensor `{piece.slot.name}` cannot be pickled", f"torch has no {piece.slot.dtype}")
    pickled = _pickled(plan)
    most = len(pickled) + sum(piece.slot.length + 512 for piece in plan.pieces) + 4096
    with Output(out, most, report, stop, hasher) as output, Gatherer(source, out.parent, stop) as gatherer:
        with zipfile.ZipFile(_Stream(output), "w") as archive:
            _member(archive, output, "data.pkl", len(pickled), (pickled,))
            _member(archive, output, "byteorder", 6, (b"little",))
            overflowed = []
            for place, piece in enumerate(plan.pieces):
                overflowed += [piece.slot.name] * _numbers(archive, output, gatherer, place, piece)
            _member(archive, output, "version", 2, (b"3\n",))
        output.commit()
        return Written(out, output.at, len(plan.pieces), plan.metadata, tuple(overflowed))


class _Stream:
    """An output that cannot go back, so that zipfile puts sizes and checksums behind the data, as torch does."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, data: bytes, /) -> int:
        """Pass bytes on."""
        self._output.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing: the output flushes when it is committed."""

    def close(self) -> None:
        """Nothing: the output is not ours to close."""


def _member(archive: zipfile.ZipFile, output: Output, name: str, size: int, pieces: Iterable[bytes]) -> None:
    """One stored member whose data begin at a multiple of `_ALIGNMENT`, by a padding field `FB` as torch's writer."""
    info = zipfile.ZipInfo(f"archive/{name}", _DATE)
    info.create_system, info.file_size = 3, size
    wide = 20 if size * 1.05 > zipfile.ZIP64_LIMIT else 0
    padding = -(output.at + 30 + len(info.filename) + 4 + wide) % _ALIGNMENT
    info.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
    with archive.open(info, "w") as member:
        for piece in pieces:
            member.write(piece)


def _numbers(archive: zipfile.ZipFile, output: Output, gatherer: Gatherer, place: int, piece: Piece) -> bool:
    overflowed = 0

    def passing() -> Iterator[bytes]:
        nonlocal overflowed
        for part in piece_bytes(gatherer, piece):
            overflowed += part.overflowed
            yield part.data

    _member(archive, output, f"data/{place}", piece.slot.length, passing())
    return overflowed > 0


def _pickled(plan: Plan) -> bytes:
    """The opcodes, protocol 2, without memo: nothing in it refers to anything else."""
    tensors = {piece.slot.name: _tensor(place, piece.slot) for place, piece in enumerate(plan.pieces)}
    if plan.layout == "hypernetwork":
        body = _hypernetwork(tensors, plan.metadata)
    elif plan.layout == "tensor":
        (body,) = tensors.values()
    elif plan.layout == "list":
        body = b"](" + b"".join(tensors[str(place)] for place in range(len(tensors))) + b"e"
    else:
        body = _ordered(tensors)
    return b"\x80\x02" + body + b"."


def _hypernetwork(tensors: Mapping[str, bytes], metadata: Mapping[str, str]) -> bytes:
    """`{768: (state dict, state dict), ..., "name": ...}`."""
    layers: dict[int, tuple[dict[str, bytes], dict[str, bytes]]] = {}
    for name, value in tensors.items():
        width, half, key = hypernetwork_part(name)
        layers.setdefault(width, ({}, {}))[half][key] = value
    pairs = [
        (_plain(width), b"".join(map(_ordered, halves)) + b"\x86")  # a tuple of two
        for width, halves in sorted(layers.items())
    ]
    for key, read in _HYPERNETWORK_FIELDS.items():
        if key in metadata:
            try:
                pairs.append((_text(key), _plain(read(metadata[key]))))
            except (ValueError, RecursionError):
                continue  # metadata by another hand: UIs have a default for each field
    return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


def _ordered(values: Mapping[str, bytes]) -> bytes:
    """An `OrderedDict` from names to opcodes."""
    pairs = b"".join(_text(name) + value for name, value in values.items())
    return b"ccollections\nOrderedDict\n)R(" + pairs + b"u"


def _tensor(place: int, slot: Slot) -> bytes:
    """The call that rebuilds one contiguous tensor over a storage of its own."""
    elements, strides, step = count(slot.shape), [], 1
    for length in reversed(slot.shape):
        strides.append(step)
        step *= max(length, 1)
    typed = _CLASSES.get(slot.dtype)
    numel = elements if typed else slot.length
    storage = _text("storage") + (_named("torch", typed) if typed else _named("torch.storage", "UntypedStorage"))
    storage += _text(str(place)) + _text("cpu") + _whole(numel)
    call = _named("torch._utils", "_rebuild_tensor_v2" if typed else "_rebuild_tensor_v3")
    shape = _tuple(map(_whole, slot.shape)) + _tuple(map(_whole, reversed(strides)))
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    last = b"" if typed else _named("torch", _NAMES[slot.dtype])
    return call + b"((" + storage + b"tQ" + _whole(0) + shape + hooks + last + b"tR"


def _tuple(items: Iterable[bytes]) -> bytes:
    return b"(" + b"".join(items) + b"t"


def _named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(words: str) -> bytes:
    raw = words.encode()
    return b"X" + len(raw).to_bytes(4, "little") + raw


def _whole(number: int) -> bytes:
    if 0 <= number < 1 << 31:
        return b"J" + number.to_bytes(4, "little")
    raw = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + len(raw).to_bytes(1, "little") + raw


def _plain(value: Plain) -> bytes:
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return b"](" + b"".join(map(_plain, value)) + b"e"
    raise ValueError(f"{value!r} is no plain value")
