"""Who fetches which part: gaps handed out one by one, and large remainders split for idle connections."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sdkeep.net.client import Stream


@dataclass(eq=False, slots=True)
class Part:
    """A stretch of the file in one connection's hands: the next byte, and where it ends (None: with the file).

    `received` counts bytes off the wire; `stalled` is set by the watchdog before it aborts `stream`.
    """

    position: int
    stop: int | None
    received: int = 0
    stream: Stream | None = None
    stalled: bool = False

    @property
    def left(self) -> int:
        """Bytes still to fetch; 0 when that is not known."""
        return 0 if self.stop is None else self.stop - self.position

    @property
    def complete(self) -> bool:
        """Whether nothing is left."""
        return self.stop is not None and self.position >= self.stop


class Board:
    """The parts of one file: those that wait and those in hand. Safe to share between threads."""

    def __init__(self, gaps: list[tuple[int, int | None]], grain: int) -> None:
        self.divisible = False
        self._waiting = [Part(start, stop) for start, stop in gaps]
        self._taken: list[Part] = []
        self._grain = grain
        self._lock = threading.Lock()

    def take(self) -> Part | None:
        """The next part to fetch, or half of the largest one in hand when it is worth it; None when there is none."""
        with self._lock:
            part = self._waiting.pop(0) if self._waiting else self._half()
            if part is not None:
                self._taken.append(part)
            return part

    def _half(self) -> Part | None:
        largest = max(self._taken, key=lambda part: part.left, default=None)
        if not self.divisible or largest is None or largest.stop is None or largest.left < 2 * self._grain:
            return None
        middle = largest.position + largest.left // 2
        part = Part(middle, largest.stop)
        largest.stop = middle
        return part

    def release(self, part: Part) -> None:
        """Lay down a part; what is left of it waits for the next who asks."""
        with self._lock:
            self._taken.remove(part)
            if not part.complete:
                self._waiting.insert(0, part)

    def bound(self, size: int) -> None:
        """The file ends at `size`: so do the parts that did not know."""
        with self._lock:
            for part in (*self._waiting, *self._taken):
                if part.stop is None:
                    part.stop = size

    @property
    def taken(self) -> list[Part]:
        """The parts in hand."""
        with self._lock:
            return list(self._taken)

    @property
    def unfinished(self) -> bool:
        """Whether a part waits or is in hand."""
        with self._lock:
            return bool(self._waiting or self._taken)

    @property
    def room(self) -> bool:
        """Whether one more connection would find something to do."""
        with self._lock:
            return bool(self._waiting) or (self.divisible and any(part.left >= 2 * self._grain for part in self._taken))
