"""Make the catalogue and the WebUIs' folders agree: what differs is recognised, shown as a plan, and then recorded.

Files of others are read and never written, moved or deleted. The only files made here are placements of ours that
vanished, and they come back where they were.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.actions.away import Recorded, why_away
from sdkeep.actions.drift import Change, Ledger, What, recorded_as
from sdkeep.actions.folders import Root, Seen, Walked, look_at, walk
from sdkeep.actions.house import House
from sdkeep.actions.labels import label
from sdkeep.actions.placing import here
from sdkeep.actions.stores import holder, stores
from sdkeep.ground.errors import KeepError
from sdkeep.ground.record import Location, Method

if TYPE_CHECKING:
    from sdkeep.catalogue.sightings import Hashed
    from sdkeep.layouts.folders import Installed


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """How to sync. `forget` takes vanished placements as wanted instead of making them again.

    Without `hash` new files are only listed; `look_up` asks the hubs about what is hashed. A `check` reads a file only
    where a changed time may be a harmless touch.
    """

    hash: bool = True
    look_up: bool = False
    forget: bool = False
    check: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of the plan, and what was done. `to` is where a moved file is now, `twin` what a duplicate equals."""

    what: str
    path: str
    to: str = ""
    name: str = ""
    ui: str = ""
    size: int | None = None
    twin: str = ""
    done: str = ""


@dataclass(frozen=True, slots=True)
class Synced:
    """The plan or, once `applied`, what became of it. `away` are folders that could not be looked at, with the reason.

    `waiting` files are listed and not hashed yet; `hashed` of them were now, and hubs knew `identified` of those.
    """

    differences: tuple[Difference, ...]
    applied: bool
    away: dict[str, str] = field(default_factory=dict)
    waiting: int = 0
    hashed: int = 0
    identified: int = 0
    refreshed: tuple[str, ...] = ()
    failures: tuple[tuple[str, KeepError], ...] = field(default=(), repr=False)


@dataclass(slots=True)
class Plan:
    """Everything that differs, with what was learnt on the way to telling it."""

    changes: list[Change]
    walked: Walked
    away: dict[str, str]
    hashed: dict[str, Hashed]
    uis: dict[str, Installed]
    waiting: int = 0

    @property
    def drift(self) -> list[Change]:
        """The differences that a person should hear of: a touched time is none."""
        return [change for change in self.changes if change.what is not What.TOUCHED]


def plan(house: House, request: SyncRequest) -> Plan:
    """Compare what lies there with what is recorded. With nothing to do: one walk, one query, no file opened."""
    recorded = {one.path: one for one in house.book.locations(unhashed=True)}
    recorded_there = Recorded(path for path, one in recorded.items() if not one.missing)
    uis, roots, away = _roots(house, recorded_there, believed=request.forget)
    walked = walk(roots, recorded.keys())
    away.update(walked.unreadable)
    seen = dict(walked.files)
    lost = _beneath(away)
    for path, location in recorded.items():
        if path not in seen and not lost(path) and (one := look_at(path, location.ui)) is not None:
            seen[path] = one
    hashed: dict[str, Hashed] = {}

    def sha256_of(one: Seen) -> str | None:
        if one.path not in hashed and (found := _hash(house, one)) is not None:
            hashed[one.path] = found
        return hashed[one.path].sha256 if one.path in hashed else None

    sizes = frozenset() if request.check else frozenset(one.size for one in recorded.values())
    fresh = {path: one for path, one in seen.items() if path not in recorded}
    ledger = Ledger(recorded, seen, sha256_of, sizes, _blobs(house, fresh.values()))
    return Plan(ledger.compare(lost), walked, away, hashed, uis, house.book.count_waiting()[0])


def shown(house: House, plan: Plan, done: dict[str, str] | None = None) -> tuple[Difference, ...]:
    """The plan as lines, in the order of paths within each kind of difference."""
    names: dict[str, str] = {}
    now = {one.path: one for one in house.book.locations(unhashed=True)} if done else {}

    def name_of(change: Change) -> str:
        location = change.recorded or now.get(change.path)
        if location is None:
            return ""
        if location.sha256 and location.sha256 not in names:
            found = house.book.artifact(location.sha256)
            names[location.sha256] = found.name if found else ""
        return location.name or names.get(location.sha256, "")

    order = list(What)
    return tuple(
        Difference(
            str(change.what),
            change.path,
            change.seen.path if change.seen and change.seen.path != change.path else "",
            name_of(change),
            change.seen.ui if change.seen else change.recorded.ui if change.recorded else "",
            change.seen.size if change.seen else None,
            change.twin,
            (done or {}).get(change.path, ""),
        )
        for change in sorted(plan.drift, key=lambda change: (order.index(change.what), change.path))
    )


def apply(house: House, plan: Plan, request: SyncRequest) -> Synced:
    """Do what the plan says. A stop or a kill leaves some of it done and the rest for the next run."""
    done: dict[str, str] = {}
    failures: list[tuple[str, KeepError]] = []
    for change in plan.changes:
        if change.what in (What.MOVED, What.RENAMED) and change.recorded and change.seen and change.recorded.ours:
            from sdkeep.actions.following import follow

            follow(house, change.recorded, change.seen, plan.uis.get(change.seen.ui))
    _record_known(house, plan.changes, done)
    failures += _take_in(house, plan, done)
    for change in plan.changes:
        if change.what is What.VANISHED and change.recorded:
            house.stop.check()
            try:
                done[change.path] = _settle_vanished(house, plan, change.recorded, forget=request.forget)
            except KeepError as error:
                house.book.mark_missing([change.path])
                failures.append((change.path, error))
    hashed, identified = _finish(house, plan, request, failures)
    hashed += sum(1 for path in plan.hashed if path in done)
    refreshed = tuple(sorted(house.desk.settle()))
    return Synced(
        shown(house, plan, done),
        True,
        plan.away,
        house.book.count_waiting()[0],
        hashed,
        identified,
        refreshed,
        tuple(failures),
    )


def watched(house: House) -> tuple[Path, ...]:
    """The folders whose files are kept in step."""
    return tuple(root.path for root in _roots(house, Recorded(()), believed=True)[1])


def _finish(house: House, plan: Plan, request: SyncRequest, failures: list[tuple[str, KeepError]]) -> tuple[int, int]:
    """Hash what waits, and ask about it; how many files were hashed, and how many were known somewhere.

    A file on a drive that is away goes on waiting.
    """
    from sdkeep.ground.errors import StoreError

    hashed = identified = 0
    if request.hash and house.book.count_waiting()[0]:
        from sdkeep.actions.hashing import hash_waiting

        outcome = hash_waiting(house)
        hashed = len(outcome.settled)
        lost = _beneath(plan.away)
        here = [(path, why) for path, why in outcome.failed if not lost(path)]
        failures += [(path, StoreError(f"`{path}` was not hashed", why)) for path, why in here]
    if request.look_up:
        from sdkeep.actions.lookups import look_up

        identified = look_up(house).found
    return hashed, identified


def _roots(
    house: House, recorded: Recorded, *, believed: bool
) -> tuple[dict[str, Installed], list[Root], dict[str, str]]:
    """The folders to walk: those of the registered WebUIs, then the adopted ones; and those that are not there."""
    uis: dict[str, Installed] = {}
    roots: list[Root] = []
    away: dict[str, str] = {}
    for ui in house.book.uis():
        try:
            found = here(house, ui)
        except KeepError as error:
            away[ui.root] = error.why or error.what
            continue
        uis[ui.name] = found
        for kind, folders in found.folders.items():
            linked = found.layout.shelves[kind].follows_folders
            for folder in folders:
                if why := why_away(folder, Path(ui.root), recorded, believed=believed):
                    away[str(folder)] = why
                elif folder.is_dir():
                    roots.append(Root(folder, ui.name, linked))
    for text in house.book.adopted():
        folder = Path(text)
        if why := why_away(folder, None, recorded, believed=believed):
            away[text] = why
        else:
            roots.append(Root(folder))
    return uis, roots, away


class _beneath:  # noqa: N801 - used as a function
    """Whether a path lies below one of some folders."""

    def __init__(self, folders: dict[str, str]) -> None:
        self._folders = tuple(f"{folder.rstrip(os.sep)}{os.sep}" for folder in folders)

    def __call__(self, path: str) -> bool:
        return path.startswith(self._folders) if self._folders else False


def _hash(house: House, one: Seen) -> Hashed | None:
    from sdkeep.actions.hashing import Failed, hash_one

    house.stop.check()
    found = hash_one(one.path, house.stop)
    return None if isinstance(found, Failed) else found[1]


def _blobs(house: House, fresh: Collection[Seen]) -> dict[tuple[int, int], tuple[str, str]]:
    """The stored files that a new one may be another name of, by device and inode: sha256 and path."""
    wanted = {one.size for one in fresh}
    found: dict[tuple[int, int], tuple[str, str]] = {}
    for store in stores(house) if wanted else ():
        for blob in house.book.blobs_in(str(store.root)):
            if blob.size in wanted and (seen := look_at(str(store.path_of(blob.sha256)))) is not None:
                found[seen.device, seen.inode] = (blob.sha256, seen.path)
    return found


def _record_known(house: House, changes: Sequence[Change], done: dict[str, str]) -> None:
    """Record what needs no further look: moved, touched, returned, missing, and second copies of what is known."""
    with house.book.transaction():
        for change in changes:
            if change.recorded and change.seen and change.what in (What.MOVED, What.RENAMED, What.TOUCHED, What.BACK):
                house.book.move_location(change.path, recorded_as(change.recorded, change.seen))
                done[change.path] = "recorded"
            elif change.what is What.MISSING:
                house.book.mark_missing([change.path])
                done[change.path] = "noted"
            elif change.what is What.DUPLICATE and change.seen and change.sha256:
                house.book.put_location(change.seen.in_place(change.sha256))
                done[change.path] = "recorded"
    for change in changes:
        if change.what in (What.MOVED, What.RENAMED) and change.recorded and change.recorded.ours:
            store = holder(house, change.recorded.sha256)
            if store is not None:
                label(house, store, change.recorded.sha256)


def _take_in(house: House, plan: Plan, done: dict[str, str]) -> list[tuple[str, KeepError]]:
    """Catalogue what is new or was edited. What a path held before stays on record, without the path."""
    changes = [change for change in plan.changes if change.what in (What.NEW, What.EDITED) and change.seen]
    if not changes:
        return []
    from sdkeep.actions.adopt import sight

    for change in changes:
        if change.what is What.EDITED and change.recorded and change.seen:
            _warn_of_blob(house, change.recorded, change.seen)
    glances, failed = sight(house, [change.seen for change in changes if change.seen], plan.walked.names)
    done.update({change.path: "catalogued" for change in changes if change.path in glances})
    house.book.settle([hashed for path, hashed in plan.hashed.items() if path in glances])
    return list(failed)


def _warn_of_blob(house: House, recorded: Location, seen: Seen) -> None:
    """A placement that was written in place took the stored copy with it: they are one file."""
    store = holder(house, recorded.sha256) if recorded.sha256 and recorded.method is not Method.IN_PLACE else None
    blob = look_at(str(store.path_of(recorded.sha256))) if store else None
    if blob is not None and (blob.device, blob.inode) == (seen.device, seen.inode):
        house.warn(f"`{seen.path}` was written in place, and the stored copy is the same file: run `sdkeep verify`")


def _settle_vanished(house: House, plan: Plan, location: Location, *, forget: bool) -> str:
    """Put a placement of ours back where it was, or forget it."""
    if forget:
        house.book.drop_location(location.path)
        return "forgotten"
    store = holder(house, location.sha256)
    found = plan.uis.get(location.ui)
    if store is None or found is None:
        house.book.mark_missing([location.path])
        return "noted"
    from dataclasses import replace

    from sdkeep.actions.intents import PLACE, intending
    from sdkeep.store.links import locate, methods, place

    target, blob = Path(location.path), store.path_of(location.sha256)
    order = methods(store.root, target.parent, symlinks=found.layout.symlinks)
    detail = {"path": location.path, "sha256": location.sha256, "root": str(store.root), "ui": location.ui}
    with intending(house, PLACE, **detail):
        method = place(blob, target, order)
        placed = locate(target, location.sha256, method, location.ui)
        house.book.put_location(replace(placed, blob_root=str(store.root)))
    label(house, store, location.sha256)
    known = house.book.artifact(location.sha256)
    if known is not None:
        house.desk.changed(found, known.kind)
    return "placed again"
