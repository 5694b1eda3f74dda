"""Mark and sweep: what no one needs goes to the trash. The plan decides, `apply` looks once more and moves.

References are counted anew from the catalogue and the disk each time; nothing trusts a stored counter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sdkeep.ground.record import Trashed
from sdkeep.store.blobs import Blob, Store
from sdkeep.store.trash import Trash
from sdkeep.store.trouble import told

_KEPT_IN_STAGING = (".lock",)


@dataclass(frozen=True, slots=True)
class Marks:
    """What the catalogue knows. `referenced` are the SHA-256 of all that must stay; `hard_links` how many hard
    links of each blob it has recorded. Blobs younger than `grace` are spared, since a command that is running may
    not have recorded them yet; partial downloads older than `patience` are given up.
    """

    referenced: frozenset[str]
    hard_links: Mapping[str, int] = field(default_factory=dict)
    grace: timedelta = timedelta(hours=1)
    patience: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Kept:
    """An unreferenced blob that stays, and why."""

    blob: Blob
    why: str


@dataclass(frozen=True, slots=True)
class Partial:
    """A file that a command which never ended left in staging."""

    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What would go and what would stay."""

    unused: tuple[Blob, ...] = ()
    partials: tuple[Partial, ...] = ()
    kept: tuple[Kept, ...] = ()

    @property
    def size(self) -> int:
        """Bytes that emptying the trash afterwards would free."""
        return sum(blob.size for blob in self.unused) + sum(partial.size for partial in self.partials)


def plan(store: Store, marks: Marks, now: datetime) -> SweepPlan:
    """Look, and touch nothing."""
    unused: list[Blob] = []
    kept: list[Kept] = []
    for blob in store.each():
        if blob.sha256 in marks.referenced:
            continue
        why = _reason_to_keep(blob, marks, now)
        if why:
            kept.append(Kept(blob, why))
        else:
            unused.append(blob)
    return SweepPlan(tuple(unused), _stale(store.staging, now - marks.patience), tuple(kept))


def apply(swept: SweepPlan, trash: Trash) -> tuple[Trashed, ...]:
    """Move what was planned to the trash; whatever has changed since the plan stays."""
    with told("cannot sweep the store"):
        blobs = [blob for blob in swept.unused if _unchanged(blob.path, blob.inode, blob.changed_ns)]
        partials = [partial.path for partial in swept.partials if _untouched(partial)]
        return tuple(
            [trash.throw(blob.path, "nothing uses it", blob.sha256) for blob in blobs]
            + [trash.throw(path, "a transfer that never ended") for path in partials]
        )


def _reason_to_keep(blob: Blob, marks: Marks, now: datetime) -> str:
    unknown = blob.links - 1 - marks.hard_links.get(blob.sha256, 0)
    if unknown > 0:
        return f"{unknown} hard link{'s' if unknown > 1 else ''} to it that the catalogue does not know"
    if blob.changed_ns > (now - marks.grace).timestamp() * 1e9:
        return "it is so young that a running command may be about to record it"
    return ""


def _stale(staging: Path, limit: datetime) -> tuple[Partial, ...]:
    if not staging.is_dir():
        return ()
    found: list[Partial] = []
    with told(f"cannot read `{staging}`"):
        for path in sorted(staging.rglob("*")):
            info = path.lstat()
            if path.is_file() and path.suffix not in _KEPT_IN_STAGING and info.st_mtime < limit.timestamp():
                found.append(Partial(path, info.st_size, info.st_mtime_ns))
    return tuple(found)


def _unchanged(path: Path, inode: int, changed_ns: int) -> bool:
    """A new hard link changes the ctime, so a blob that somebody began to use is spared."""
    try:
        info = path.lstat()
    except FileNotFoundError:
        return False
    return info.st_ino == inode and info.st_ctime_ns == changed_ns


def _untouched(partial: Partial) -> bool:
    try:
        return partial.path.lstat().st_mtime_ns == partial.mtime_ns
    except FileNotFoundError:
        return False
