"""What computes jobs: torch (`arithmetic`), or numpy where that gives the same bytes sooner (`plain`)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from sdkeep.ground.events import Report, Stop
from sdkeep.merge.jobs import Piece, Whole


@dataclass(frozen=True, slots=True)
class Manner:
    """How to run: threads (0: one a core, four at most), device, and whether numbers that are not finite are kept.

    `finite` are the parents that are known to hold none such.
    """

    threads: int = 0
    device: str = "cpu"
    keep_non_finite: bool = False
    finite: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Result:
    """Bytes to write. `bad` is the first number that is not finite, as a place in the job, or None.

    `parents` are those that hold such numbers there; none where the merge made them.
    """

    data: memoryview
    bad: int | None = None
    parents: tuple[int, ...] = ()


class Calculator(Protocol):
    """One thread's arithmetic, in buffers of its own."""

    def piece(self, job: Piece) -> Result:
        """Compute a stretch of numbers."""
        ...

    def whole(self, job: Whole) -> Result:
        """Compute one tensor."""
        ...


class Engine(Protocol):
    """The arithmetic of one run. `build` tells apart what may give other bytes for the same plan."""

    @property
    def build(self) -> str:
        """What the bytes depend on beside the plan."""
        ...

    def prepare(self, report: Report, stop: Stop) -> None:
        """What has to be known of the whole model before a number is computed."""
        ...

    def calculator(self) -> AbstractContextManager[Calculator]:
        """Arithmetic for the thread that asks."""
        ...
