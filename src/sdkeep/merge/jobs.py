"""The work of a plan in pieces: stretches to copy, stretches of numbers to compute, whole tensors to compute.

Tensors that lie one behind the other in the result and in every parent, and to which the same is done, are one stretch:
element-wise arithmetic knows no borders. A job is the unit of threads, of progress and of resuming.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sdkeep.formats.dtypes import BITS, count
from sdkeep.merge.expression import Leaf, Load, Program
from sdkeep.merge.plan import Plan
from sdkeep.merge.target import Formula, Target

ELEMENTS = 1 << 18
"""Numbers in one computed piece: what a core's own cache holds of the parents and the result."""

_COPIED = 16 << 20


def width_of(code: str) -> int:
    """Bytes of one number; those narrower than a byte are refused when a parent is opened."""
    return BITS[code] // 8


@dataclass(frozen=True, slots=True)
class Copy:
    """`length` bytes of a parent, from `source` there to `offset` in the result."""

    offset: int
    length: int
    parent: int
    source: int


@dataclass(frozen=True, slots=True)
class Piece:
    """`elements` numbers computed from those at `sources` of the program's leaves, for `offset` in the result."""

    offset: int
    elements: int
    dtype: str
    program: Program
    sources: tuple[int, ...]
    formula: Formula | None = None

    @property
    def length(self) -> int:
        """Bytes of the result."""
        return self.elements * width_of(self.dtype)


@dataclass(frozen=True, slots=True)
class Whole:
    """One tensor computed at once."""

    offset: int
    target: Target
    program: Program

    @property
    def length(self) -> int:
        """Bytes of the result."""
        return self.target.slot.length

    @property
    def memory(self) -> int:
        """Bytes that computing it takes, about."""
        return count(self.target.slot.shape) * 4 * (len(self.program.code) + 2)


Job = Copy | Piece | Whole


def jobs_of(plan: Plan) -> tuple[Job, ...]:
    """Every job of a plan, in the order of the result."""
    return tuple(_cut(_joined(_units(plan))))


def _units(plan: Plan) -> Iterator[Job]:
    offset = len(plan.header)
    for target in plan.targets:
        length = target.slot.length
        if length:
            yield _unit(target, offset)
        offset += length


def _unit(target: Target, offset: int) -> Job:
    program, leaf = target.program, target.copied
    if program is None and leaf is not None:
        if leaf.entry.dtype == target.slot.dtype and not target.changes:
            return Copy(offset, target.slot.length, leaf.parent, _place(leaf))
        program = Program((leaf,), (Load(0),))
    assert program is not None  # noqa: S101  a target has one or the other
    if not target.elementwise:
        return Whole(offset, target, program)
    places = tuple(_place(one) for one in program.leaves)
    return Piece(offset, count(target.slot.shape), target.slot.dtype, program, places, target.formula)


def _place(leaf: Leaf) -> int:
    span = leaf.entry.span
    assert span is not None  # noqa: S101  checked when the parent was opened
    return span.offset


def _joined(units: Iterator[Job]) -> Iterator[Job]:
    """Neighbours as one stretch."""
    last: Job | None = None
    for job in units:
        joined = _join(last, job) if last else None
        if joined is None and last is not None:
            yield last
        last = joined or job
    if last is not None:
        yield last


def _join(last: Job, job: Job) -> Job | None:
    if isinstance(last, Copy) and isinstance(job, Copy):
        if last.parent == job.parent and last.source + last.length == job.source:
            return Copy(last.offset, last.length + job.length, last.parent, last.source)
        return None
    if not isinstance(last, Piece) or not isinstance(job, Piece) or last.dtype != job.dtype:
        return None
    ends = [
        source + last.elements * width_of(leaf.entry.dtype)
        for source, leaf in zip(last.sources, last.program.leaves, strict=True)
    ]
    alike = last.formula == job.formula and last.program.signature == job.program.signature
    if not alike or tuple(ends) != job.sources:
        return None
    return Piece(last.offset, last.elements + job.elements, last.dtype, last.program, last.sources, last.formula)


def _cut(stretches: Iterator[Job]) -> Iterator[Job]:
    """Stretches in pieces of bounded size."""
    for one in stretches:
        if isinstance(one, Whole):
            yield one
        elif isinstance(one, Copy):
            for done in range(0, one.length, _COPIED):
                yield Copy(one.offset + done, min(_COPIED, one.length - done), one.parent, one.source + done)
        else:
            widths = [width_of(leaf.entry.dtype) for leaf in one.program.leaves]
            for done in range(0, one.elements, ELEMENTS):
                sources = tuple(source + done * width for source, width in zip(one.sources, widths, strict=True))
                offset = one.offset + done * width_of(one.dtype)
                elements = min(ELEMENTS, one.elements - done)
                yield Piece(offset, elements, one.dtype, one.program, sources, one.formula)
