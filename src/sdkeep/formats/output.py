"""A file that is there whole or not at all: written under a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import DiskFull, FormatError, NotWritable, StoreError, WouldOverwrite
from sdkeep.ground.events import Ended, Moved, Report, Started, Stop
from sdkeep.ground.source import Source

_BUFFER = 1 << 20
_KERNEL_COPY = 64 << 20
_WORTH_A_CALL = 64 << 10
_UNSUPPORTED = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EIO}


class Sink(Protocol):
    """Something that wants to see the bytes as they pass, a hasher."""

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        ...


class Output:
    """The file `out` in the making. Leave the block without `commit` and nothing is left of it."""

    def __init__(self, out: Path, size: int, report: Report, stop: Stop | None, hasher: Sink | None) -> None:
        """`size` is how many bytes will come at most; the room for them is checked before the first is written."""
        self._out = out
        self._size = size
        self._report = report
        self._stop = stop
        self._hasher = hasher
        self._done = 0
        self._told = 0
        self._pending = bytearray()
        self._kernel = hasher is None and hasattr(os, "copy_file_range")
        self._job = f"write:{out}"

    def __enter__(self) -> Self:
        if os.path.lexists(self._out):
            raise in_the_way(self._out)
        with translated(self._out, self._size):
            free = shutil.disk_usage(self._out.parent).free
        if free < self._size:
            raise DiskFull(f"`{self._out.name}` does not fit", self._size, free)
        with translated(self._out, self._size):
            self._temporary, self._file = _create(self._out)
        self._report(Started(self._job, f"write {self._out.name}", self._size))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)
        self._report(Ended(self._job))

    @property
    def at(self) -> int:
        """Bytes written so far."""
        return self._done

    def write(self, data: bytes) -> None:
        """Append bytes."""
        if self._hasher:
            self._hasher.update(data)
        self._done += len(data)
        if len(self._pending) + len(data) < _BUFFER:
            self._pending += data
        else:
            self._flush()
            self._put(data)
        self._tick()

    def copy(self, source: Source, offset: int, length: int) -> None:
        """Append `length` bytes of `source`, through the kernel where it can copy between files by itself."""
        if self._kernel and isinstance(source, FileSource) and length > _WORTH_A_CALL:
            self._flush()
            done = self._copy_in_kernel(source, offset, length)
            offset, length = offset + done, length - done
        while length:
            data = source.read_at(offset, min(_BUFFER, length))
            if not data:
                raise FormatError("the file ends inside a tensor", "it was cut while it was read")
            self.write(data)
            offset, length = offset + len(data), length - len(data)

    def _copy_in_kernel(self, source: FileSource, offset: int, length: int) -> int:
        done = 0
        while done < length:
            try:
                moved = os.copy_file_range(
                    source.descriptor, self._file, min(_KERNEL_COPY, length - done), offset + done
                )
            except OSError as error:
                if error.errno in _UNSUPPORTED:
                    self._kernel = False
                    return done
                raise _translate(error, self._out, self._size) from error
            if not moved:
                self._kernel = False
                return done
            done += moved
            self._done += moved
            self._tick()
        return done

    def _flush(self) -> None:
        if self._pending:
            self._put(bytes(self._pending))
            self._pending.clear()

    def _put(self, data: bytes) -> None:
        with translated(self._out, self._size):
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]

    def _tick(self) -> None:
        if self._stop:
            self._stop.check()
        if self._done - self._told >= _BUFFER or self._done == self._size:
            self._told = self._done
            self._report(Moved(self._job, self._done))

    def commit(self) -> None:
        """Make it durable and give it its name; raises `WouldOverwrite` when somebody took the name meanwhile."""
        self._flush()
        if self._stop:
            self._stop.check()
        with translated(self._out, self._size):
            os.fsync(self._file)
            rename_new(self._temporary, self._out)
            sync_folder(self._out.parent)


def _create(out: Path) -> tuple[Path, int]:
    """A new file beside `out` that a listing hides."""
    for turn in range(1000):
        path = out.with_name(f".{out.name[:200]}.{os.getpid()}-{turn}.part")
        with contextlib.suppress(FileExistsError):
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    raise NotWritable(f"`{out.parent}` is full of unfinished files", "names in `.part` are left over", "remove them")


def rename_new(temporary: Path, out: Path) -> None:
    """Name the file without replacing another: by a link where the file system has them."""
    try:
        os.link(temporary, out)
    except FileExistsError:
        raise in_the_way(out) from None
    except OSError:
        if os.path.lexists(out):
            raise in_the_way(out) from None
        temporary.rename(out)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems cannot
        pass
    finally:
        os.close(handle)


def in_the_way(out: Path) -> WouldOverwrite:
    """The error for a name that is taken."""
    return WouldOverwrite(f"`{out}` is already there", "nothing is overwritten", "choose another name with `-o`")


@contextlib.contextmanager
def translated(out: Path, size: int) -> Iterator[None]:
    """Turn what the disk says while `size` bytes are written to `out` into our errors."""
    try:
        yield
    except OSError as error:
        raise _translate(error, out, size) from error


def _translate(error: OSError, out: Path, size: int) -> StoreError:
    why = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"the disk is full, `{out.name}` was not finished", size, 0)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return NotWritable(f"`{out}` cannot be written", why, "choose another folder with `-o`")
    return StoreError(f"`{out}` cannot be written", why)
