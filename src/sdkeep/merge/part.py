"""The file in the making: written at any offset by any thread, kept after a kill, given its name when it is whole.

Beside it lies a journal: what is being made of what, and the finished jobs. The next run with the same of both goes on
there. Jobs are not synced one by one, so a journal that was written before the machine last started is not believed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from sdkeep.formats.output import in_the_way, rename_new, sync_folder, translated
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import DiskFull, InUse

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_RECORD = 4


class Part:
    """`.NAME.merge` beside the result, and its journal. Leave the block without `commit` and both stay."""

    def __init__(self, out: Path, size: int, purpose: str) -> None:
        """`purpose` is a digest of everything that the bytes depend on; `size` is that of the file."""
        self._out = out
        self._size = size
        self._path = out.with_name(f".{out.name[:200]}.merge")
        self._journal_path = self._path.with_name(self._path.name + "-journal")
        self._purpose = json.dumps({"purpose": purpose, "size": size, "boot": _boot()}).encode() + b"\n"
        self._guard = FileLock(str(self._path) + "-lock")
        self._lock = threading.Lock()
        self.done: frozenset[int] = frozenset()

    def __enter__(self) -> Self:
        if os.path.lexists(self._out):
            raise in_the_way(self._out)
        with translated(self._out, self._size):
            try:
                self._guard.acquire(timeout=0)
            except Timeout:
                raise InUse(
                    f"`{self._out.name}` is being made by another process", "two would write over each other",
                    "wait for it, or choose another name with `-o`",
                ) from None  # fmt: skip
            try:
                self._open()
            except BaseException:
                self._release()
                raise
        return self

    def _open(self) -> None:
        self.done = self._finished()
        here = self._path.stat().st_blocks * 512 if self.done and hasattr(os, "preadv") else 0
        free = shutil.disk_usage(self._out.parent).free
        if free + here < self._size:
            raise DiskFull(f"`{self._out.name}` does not fit", self._size, free + here)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file = os.open(self._path, flags | (0 if self.done else os.O_TRUNC), 0o666)
        self._journal = os.open(self._journal_path, flags | os.O_APPEND | (0 if self.done else os.O_TRUNC), 0o666)
        if not self.done:
            try:
                self._reserve()
                os.write(self._journal, self._purpose)
            except BaseException:
                self._close()
                self.discard()
                raise

    def _reserve(self) -> None:
        """Take the room on the disk at once: nobody else gets it meanwhile, and writing costs a third less."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._file, 0, self._size)
        else:
            os.ftruncate(self._file, self._size)

    def _close(self) -> None:
        os.close(self._file)
        os.close(self._journal)

    def _finished(self) -> frozenset[int]:
        """The jobs that an earlier run of the same finished."""
        try:
            line, _, rest = self._journal_path.read_bytes().partition(b"\n")
            if line + b"\n" != self._purpose or self._path.stat().st_size != self._size:
                return frozenset()
        except OSError:
            return frozenset()
        whole = len(rest) - len(rest) % _RECORD
        if whole != len(rest):  # cut in the middle of a record; the job is done again
            os.truncate(self._journal_path, len(line) + 1 + whole)
        return frozenset(int.from_bytes(rest[at : at + _RECORD], "little") for at in range(0, whole, _RECORD))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._release()

    def _release(self) -> None:
        self._guard.release()
        with contextlib.suppress(OSError):
            Path(self._guard.lock_file).unlink(missing_ok=True)

    def put(self, data: memoryview | bytes, offset: int) -> None:
        """Write bytes at their place."""
        with translated(self._out, self._size):
            if not hasattr(os, "pwrite"):  # Windows
                with self._lock:
                    os.lseek(self._file, offset, os.SEEK_SET)
                    while data:
                        data = data[os.write(self._file, data) :]
                return
            while data:
                written = os.pwrite(self._file, data, offset)
                data, offset = data[written:], offset + written

    def copy(self, source: FileSource, start: int, length: int, offset: int) -> int:
        """Let the kernel copy bytes of a file to `offset`; how many it did, 0 where it cannot."""
        if not hasattr(os, "copy_file_range"):
            return 0
        done = 0
        with contextlib.suppress(OSError):
            while done < length:
                moved = os.copy_file_range(source.descriptor, self._file, length - done, start + done, offset + done)
                if not moved:
                    break
                done += moved
        return done

    def finish(self, job: int) -> None:
        """Remember that a job is done."""
        with translated(self._out, self._size):
            os.write(self._journal, job.to_bytes(_RECORD, "little"))

    def commit(self) -> None:
        """Make the file durable, give it its name, forget the journal; raises `WouldOverwrite` if the name is taken."""
        with translated(self._out, self._size):
            os.fsync(self._file)
            rename_new(self._path, self._out)
            self._path.unlink(missing_ok=True)
            self._journal_path.unlink(missing_ok=True)
            sync_folder(self._out.parent)

    def discard(self) -> None:
        """Throw away what was written: going on would not help."""
        for path in (self._path, self._journal_path):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def unfinished(folder: Path) -> Iterator[Path]:
    """The files in the making that a folder holds."""
    yield from folder.glob(".*.merge")


def _boot() -> str:
    """What is new each time the machine starts; empty where the system does not say."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
