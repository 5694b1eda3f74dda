"""The one way to read bytes: by offset, from a file on disk or over the network alike."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Source(Protocol):
    """Random-access bytes. A local file and a remote one go through the same code.

    `read_at` returns exactly `length` bytes, fewer only where the source ends; a negative offset or length is a
    programming error. Implementations are safe to share between threads.
    """

    @property
    def name(self) -> str:
        """What to call it in a message: a path or a URL without secrets."""
        ...

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on."""
        ...


@runtime_checkable
class SourceInto(Source, Protocol):
    """A source that can also read into memory of the caller's, which saves a copy."""

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer`, of bytes, from `offset` on; says how many arrived, fewer only where the source ends."""
        ...
