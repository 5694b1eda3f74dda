"""Is a file still as it was when the catalogue last looked? Asked of the file system alone; nothing is read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from sdkeep.ground.record import Location, Method


class Drift(StrEnum):
    """What became of a recorded path."""

    NONE = "none"
    CHANGED = "changed"
    GONE = "gone"


def drift_of(location: Location) -> Drift:
    """Compare size and time of a path with what was recorded; a changed time alone may be a harmless touch."""
    path = Path(location.path)
    try:
        info = path.stat()
        own = info if location.method is Method.IN_PLACE else path.lstat()
    except OSError:
        return Drift.GONE
    same = info.st_size == location.size and location.mtime_ns in (0, own.st_mtime_ns)
    return Drift.NONE if same else Drift.CHANGED


def has_changed(location: Location | None) -> bool:
    """Whether a recorded path holds something else now, or may do so."""
    return location is not None and drift_of(location) is Drift.CHANGED
