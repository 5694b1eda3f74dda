"""Is what lies in the folders still what the catalogue says? Told by the file system alone wherever that is proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from sdkeep.actions.folders import Seen
from sdkeep.ground.record import Location, Method
from sdkeep.store.platform import mtime_of


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
    same = info.st_size == location.size and location.mtime_ns in (0, mtime_of(own))
    return Drift.NONE if same else Drift.CHANGED


def has_changed(location: Location | None) -> bool:
    """Whether a recorded path holds something else now, or may do so."""
    return location is not None and drift_of(location) is Drift.CHANGED


class What(StrEnum):
    """One way in which folders and catalogue differ."""

    NEW = "new"
    DUPLICATE = "duplicate"
    MOVED = "moved"
    RENAMED = "renamed"
    EDITED = "edited"
    TOUCHED = "touched"
    MISSING = "missing"
    VANISHED = "vanished"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Change:
    """A difference: of which path, what it was recorded as (None for a new file) and how it looks now (None if gone).

    `sha256` is that of the bytes there now, where that is proved; `twin` a path that holds the same.
    """

    what: What
    path: str
    recorded: Location | None = None
    seen: Seen | None = None
    sha256: str = ""
    twin: str = ""


@dataclass(slots=True)
class Ledger:
    """What is on record and what lies there, sorted out. `sha256_of` reads a file; None for one that cannot be read.

    A new file is read when its size is among `sizes`; `blobs` are sha256 and path of stored files by device and inode.
    """

    recorded: Mapping[str, Location]
    seen: Mapping[str, Seen]
    sha256_of: Callable[[Seen], str | None]
    sizes: frozenset[int] = frozenset()
    blobs: Mapping[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def compare(self, unsure: Callable[[str], bool]) -> list[Change]:
        """Every difference. A path for which `unsure` holds (its drive is away) counts as neither here nor gone."""
        fresh = {path: one for path, one in self.seen.items() if path not in self.recorded}
        gone = []
        for path, location in self.recorded.items():
            one = self.seen.get(path)
            if one is not None:
                self._standing(location, one)
            elif not unsure(path):
                gone.append(location)
        left = self._moved(gone, fresh)
        left = self._moved_by_bytes(left, fresh)
        self._twins(fresh)
        self.changes += [Change(What.NEW, path, None, one) for path, one in fresh.items()]
        for location in left:
            if not location.missing:
                what = What.VANISHED if location.ours else What.MISSING
                self.changes.append(Change(what, location.path, location))
        return self.changes

    def _standing(self, location: Location, one: Seen) -> None:
        """A path that is recorded and there."""
        if one.fits(location):
            if location.missing:
                self.changes.append(Change(What.BACK, location.path, location, one, location.sha256))
            return
        if one.size == location.size and location.sha256 and self.sha256_of(one) == location.sha256:
            self.changes.append(Change(What.TOUCHED, location.path, location, one, location.sha256))
            return
        self.changes.append(Change(What.EDITED, location.path, location, one))

    def _moved(self, gone: Iterable[Location], fresh: dict[str, Seen]) -> list[Location]:
        """Take out of `fresh` what kept inode, size and time under another path; the rest of `gone`."""
        traces: dict[tuple[int, int, int], list[str]] = {}
        for path, one in fresh.items():
            for trace in {one.trace, (one.own_inode, one.size, one.own_mtime_ns)}:
                traces.setdefault(trace, []).append(path)
        left = []
        for location in gone:
            paths = traces.get((location.inode, location.size, location.mtime_ns), []) if location.inode else []
            found = next((path for path in paths if path in fresh), "")
            if found:
                self._move(location, fresh.pop(found))
            else:
                left.append(location)
        return left

    def _moved_by_bytes(self, gone: list[Location], fresh: dict[str, Seen]) -> list[Location]:
        """The same for files that crossed volumes or were copied and deleted: told by size, then by their bytes."""
        waiting: dict[str, list[Location]] = {}
        for location in gone:
            if location.sha256:
                waiting.setdefault(location.sha256, []).append(location)
        sizes = {location.size for location in gone if location.sha256}
        for path in [path for path, one in fresh.items() if one.size in sizes]:
            sha256 = self.sha256_of(fresh[path])
            if sha256 and waiting.get(sha256):
                self._move(waiting[sha256].pop(0), fresh.pop(path))
        unsaid = {location.path for locations in waiting.values() for location in locations}
        return [location for location in gone if location.path in unsaid or not location.sha256]

    def _move(self, location: Location, one: Seen) -> None:
        same_folder = Path(location.path).parent == Path(one.path).parent
        what = What.RENAMED if same_folder else What.MOVED
        self.changes.append(Change(what, location.path, location, one, location.sha256))

    def _twins(self, fresh: dict[str, Seen]) -> None:
        """Take out of `fresh` what holds the bytes of something on record: told by inode, else by reading."""
        inodes = {one.trace: path for path, one in self.seen.items() if path in self.recorded}
        shas = {location.sha256: path for path, location in self.recorded.items() if location.sha256}
        for path, one in list(fresh.items()):
            sha256, twin = self.blobs.get((one.device, one.inode), ("", ""))
            other = inodes.get(one.trace, "")
            if not sha256 and other and self.seen[other].fits(self.recorded[other]):
                sha256, twin = self.recorded[other].sha256, other
            if not sha256 and one.size in self.sizes:
                sha256 = self.sha256_of(one) or ""
                twin = shas.get(sha256, "")
            if sha256 and twin:
                self.changes.append(Change(What.DUPLICATE, path, None, fresh.pop(path), sha256, twin))


def recorded_as(location: Location, one: Seen) -> Location:
    """The record of a file that is the same under a path, a time or an inode of its own."""
    if location.method is Method.IN_PLACE:
        inode, mtime = one.inode, one.mtime_ns
    else:
        inode, mtime = one.own_inode, one.own_mtime_ns
    return replace(location, path=one.path, ui=one.ui, inode=inode, mtime_ns=mtime, size=one.size, missing="")
