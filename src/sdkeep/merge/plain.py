"""Jobs computed without torch: sums and products of 16- and 32-bit numbers, on numpy's arrays.

Importing torch takes longer than merging two SD 1.5 checkpoints. Formulas that are plain arithmetic (`methods.linear`)
mean the same to numpy, and the bytes are the same: the working format is fp32, each operation rounds as IEEE 754 says,
and so does the one rounding at the end. Torch computes faster once it is there, so larger merges are left to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from sdkeep.formats.casts import cast
from sdkeep.formats.halves import CODES, all_finite, narrow, widen
from sdkeep.ground.errors import FormatError
from sdkeep.ground.events import Report, Stop
from sdkeep.merge.calculating import Manner, Result
from sdkeep.merge.expression import Leaf, Load
from sdkeep.merge.jobs import Copy, Job, Piece, Whole
from sdkeep.merge.parents import Opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Singles = NDArray[np.float32]

MOST = 2_500_000_000
"""Numbers of the parents up to which two threads of numpy are done before torch, with its start, would be."""

_CODES = CODES | {"F32"}
_MAGNITUDE, _INFINITE = np.uint32(0x7FFF_FFFF), np.uint32(0x7F80_0000)


def is_plain(jobs: Sequence[Job], manner: Manner) -> bool:
    """Whether numpy can do these jobs, and is the better choice."""
    pieces = [job for job in jobs if not isinstance(job, Copy)]
    if manner.device != "cpu" or manner.keep_non_finite:
        return False
    numbers = sum(job.elements * len(job.sources) for job in pieces if isinstance(job, Piece))
    stretches = {id(job.program): job for job in pieces if isinstance(job, Piece)}  # cut from few
    return (
        numbers <= MOST
        and all(isinstance(job, Piece) for job in pieces)
        and all(_is_plain(job) for job in stretches.values())
    )


def _is_plain(job: Piece) -> bool:
    codes = {job.dtype, *(leaf.entry.dtype for leaf in job.program.leaves)}
    return job.formula is None and codes <= _CODES and all(method.is_plain for method in job.program.methods)


class PlainEngine:
    """Numpy's arrays. Of parents that are not in `finite` every number is looked at first."""

    build = "plain"

    def __init__(self, parents: Mapping[int, Opened], finite: frozenset[int]) -> None:
        self._parents = parents
        self._finite = finite

    def prepare(self, report: Report, stop: Stop) -> None:
        """Nothing: no plain formula has to know the whole model."""

    @contextmanager
    def calculator(self) -> Iterator[PlainCalculator]:
        """Arithmetic for one thread."""
        with np.errstate(all="ignore"):
            yield PlainCalculator(self._parents, self._finite)


class _NotFinite(Exception):
    """A parent holds an infinity or NaN at this place of a job."""

    def __init__(self, parent: int, place: int) -> None:
        super().__init__(parent, place)
        self.result = Result(memoryview(b""), place, (parent,))


class PlainCalculator:
    """One thread's arithmetic, in buffers that are used again and again."""

    def __init__(self, parents: Mapping[int, Opened], finite: frozenset[int]) -> None:
        self._parents = parents
        self._finite = finite
        self._buffers: dict[tuple[str, int], NDArray[np.uint8]] = {}

    def piece(self, job: Piece) -> Result:
        """Compute a stretch of numbers."""
        registers: list[Singles] = []
        try:
            for place, one in enumerate(job.program.code):
                if isinstance(one, Load):
                    leaf, source = job.program.leaves[one.leaf], job.sources[one.leaf]
                    registers.append(self._loaded(place, leaf, source, job.elements))
                else:
                    inputs = [registers[at].copy() if at in one.shared else registers[at] for at in one.inputs]
                    formula: object = one.apply.method.formula(*inputs, **one.apply.numbers)
                    assert isinstance(formula, np.ndarray)  # noqa: S101  numpy in, numpy out
                    registers.append(formula)
        except _NotFinite as error:
            return error.result
        return self._stored(registers[-1], job.dtype)

    def whole(self, job: Whole) -> Result:
        """No plain formula needs a tensor as a whole."""
        raise NotImplementedError(job.target.slot.name)

    def _loaded(self, place: int, leaf: Leaf, source: int, count: int) -> Singles:
        """The numbers of a parent in fp32, for a formula to overwrite."""
        numbers = self._singles(place, count)
        code = leaf.entry.dtype
        known = leaf.parent in self._finite
        if code == "F32":
            self._read(leaf.parent, source, numbers.data.cast("B"))
            if not known and not self._is_finite(numbers):
                raise _NotFinite(leaf.parent, _first_bad(numbers))
            return numbers
        words = self._buffer("words", 0, 2 * count).view(np.uint16)
        self._read(leaf.parent, source, words.data.cast("B"))
        if not known and not all_finite(words, code):
            single = np.frombuffer(cast(words.tobytes(), code, "F32").data, np.float32)
            raise _NotFinite(leaf.parent, _first_bad(single))
        widen(words, code, numbers)
        return numbers

    def _read(self, parent: int, offset: int, view: memoryview) -> None:
        source = self._parents[parent].source
        if source.read_into(offset, view) != len(view):
            raise FormatError(
                f"`{source.name}` ends inside a tensor", "it was cut while it was read", "download the file again"
            )

    def _stored(self, numbers: Singles, code: str) -> Result:
        """The result in the format it is written in, rounded once."""
        if code == "F32":
            finite = self._is_finite(numbers)
            return Result(numbers.data.cast("B"), None if finite else _first_bad(numbers))
        out = self._buffer("out", 0, 2 * len(numbers)).view(np.uint16)
        scratch = self._singles(-1, len(numbers)), self._singles(-2, len(numbers))
        if narrow(numbers, code, scratch, out):
            return Result(out.data.cast("B"))
        data = cast(numbers.tobytes(), "F32", code).data
        wide = np.frombuffer(cast(data, code, "F32").data, np.float32)
        return Result(memoryview(data), _first_bad(wide))

    def _is_finite(self, numbers: Singles) -> bool:
        sizes = self._singles(-1, len(numbers)).view(np.uint32)
        np.bitwise_and(numbers.view(np.uint32), _MAGNITUDE, sizes)
        return not sizes.size or bool(sizes.max() < _INFINITE)

    def _singles(self, place: int, count: int) -> Singles:
        return self._buffer("singles", place, 4 * count).view(np.float32)

    def _buffer(self, use: str, place: int, size: int) -> NDArray[np.uint8]:
        found = self._buffers.get((use, place))
        if found is None or len(found) < size:
            found = self._buffers[use, place] = np.empty(size, np.uint8)
        return found[:size]


def _first_bad(numbers: Singles) -> int:
    return int(np.flatnonzero(~np.isfinite(numbers))[0])
