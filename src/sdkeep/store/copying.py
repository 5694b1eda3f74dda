"""Bytes read once: copied and hashed in the same pass, with progress and a way to stop."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sdkeep.ground.errors import DiskFull
from sdkeep.ground.events import Stop
from sdkeep.store import platform

PIECE = 4 << 20

Moved = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was written: its SHA-256 (64 lower-case digits) and its length in bytes."""

    sha256: str
    size: int


def nothing_moved(done: int) -> None:
    """The progress that nobody watches."""


def sha256_of(path: Path, *, moved: Moved = nothing_moved, stop: Stop | None = None) -> str:
    """The SHA-256 of a file, in lower-case hex."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as source:
        while piece := source.read(PIECE):
            if stop:
                stop.check()
            digest.update(piece)
            done += len(piece)
            moved(done)
    return digest.hexdigest()


def copy_new(source: Path, target: Path, *, moved: Moved = nothing_moved, stop: Stop | None = None) -> Copied:
    """Copy to a name that must be free, down to the disk. Whatever goes wrong, no partial file is left.

    Raises `DiskFull` before the first byte when there is no room, `FileExistsError` when the name is taken.
    """
    size = source.stat().st_size
    free = platform.free_space(target.parent)
    if free < size:
        raise DiskFull(f"cannot copy `{source.name}` to `{target.parent}`", size, free)
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as writing:
            copied = _pour(source, writing.fileno(), moved, stop)
            os.fsync(writing.fileno())
    except BaseException:
        target.unlink()
        raise
    return copied


def _pour(source: Path, descriptor: int, moved: Moved, stop: Stop | None) -> Copied:
    digest, done = hashlib.sha256(), 0
    with source.open("rb", buffering=0) as reading:
        while piece := reading.read(PIECE):
            if stop:
                stop.check()
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            digest.update(piece)
            done += len(piece)
            moved(done)
    return Copied(digest.hexdigest(), done)
