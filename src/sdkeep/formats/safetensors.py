"""The safetensors header, read strictly and written the way the reference serialiser would.

A file is `<u64 little-endian N> <N bytes of JSON> <payload>`. What the reference implementation would refuse is a grave
flaw here, what it tolerates but a second reader might take differently is one too (duplicate keys), and only a header
that cannot be understood at all is an error. See https://huggingface.co/docs/safetensors#format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import NoReturn

from sdkeep.formats.contents import Flaw, Span, Tensor
from sdkeep.formats.dtypes import BITS, RANK, byte_length, count
from sdkeep.ground.errors import FormatError
from sdkeep.ground.source import Source

MOST_HEADER = 100_000_000
"""The reference implementation's limit on N, in bytes."""

ALIGNMENT = 64
"""The payload of a file we write begins at a multiple of this many bytes, a cache line and torch's own alignment.

The header is padded with spaces, as the format allows; with tensors laid out by falling width every one of them then
lies aligned to its own width.
"""

_FIRST_READ = 1 << 16
_MOST_DIMENSIONS = 64
_MOST = 1 << 63
_MOST_WIDE = 32 << 20
_MOST_PARTS = 2_000_000
"""Values and names of a header, about; ten thousand tensors have two hundred thousand. Each costs memory."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the front of a safetensors file says. Spans are offsets in the file; `data_start` is where they begin."""

    tensors: tuple[Tensor, ...]
    metadata: dict[str, str]
    data_start: int
    flaws: tuple[Flaw, ...] = ()


def read_header(source: Source) -> Header:
    """The header of `source`; raises `FormatError` when there is none that can be understood."""
    data_start, text = _raw_header(source)
    flaws: list[Flaw] = []
    table = _parse(text, source.name)
    metadata: dict[str, str] = {}
    tensors: dict[str, Tensor | None] = {}
    for name, entry in table:
        if name in tensors:
            flaws.append(_flaw("duplicate-key", f"the name `{name}` appears twice; readers differ in which they take"))
        if name == "__metadata__":
            metadata = _metadata(entry, flaws)
            tensors[name] = None
        else:
            tensors[name] = _tensor(name, entry, data_start, flaws)
    kept = tuple(tensor for tensor in tensors.values() if tensor)
    flaws.extend(_coverage(kept, data_start, source.size))
    return Header(kept, metadata, data_start, tuple(flaws))


def _raw_header(source: Source) -> tuple[int, bytes]:
    front = source.read_at(0, _FIRST_READ)
    if len(front) < 8:
        _refuse(source.name, "it is shorter than the eight bytes that give the header's length", "header-short")
    length = int.from_bytes(front[:8], "little")
    if length > MOST_HEADER:
        _refuse(
            source.name, f"the header would be {length:,} bytes long; the format allows {MOST_HEADER:,}", "header-huge"
        )
    if 8 + length > source.size:
        _refuse(source.name, f"the header needs {8 + length:,} bytes and the file has {source.size:,}", "header-short")
    text = front[8 : 8 + length]
    if len(text) < length:
        text += source.read_at(8 + len(text), length - len(text))
    if len(text) < length:
        _refuse(source.name, "the header ends early", "header-short")
    if not text.startswith(b"{"):
        _refuse(source.name, "the header does not begin with `{`", "header-not-json")
    return 8 + length, text


def _refuse(name: str, why: str, rule: str, cause: Exception | None = None) -> NoReturn:
    raise FormatError(
        f"the safetensors header of `{name}` cannot be read", why, "download the file again", rule=rule
    ) from cause


_Object = tuple[tuple[str, object], ...]
"""A JSON object with its pairs as written, duplicates included; a JSON list is a list."""


def _parse(text: bytes, name: str) -> _Object:
    def refuse_constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON")

    parts = sum(map(text.count, (b",", b":", b"[", b"{")))
    if parts > _MOST_PARTS:
        _refuse(name, f"it lists about {parts:,} values; at most {_MOST_PARTS:,} are read", "budget-header")
    if len(text) > _MOST_WIDE and not text.isascii():
        _refuse(
            name,
            f"it is {len(text):,} bytes of other letters than ASCII, which take four times the memory",
            "budget-header",
        )
    try:
        value = json.loads(text.decode(), object_pairs_hook=tuple, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        _refuse(name, f"it is no JSON text: {error}", "header-not-json", error)
    if not isinstance(value, tuple):
        _refuse(name, "it is no JSON object", "header-not-json")
    return value


def _flaw(rule: str, why: str, offset: int | None = None, member: str = "", grave: bool = True) -> Flaw:
    return Flaw(rule, why, offset, member, grave)


def _metadata(entry: object, flaws: list[Flaw]) -> dict[str, str]:
    if entry is None:
        return {}
    if not isinstance(entry, tuple):
        flaws.append(_flaw("metadata-not-text", "`__metadata__` is no JSON object"))
        return {}
    found: dict[str, str] = {}
    for key, value in entry:
        if key in found:
            flaws.append(_flaw("duplicate-metadata", f"the metadata key `{key}` appears twice", grave=False))
        if isinstance(value, str):
            found[key] = value
        else:
            flaws.append(_flaw("metadata-not-text", f"the metadata value of `{key}` is no text"))
    return found


def _tensor(name: str, entry: object, data_start: int, flaws: list[Flaw]) -> Tensor | None:
    """The tensor an entry describes; one that makes no sense is left without a span, or out when it has no shape."""

    def bad(rule: str, why: str) -> None:
        flaws.append(_flaw(rule, f"`{name}`: {why}", member=name))

    if not isinstance(entry, tuple):
        bad("tensor-malformed", "the entry is no JSON object")
        return None
    said: dict[str, object] = dict(entry)  # of doubled fields the last
    if len(said) != len(entry):
        bad("duplicate-key", "a field appears twice in its entry")
    dtype, shape, offsets = said.get("dtype"), _naturals(said.get("shape")), _naturals(said.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or len(shape) > _MOST_DIMENSIONS:
        bad("tensor-malformed", "dtype or shape is missing or of the wrong kind")
        return None
    if offsets is None or len(offsets) != 2 or offsets[1] < offsets[0]:
        bad("tensor-malformed", "its offsets are no pair of rising numbers")
        return Tensor(name, dtype, shape)
    if dtype not in BITS:
        bad("unknown-dtype", f"the dtype `{dtype}` is not one of the format's")
        return Tensor(name, dtype, shape)
    wanted = byte_length(dtype, count(shape))
    if wanted is None or wanted >= _MOST or wanted != offsets[1] - offsets[0]:
        bad("size-mismatch", f"shape and dtype ask for {wanted} bytes, the offsets span {offsets[1] - offsets[0]}")
        return Tensor(name, dtype, shape)
    return Tensor(name, dtype, shape, Span(data_start + offsets[0], wanted), storage=name)


def _naturals(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    for item in value:
        if type(item) is not int or not 0 <= item < _MOST:
            return None
    return tuple(value)


def _coverage(tensors: Iterable[Tensor], data_start: int, size: int) -> Iterable[Flaw]:
    """The format demands that tensors cover the payload exactly: no holes, no sharing, nothing after the last."""
    reached = data_start
    spans = [(tensor.span.offset, tensor.span.length, tensor.name) for tensor in tensors if tensor.span]
    for offset, length, name in sorted(spans, key=itemgetter(0, 1)):
        end = offset + length
        if offset > reached:
            yield _flaw("payload-hole", f"{offset - reached:,} bytes before `{name}` belong to no tensor", reached)
        elif offset < reached:
            yield _flaw("payload-overlap", f"`{name}` begins inside another tensor", offset, name)
        reached = max(reached, end)
        if end > size:
            yield _flaw("payload-short", f"`{name}` ends {end - size:,} bytes behind the end of the file", size, name)
    if reached < size:
        yield _flaw("trailing-bytes", f"{size - reached:,} bytes follow the last tensor", reached)


@dataclass(frozen=True, slots=True)
class Slot:
    """A tensor to be written: its place is decided by `lay_out`."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def length(self) -> int:
        """Bytes it fills."""
        filled = byte_length(self.dtype, count(self.shape))
        if self.dtype not in BITS or filled is None:
            raise ValueError(f"`{self.name}` of dtype {self.dtype} cannot be stored")
        return filled


def in_file_order(slots: Iterable[Slot]) -> list[Slot]:
    """Widest numbers first, then by name: the order of the reference serialiser, so that payload digests agree."""
    return sorted(slots, key=lambda slot: (RANK[slot.dtype], slot.name))


def build_header(slots: Iterable[Slot], metadata: Mapping[str, str]) -> bytes:
    """The bytes that go before the payload of `slots`, which must already be in file order.

    Deterministic: metadata sorted by key, no white space but the padding to `ALIGNMENT`.
    """
    table: dict[str, object] = {}
    if metadata:
        table["__metadata__"] = {key: metadata[key] for key in sorted(metadata)}
    offset = 0
    for slot in slots:
        end = offset + slot.length
        table[slot.name] = {"dtype": slot.dtype, "shape": list(slot.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(text) > MOST_HEADER:
        raise FormatError(
            "the header would be too long", f"the format allows {MOST_HEADER:,} bytes", rule="header-huge"
        )
    return len(text).to_bytes(8, "little") + text
