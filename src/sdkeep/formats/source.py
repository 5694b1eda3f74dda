"""Places to read bytes from: a file on disk, bytes in memory, a window into either."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from sdkeep.ground.errors import NotFoundHere, StoreError
from sdkeep.ground.source import Source


class FileSource:
    """A file read by offset without moving a shared position, so that threads can share it.

    The size is taken when it is opened. `descriptor` is for callers that let the kernel copy.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`; raises `NotFoundHere` when there is no such file and `StoreError` when it cannot be read."""
        self._path = path
        self._lock = threading.Lock()
        try:
            self._file = path.open("rb", buffering=0)
        except FileNotFoundError as error:
            raise NotFoundHere(f"there is no file `{path}`", "nothing has this name", "check the spelling") from error
        except IsADirectoryError as error:
            raise StoreError(f"`{path}` is a folder", "a file is needed here", "name a file inside it") from error
        except OSError as error:
            raise StoreError(f"`{path}` cannot be opened", error.strerror or str(error)) from error
        try:
            self._size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            self._file.close()
            raise StoreError(f"`{path}` cannot be measured", error.strerror or str(error)) from error

    @property
    def name(self) -> str:
        """The path as given."""
        return str(self._path)

    @property
    def size(self) -> int:
        """Length in bytes when it was opened."""
        return self._size

    @property
    def descriptor(self) -> int:
        """The open file descriptor."""
        return self._file.fileno()

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, fewer only at the end of the file."""
        _check(offset, length)
        length = min(length, max(self._size - offset, 0))
        if not length:
            return b""  # the system call refuses offsets that no file reaches
        try:
            first = self._read(offset, length)
            if len(first) == length or not first:
                return first
            pieces = [first]
            while (done := sum(map(len, pieces))) < length:
                piece = self._read(offset + done, length - done)
                if not piece:
                    break
                pieces.append(piece)
            return b"".join(pieces)
        except OSError as error:
            raise StoreError(f"`{self._path}` cannot be read", error.strerror or str(error)) from error

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset` on; says how many bytes arrived, fewer only at the end of the file."""
        _check(offset, len(buffer))
        done, length = 0, min(len(buffer), max(self._size - offset, 0))
        try:
            while done < length:
                moved = self._fill(offset + done, buffer[done:length])
                if not moved:
                    break
                done += moved
        except OSError as error:
            raise StoreError(f"`{self._path}` cannot be read", error.strerror or str(error)) from error
        return done

    def _fill(self, offset: int, buffer: memoryview) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [buffer], offset)
        with self._lock:  # Windows has no preadv
            self._file.seek(offset)
            return self._file.readinto(buffer) or 0

    def _read(self, offset: int, length: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), length, offset)
        with self._lock:  # Windows has no pread
            self._file.seek(offset)
            return self._file.read(length) or b""

    def close(self) -> None:
        """Give the descriptor back; reading afterwards is an error."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BytesSource:
    """Bytes already in memory."""

    def __init__(self, data: bytes, name: str = "") -> None:
        self._data = data
        self._name = name

    @property
    def name(self) -> str:
        """What it was called at construction."""
        return self._name

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on."""
        _check(offset, length)
        return self._data[offset : offset + length]


class Window:
    """A stretch of another source that begins at `offset`; it ends where the stretch or the source does."""

    def __init__(self, source: Source, offset: int, length: int, name: str = "") -> None:
        _check(offset, length)
        self._source = source
        self._offset = offset
        self._length = min(length, max(source.size - offset, 0))
        self._name = name or source.name

    @property
    def name(self) -> str:
        """Its own name, or that of the source it looks into."""
        return self._name

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._length

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` of the window on."""
        _check(offset, length)
        length = min(length, max(self._length - offset, 0))
        return self._source.read_at(self._offset + offset, length) if length else b""


def _check(offset: int, length: int) -> None:
    if offset < 0 or length < 0:
        raise ValueError(f"offset {offset} and length {length} must not be negative")
