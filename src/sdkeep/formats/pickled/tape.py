"""The bytes of a pickle as an unpickler reads them, in the two ways that real unpicklers do.

FRAME (PEP 3154) promises that the next bytes belong together, and that no opcode or argument crosses their end. Where
the promise holds, everybody reads alike. Where it is broken, readers part (python/cpython#154848):

- `Tape`: bytes in a row, frames ignored. So read `pickletools` and `pickle.loads`.
- `StreamTape`: the C unpickler on a file object, before CPython 3.13.15 and 3.14.7. A frame becomes its buffer; a
  read that the rest of the buffer cannot serve drops that rest and starts after it. Code hides in the difference.

Pure Python and later C unpicklers raise at the first broken frame, having done only what both readings begin with.
"""

from __future__ import annotations

import sys
from typing import Protocol, overload

NO_FRAME = sys.maxsize


class Broken(Exception):
    """The pickle cannot be read on: a rule and why, for the `Problem` it becomes. Never leaves this package."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(why)
        self.rule = rule
        self.why = why


class Bytes(Protocol):
    """What a tape needs of the bytes it reads, so that they need not all lie in memory."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, key: int, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> bytes: ...
    def find(self, wanted: bytes, start: int, stop: int | None = None, /) -> int:
        """Where `wanted` stands between two places, -1 when it does not."""
        ...


class Tape:
    """Bytes in a row. `at` is the offset of the next byte, `frame_end` that of the end of the open frame."""

    __slots__ = ("at", "data", "frame_end", "most", "size")

    def __init__(self, data: Bytes, start: int, most: int) -> None:
        self.data = data
        self.size = len(data)
        self.at = start
        self.most = most
        self.frame_end = NO_FRAME

    def byte(self) -> int:
        """The next byte."""
        at = self.at
        if at >= self.size:
            raise Broken("truncated", "the pickle ends inside an argument")
        self.at = at + 1
        return self.data[at]

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        at = self.at
        stop = at + count
        if stop > self.size:
            raise Broken("truncated", f"an argument of {count:,} bytes goes beyond the end of the pickle")
        if count > self.most:
            raise Broken("budget-literal", f"an argument of {count:,} bytes is longer than sdkeep reads")
        self.at = stop
        return self.data[at:stop]

    def skip(self, count: int) -> None:
        """Pass over `count` bytes without reading them."""
        if self.at + count > self.size:
            raise Broken("truncated", f"{count:,} bytes to pass over go beyond the end of the pickle")
        self.at += count

    def bulk(self, count: int) -> bytes:
        """The next `count` bytes of a bytes object, which C unpicklers copy piece by piece."""
        return self.take(count)

    def line(self) -> bytes:
        """The bytes up to the next line feed, without it."""
        stop = self.data.find(b"\n", self.at)
        if stop < 0:
            raise Broken("truncated", "a text argument has no line feed at its end")
        line = self.take(stop - self.at)
        self.at = stop + 1
        return line

    def open_frame(self, length: int) -> str | None:
        """Enter a frame of `length` bytes; says what is wrong with it, if anything is."""
        wrong = None
        if self.frame_end != NO_FRAME:
            wrong = f"a frame opens {self.frame_end - self.at:,} bytes before the frame around it ends"
        self.frame_end = self.at + length if length else NO_FRAME
        return wrong

    def leave_frame(self) -> str | None:
        """Called when reading has come to the end of a frame or beyond it; says what is wrong, if anything is."""
        beyond = self.at - self.frame_end
        self.frame_end = NO_FRAME
        return f"an opcode goes {beyond:,} bytes beyond the end of its frame" if beyond else None


class StreamTape(Tape):
    """Bytes as they pass through the buffer of an older C unpickler that reads from a file object."""

    __slots__ = ()

    def take(self, count: int) -> bytes:
        """The next `count` bytes that lie in one buffer."""
        if self.at + count > self.frame_end:
            self._drop()
        return Tape.take(self, count)

    def bulk(self, count: int) -> bytes:
        """The next `count` bytes across the buffer's end: the one read that drops nothing."""
        return Tape.take(self, count)

    def line(self) -> bytes:
        """The next line that ends in the buffer, else the first line after it."""
        if self.frame_end != NO_FRAME and self.data.find(b"\n", self.at, self.frame_end) < 0:
            self._drop()
        return Tape.line(self)

    def open_frame(self, length: int) -> str | None:
        """Fill the buffer with the frame, unless it already holds all of it."""
        if self.frame_end != NO_FRAME:
            if self.at + length <= self.frame_end:
                return None
            self._drop()
        self.frame_end = self.at + length if length else NO_FRAME
        return None

    def leave_frame(self) -> str | None:
        """Forget a buffer that is used up."""
        self.frame_end = NO_FRAME
        return None

    def _drop(self) -> None:
        self.at = max(self.at, self.frame_end)
        self.frame_end = NO_FRAME
