"""Infinities and NaN in a model, found before it is merged: one such number makes every picture black."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sdkeep.formats.contents import Tensor
from sdkeep.formats.dtypes import REALS
from sdkeep.ground.errors import FormatError
from sdkeep.ground.events import Report, Stop, stage
from sdkeep.ground.text import one_line
from sdkeep.merge.parents import Opened

MOST = 1000
"""As many tensors are named; a model with more is beyond counting."""

_PIECE = 1 << 20
_LIMITS: Mapping[str, tuple[str, int, int]] = {
    "F64": ("<u8", 0x7FFF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000), "F32": ("<u4", 0x7FFF_FFFF, 0x7F80_0000),
    "F16": ("<u2", 0x7FFF, 0x7C00), "BF16": ("<u2", 0x7FFF, 0x7F80),
    "F8_E4M3": ("u1", 0x7F, 0x7F), "F8_E5M2": ("u1", 0x7F, 0x7C),
}  # fmt: skip
"""How to read a number's bits, those without its sign, and from where on they are no finite number."""

_UNSIGNED_NAN = 0x80  # of the 8-bit formats without a negative zero


@dataclass(slots=True)
class _Run:
    """Tensors of one format, one behind the other."""

    code: str
    start: int
    end: int
    tensors: list[Tensor] = field(default_factory=list)


def not_finite(parent: Opened, report: Report, stop: Stop) -> tuple[str, ...]:
    """The tensors of a model that hold infinities or NaN, the first `MOST` of them. Every weight is read once."""
    runs = list(_runs(parent.tensors.values()))
    found: dict[str, None] = {}
    with stage(report, f"finite:{parent.path}", f"look at {parent.name}", sum(r.end - r.start for r in runs)) as moved:
        done, buffer = 0, memoryview(bytearray(_PIECE))
        for run in runs:
            for start in range(run.start, run.end, _PIECE):
                stop.check()
                piece = buffer[: min(_PIECE, run.end - start)]
                parent.source.read_into(start, piece)
                if not _all_finite(piece, run.code):
                    found |= dict.fromkeys(_named(run, piece, start))
                done += len(piece)
                moved(done)
            if len(found) >= MOST:
                break
    return tuple(found)[:MOST]


def refused(names: Sequence[str], tensors: Sequence[str]) -> FormatError:
    """The error for models that hold such numbers in these tensors."""
    models = " and ".join(f"`{one_line(name, 90)}`" for name in dict.fromkeys(names))
    more = f" and {len(tensors) - 1} more tensors" if len(tensors) > 1 else ""
    return FormatError(
        f"{models} holds numbers that are not finite",
        f"in `{one_line(tensors[0], 90)}`{more}: pictures would come out black",
        "`--non-finite keep` merges it all the same", rule="non-finite",
    )  # fmt: skip


def _runs(tensors: Iterable[Tensor]) -> Iterator[_Run]:
    """The weights in the file's order, neighbours of one format together."""
    last: _Run | None = None
    placed = [(one.span.offset, one.span.length, one) for one in tensors if one.span and one.dtype in REALS]
    for offset, length, tensor in sorted(placed, key=lambda one: one[0]):
        if last is None or last.code != tensor.dtype or last.end != offset:
            if last is not None:
                yield last
            last = _Run(tensor.dtype, offset, offset)
        last.end = offset + length
        last.tensors.append(tensor)
    if last is not None:
        yield last


def _named(run: _Run, piece: memoryview, start: int) -> Iterator[str]:
    """The tensors whose share of a piece is not finite."""
    for tensor in run.tensors:
        assert tensor.span is not None  # noqa: S101  only those have come into a run
        first, last = tensor.span.offset - start, tensor.span.offset + tensor.span.length - start
        if last > 0 and first < len(piece) and not _all_finite(piece[max(first, 0) : last], run.code):
            yield tensor.name


def _all_finite(piece: memoryview, code: str) -> bool:
    if code not in _LIMITS:
        return not bool((np.frombuffer(piece, "u1") == _UNSIGNED_NAN).any())
    kind, magnitude, infinite = _LIMITS[code]
    bits = np.frombuffer(piece, kind)
    return not bits.size or int((bits & bits.dtype.type(magnitude)).max()) < infinite
