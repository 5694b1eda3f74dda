"""How often and how patiently to try again: exponential, with jitter, starting over whenever there was progress."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

import tenacity

from sdkeep.ground.errors import KeepError

T = TypeVar("T")
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in a row without progress; waits in seconds from `first`, doubled, up to `most`.

    A server's own Retry-After is obeyed up to `patience`; when it asks for more, the attempt was the last.
    `excuses` is how many failures in a row may be nobody's fault (an address that expired) before they count.
    """

    attempts: int = 5
    first: float = 1.0
    most: float = 30.0
    patience: float = 60.0
    excuses: int = 5


class Again(Exception):
    """Worth another attempt. `error` is raised when there is none left; `after` is the server's wish in seconds.

    An `excused` failure is nobody's fault, such as an address that expired.
    """

    def __init__(self, error: KeepError, after: float | None = None, *, excused: bool = False) -> None:
        super().__init__(error.what)
        self.error = error
        self.after = after
        self.excused = excused


class Tally:
    """Failures since the last progress, and what follows from them."""

    def __init__(self, policy: RetryPolicy, jitter: Callable[[], float] = random.random) -> None:
        self.policy = policy
        self._jitter = jitter
        self._failures = 0
        self._excused = 0
        self._after: float | None = None

    def progress(self) -> None:
        """Something arrived: past failures are forgiven."""
        self._failures = self._excused = 0

    def failed(self, again: Again) -> None:
        """Count a failure."""
        self._after = again.after
        if again.excused and self._excused < self.policy.excuses:
            self._excused += 1
        else:
            self._failures += 1

    @property
    def spent(self) -> bool:
        """Whether to give up."""
        return self._failures >= self.policy.attempts or (self._after or 0) > self.policy.patience

    @property
    def delay(self) -> float:
        """Seconds until the next attempt: what the server asked for, else between half and all of the current step."""
        if self._after is not None:
            return self._after
        step = min(self.policy.most, self.policy.first * 2.0 ** max(0, self._failures + self._excused - 1))
        return step * (0.5 + self._jitter() / 2)


def persist(attempt: Callable[[], T], tally: Tally, sleep: Sleep = time.sleep) -> T:
    """The result of `attempt`, tried anew while it raises `Again`; then the error that the last one carried."""

    def count(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Again):
            tally.failed(error)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Again),
        after=count,
        wait=lambda _: tally.delay,
        stop=lambda _: tally.spent,
        sleep=sleep,
        reraise=True,
    )
    try:
        return retrying(attempt)
    except Again as again:
        cause = again.__cause__
        raise again.error from (cause if cause is not again.error else cause.__cause__)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, from Retry-After as a number or as a date against the server's own clock."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())
