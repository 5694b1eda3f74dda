"""The partial file: written at offsets by several threads, and vouched for by a journal that never runs ahead of it."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sdkeep.ground.errors import DiskFull, NotWritable, StoreError
from sdkeep.net.journal import Journal, Ranges, load

_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_CLAIM = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENODEV}


class Partial:
    """`KEY.part` and `KEY.json` in the staging folder, for whoever holds the key's lock.

    Opening resumes what the journal vouches for, when it speaks of `journal`'s file; otherwise it begins anew.
    """

    def __init__(self, staging: Path, key: str, journal: Journal) -> None:
        self.path = staging / f"{key}.part"
        self._journal_path = staging / f"{key}.json"
        self._lock = threading.Lock()
        self._sound = True
        with disk_errors(self.path):
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self.journal = self._resumed(journal)
        self.done = Ranges(self.journal.done)

    def _resumed(self, fresh: Journal) -> Journal:
        old = load(self._journal_path)
        if old is None or not _same_file(old, fresh):
            return fresh
        held = os.fstat(self._fd).st_size
        if any(stop > held for _, stop in old.done):
            return fresh
        if not (old.sha256 or fresh.sha256 or old.validator.etag or old.validator.modified):
            return fresh  # nothing could tell a mix of two versions
        validator = old.validator if old.url == fresh.url else fresh.validator
        return replace(old, url=fresh.url, sha256=fresh.sha256 or old.sha256, validator=validator)

    def learn(self, journal: Journal) -> None:
        """Take over what a server told: size, validator, name."""
        with self._lock:
            self.journal = journal

    def restart(self, journal: Journal) -> None:
        """Forget every byte: they were of another version."""
        with self._lock, disk_errors(self.path):
            self.journal, self.done = journal, Ranges()
            os.ftruncate(self._fd, 0)
        self.checkpoint()

    def set_aside(self, size: int, reserve: int) -> None:
        """Refuse when the disk cannot take the rest and `reserve` bytes more; else set the room aside."""
        held = os.fstat(self._fd)
        taken = getattr(held, "st_blocks", 0) * 512
        needed, free = max(0, size - taken) + reserve, shutil.disk_usage(self.path.parent).free
        if needed > free and size > taken:
            raise DiskFull(f"there is no room for {size:,} bytes in `{self.path.parent}`", needed, free)
        if held.st_size >= size or size == 0:
            return
        with disk_errors(self.path, size):
            self._allocate(size)

    def _allocate(self, size: int) -> None:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._fd, 0, size)
                return
            except OSError as error:
                if error.errno not in _NO_CLAIM:
                    raise
        os.ftruncate(self._fd, size)

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at an offset, to be vouched for at the next checkpoint."""
        with disk_errors(self.path, len(data)):
            _write_at(self._fd, offset, data, self._lock)
        with self._lock:
            self.done.add(offset, offset + len(data))

    def read(self, offset: int, length: int) -> bytes:
        """Bytes that were written."""
        with disk_errors(self.path):
            return _read_at(self._fd, offset, length, self._lock)

    def missing(self, total: int) -> list[tuple[int, int]]:
        """The gaps within [0, total)."""
        with self._lock:
            return self.done.missing(total)

    @property
    def prefix(self) -> int:
        """How many bytes are there from the beginning on, without a gap."""
        with self._lock:
            return self.done.prefix

    @property
    def covered(self) -> int:
        """How many bytes are there."""
        with self._lock:
            return self.done.covered

    def checkpoint(self) -> None:
        """Vouch for what was written until now: first the bytes reach the disk, then the journal says so.

        After a failed sync nothing more is vouched for: the system forgets the failure, and with it the bytes.
        """
        with self._lock:
            done, journal = tuple(self.done), self.journal
        self._sync(getattr(os, "fdatasync", os.fsync))
        with disk_errors(self.path):
            replace(journal, done=done).save(self._journal_path)

    def _sync(self, sync: Callable[[int], None]) -> None:
        if not self._sound:
            raise StoreError(f"`{self.path}` could not be written", "the disk failed before")
        self._sound = False
        with disk_errors(self.path):
            sync(self._fd)
        self._sound = True

    def finish(self, size: int) -> None:
        """Give the file its exact length and make it durable."""
        with disk_errors(self.path):
            if os.fstat(self._fd).st_size != size:
                os.ftruncate(self._fd, size)
        self._sync(os.fsync)
        self.checkpoint()

    def condemn(self) -> Path:
        """Put the file aside as `KEY.bad`, where nothing resumes from it; the journal goes."""
        bad = self.path.with_suffix(".bad")
        self.close()
        with disk_errors(bad):
            self._journal_path.unlink(missing_ok=True)
            self.path.replace(bad)
        return bad

    def close(self) -> None:
        """Close the file, once."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def forget(staging: Path, key: str) -> None:
    """Remove the journal of a file that has left the staging folder."""
    if not (staging / f"{key}.part").exists():
        (staging / f"{key}.json").unlink(missing_ok=True)


@contextmanager
def disk_errors(path: Path, needed: int = 0) -> Iterator[None]:
    """The operating system's errors as ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            free = shutil.disk_usage(path.parent).free
            raise DiskFull(f"the disk with `{path.parent}` is full", needed, free) from error
        if error.errno in _DENIED:
            raise NotWritable(
                f"`{path}` cannot be written", str(error.strerror), "check who owns the folder"
            ) from error
        if error.errno == errno.EFBIG:
            why = "its file system takes no file of that length: FAT32 ends at 4 GiB"
            raise StoreError(f"`{path}` cannot grow further", why, "keep the store on another disk") from error
        raise StoreError(f"`{path}` cannot be written", str(error.strerror or error)) from error


def _same_file(old: Journal, fresh: Journal) -> bool:
    if old.sha256 and fresh.sha256:
        return old.sha256 == fresh.sha256
    return old.url == fresh.url and (old.size is None or fresh.size is None or old.size == fresh.size)


def _write_at(fd: int, offset: int, data: bytes, lock: threading.Lock) -> None:
    view = memoryview(data)
    while view:
        if hasattr(os, "pwrite"):
            written = os.pwrite(fd, view, offset)
        else:
            with lock:
                os.lseek(fd, offset, os.SEEK_SET)
                written = os.write(fd, view)
        view, offset = view[written:], offset + written


def _read_at(fd: int, offset: int, length: int, lock: threading.Lock) -> bytes:
    if hasattr(os, "pread"):
        data: bytes = os.pread(fd, length, offset)
        return data
    with lock:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, length)
