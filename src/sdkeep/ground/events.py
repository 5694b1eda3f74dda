"""Progress as values, and the token that asks long work to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """Work began: `job` names it to the sink, `what` to a person; `total` is in `unit`s, None when unknown."""

    job: str
    what: str
    total: int | None = None
    unit: str = "bytes"


@dataclass(frozen=True, slots=True)
class Moved:
    """`done` units of a job are behind us (a level, not a step)."""

    job: str
    done: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The job is over, well or badly."""

    job: str


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence for the person. `level` is `info`, `warning` or `debug`."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Glimpsed:
    """How a picture looks while it is being made: `rgb` holds `width` times `height` pixels of three bytes."""

    job: str
    width: int
    height: int
    rgb: bytes


Event = Started | Moved | Ended | Said | Glimpsed
Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """The report that nobody reads."""


class Stopped(Exception):
    """Raised inside long work when its stop token was set; faces turn it into exit 130."""


class Stop:
    """A token that one thread sets and every worker looks at once per piece of work."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ask(self) -> None:
        """Ask every holder of this token to finish its piece and leave."""
        self._event.set()

    @property
    def asked(self) -> bool:
        """Whether somebody asked."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Stopped` when asked."""
        if self._event.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep, but leave with `Stopped` as soon as asked."""
        if self._event.wait(seconds):
            raise Stopped


@contextmanager
def stage(
    report: Report, job: str, what: str, total: int | None = None, unit: str = "bytes"
) -> Iterator[Callable[[int], None]]:
    """Report a job around a block; the block calls what it is given with the units done so far."""
    report(Started(job, what, total, unit))
    try:
        yield lambda done: report(Moved(job, done))
    finally:
        report(Ended(job))
