"""From any readable model file to safetensors: decided as a plan, then written in one pass over the bytes.

Nothing in a pickle is run. The result depends on the input bytes, the options and `WRITER_FORMAT` alone: no date, no
program version, tensors in a fixed order, so that the same conversion gives the same file everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdkeep.formats.casts import Cast, cast
from sdkeep.formats.contents import Container, Contents, Tensor
from sdkeep.formats.dtypes import BITS, FLOATS
from sdkeep.formats.extract import BARE, EMBEDDING
from sdkeep.formats.gather import Gatherer
from sdkeep.formats.output import Output, Sink
from sdkeep.formats.safetensors import Slot, build_header, in_file_order
from sdkeep.formats.selection import EVERYTHING, Ema, Selection, select
from sdkeep.ground.errors import CannotConvert, FormatError
from sdkeep.ground.events import Report, Said, Stop, silent
from sdkeep.ground.kinds import Precision
from sdkeep.ground.source import Source
from sdkeep.ground.text import one_line

WRITER_FORMAT = 1
"""Raised whenever the bytes written for the same input and options change; kept in the file as `sdkeep.writer`."""

_TARGETS = {Precision.FP16: "F16", Precision.BF16: "BF16", Precision.FP32: "F32"}
_READABLE = {
    Container.SAFETENSORS, Container.TORCH_ZIP, Container.TORCH_LEGACY, Container.PICKLE,
    Container.NUMPY, Container.NUMPY_ZIP, Container.PNG,
}  # fmt: skip
_STALE = ("sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256")
_MOST_GROWTH = 64
_ALWAYS_ALLOWED = 1 << 30
_PATH = re.compile(r"/[^/]|~[\\/]|[A-Za-z]:[\\/]|\\\\|file:")
_HYPERNETWORK = re.compile(r"(\d{2,4})\.([01])\.(.+)")


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """`precision` for floating-point tensors (None keeps each as it is), metadata to add or replace, what to keep."""

    precision: Precision | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    selection: Selection = EVERYTHING


@dataclass(frozen=True, slots=True)
class Piece:
    """One tensor and the slot it goes to; they differ in dtype when numbers are cast."""

    tensor: Tensor
    slot: Slot

    @property
    def is_cast(self) -> bool:
        """Whether the numbers change their format."""
        return self.tensor.dtype != self.slot.dtype


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be written, decided to the byte. `size` is that of the file; `notes` are sentences for a person."""

    pieces: tuple[Piece, ...]
    metadata: dict[str, str]
    header: bytes = field(repr=False)
    size: int
    layout: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is complete and on the disk. `overflowed` names tensors in which numbers became infinite."""

    path: Path
    size: int
    tensors: int
    metadata: dict[str, str]
    overflowed: tuple[str, ...] = ()


def plan(contents: Contents, options: ConvertOptions | None = None) -> Plan:
    """Decide how `contents` becomes a safetensors file; raises `CannotConvert`, which names the key in the way."""
    options = options or ConvertOptions()
    _check_container(contents)
    target = _target(options.precision)
    tensors: dict[str, Tensor] = {}
    selected = select(contents.tensors, options.selection)
    for tensor in selected.tensors:
        if tensor.name in tensors:
            raise _cannot(f"two tensors would be called `{_shown(tensor.name)}`", "safetensors needs distinct names")
        tensors[tensor.name] = _convertible(contents, tensor)
    slots = in_file_order(_slot(tensor, target) for tensor in tensors.values())
    pieces = tuple(Piece(tensors[slot.name], slot) for slot in slots)
    layout = layout_of(tuple(tensors))
    metadata = _metadata(contents, options, layout, len(pieces) != len(contents.tensors) or _is_changed(pieces))
    header = build_header(slots, metadata)
    size = len(header) + sum(slot.length for slot in slots)
    if size > max(_ALWAYS_ALLOWED, _MOST_GROWTH * contents.size):
        raise _cannot(f"{contents.size:,} bytes would grow to {size:,}", "views of one storage are repeated many times")
    return Plan(pieces, metadata, header, size, layout, (*contents.notes, *selected.notes, *_notes(pieces)))


def layout_of(names: tuple[str, ...]) -> str:
    """What shape the pickle had that these names came from: `hypernetwork`, `list`, `tensor`, `embedding`, or empty."""
    if names == (BARE,):
        return "tensor"
    if names == (EMBEDDING,):
        return "embedding"
    if names and all(_HYPERNETWORK.fullmatch(name) for name in names):
        return "hypernetwork"
    if names and set(names) == {str(place) for place in range(len(names))}:
        return "list"
    return ""


def hypernetwork_part(name: str) -> tuple[int, int, str]:
    """Width, half and inner key of `768.0.linear.0.weight`."""
    matched = _HYPERNETWORK.fullmatch(name)
    if not matched:
        raise ValueError(f"{name!r} is no hypernetwork's key")
    return int(matched[1]), int(matched[2]), matched[3]


def write_safetensors(
    source: Source,
    plan: Plan,
    out: Path,
    *,
    report: Report = silent,
    stop: Stop | None = None,
    hasher: Sink | None = None,
) -> Written:
    """Write what `plan` says to `out`, which must not exist; a stop or an error leaves nothing behind.

    `hasher.update` is given every byte in order, so that nobody has to read the file again. Raises `WouldOverwrite`,
    `DiskFull`, `NotWritable`, `FormatError` for a source that changed, and `Stopped`.
    """
    with Output(out, plan.size, report, stop, hasher) as output, Gatherer(source, out.parent, stop) as gatherer:
        output.write(plan.header)
        overflowed = tuple(piece.slot.name for piece in plan.pieces if write_piece(gatherer, piece, output))
        if output.at != plan.size:
            raise FormatError(f"`{out.name}` came out at {output.at:,} of {plan.size:,} bytes", "the source changed")
        output.commit()
    for name in overflowed:
        report(Said("warning", f"`{_shown(name)}` holds numbers too large for the new precision: they became infinite"))
    return Written(out, plan.size, len(plan.pieces), plan.metadata, overflowed)


def write_piece(gatherer: Gatherer, piece: Piece, output: Output) -> bool:
    """Write one tensor's bytes; says whether a number overflowed."""
    stretch = None if piece.is_cast else gatherer.as_it_lies(piece.tensor)
    if stretch is not None:
        output.copy(stretch.source, stretch.offset, stretch.length)
        return False
    overflowed = 0
    for part in piece_bytes(gatherer, piece):
        overflowed += part.overflowed
        output.write(part.data)
    return overflowed > 0


def piece_bytes(gatherer: Gatherer, piece: Piece) -> Iterator[Cast]:
    """One tensor's bytes in bounded parts, in the precision of its slot."""
    for raw in gatherer.pieces(piece.tensor):
        yield cast(raw, piece.tensor.dtype, piece.slot.dtype) if piece.is_cast else Cast(raw, 0)


def _cannot(what: str, why: str = "", next: str = "") -> CannotConvert:
    return CannotConvert(what, why, next)


def _shown(name: str) -> str:
    return one_line(name, 120)


def _check_container(contents: Contents) -> None:
    container = contents.container
    if container is Container.TORCHSCRIPT:
        raise _cannot("a TorchScript program cannot be converted", "it is code with weights, and only torch can run it")
    if container is Container.TORCH_TAR:
        raise _cannot("torch's tar form cannot be converted", "it went out of use in 2017", "save it again with torch")
    if container not in _READABLE:
        raise _cannot(f"a file of kind `{container}` cannot be converted", "it is no model file that holds tensors")
    if not contents.tensors:
        broken = any(not pickle.reading.complete for pickle in contents.pickles)
        raise _cannot("there are no tensors in this file", "its pickle breaks off" if broken else "it holds other data")


def _target(precision: Precision | None) -> str | None:
    if precision is None:
        return None
    if precision not in _TARGETS:
        raise _cannot(f"numbers cannot be converted to `{precision}`", "fp16, bf16 and fp32 are the choices")
    return _TARGETS[precision]


def _convertible(contents: Contents, tensor: Tensor) -> Tensor:
    """The tensor as it will be stored; raises `CannotConvert` when it cannot be."""
    name = _shown(tensor.name)
    if tensor.dtype == "float4_e2m1fn_x2" and tensor.shape and tensor.strides is None:
        tensor = replace(tensor, dtype="F4", shape=(*tensor.shape[:-1], tensor.shape[-1] * 2))
    if tensor.span is None:
        raise _cannot(f"the tensor `{name}` cannot be converted", _reason(contents, tensor.name))
    if tensor.dtype not in BITS:
        raise _cannot(f"the tensor `{name}` cannot be converted", f"safetensors has no dtype for `{tensor.dtype}`")
    if tensor.name == "__metadata__" or "\0" in tensor.name:
        raise _cannot(f"a tensor cannot be called `{name}` in a safetensors file", "the name is not allowed there")
    try:
        tensor.name.encode()
    except UnicodeEncodeError as error:
        raise _cannot(f"a tensor cannot be called `{name}` in a safetensors file", "its name is no text") from error
    return tensor


def _reason(contents: Contents, name: str) -> str:
    flaw = next((flaw for flaw in contents.flaws if flaw.member == name), None)
    return flaw.why if flaw else "the file was only looked at in part, so its numbers are not located"


def _slot(tensor: Tensor, target: str | None) -> Slot:
    return Slot(tensor.name, target if target and tensor.dtype in FLOATS else tensor.dtype, tensor.shape)


def _metadata(contents: Contents, options: ConvertOptions, layout: str, changed: bool) -> dict[str, str]:
    """The file's own metadata or a pickle's plain values as text, then ours, then the caller's."""
    if contents.container is Container.SAFETENSORS:
        found = {key: value for key, value in contents.metadata.items() if not (changed and key in _STALE)}
    else:
        plain = {key: value for key, value in contents.extras.items() if value is not None and not _is_path(value)}
        found = {key: value if isinstance(value, str) else json.dumps(value) for key, value in plain.items()}
    found.setdefault("format", "pt")
    found["sdkeep.writer"] = str(WRITER_FORMAT)
    if layout:
        found["sdkeep.layout"] = layout
    found.update(_chosen(options.selection))
    found.update(options.metadata)
    return {_clean(key): _clean(value) for key, value in found.items()}


def _chosen(selection: Selection) -> dict[str, str]:
    found = {"sdkeep.ema": str(selection.ema)} if selection.ema is not Ema.KEEP else {}
    return found | ({"sdkeep.components": ",".join(sorted(selection.components))} if selection.components else {})


def _is_path(value: object) -> bool:
    """Whether a value names a place on the disk of whoever trained this, which is nobody else's business."""
    return isinstance(value, str) and bool(_PATH.match(value))


def _is_changed(pieces: tuple[Piece, ...]) -> bool:
    """Whether the payload differs from the source's: numbers cast, or tensors in another order."""
    end = None
    for piece in pieces:
        span = piece.tensor.span
        if piece.is_cast or span is None or end not in (None, span.offset):
            return True
        end = span.offset + span.length
    return False


def _clean(words: str) -> str:
    return words.encode("utf-8", "replace").decode()


def _notes(pieces: tuple[Piece, ...]) -> tuple[str, ...]:
    storages = [piece.tensor.storage for piece in pieces if piece.tensor.storage]
    shared = len(storages) - len(set(storages))
    return (f"{shared} tensors share their numbers with another; each is written in full",) if shared else ()
