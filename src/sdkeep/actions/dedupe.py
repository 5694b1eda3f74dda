"""The same bytes in several places become one blob with links: planned, compared byte by byte, undoable.

Only files in the WebUIs and folders that the person named are looked at. A file that sdkeep did not make stays the
person's: its record says so, `rm` and `unplace` leave it, and `eject` makes it a file of its own again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from sdkeep.actions.areas import Lying, areas
from sdkeep.actions.busy import alone
from sdkeep.actions.duplicates import Same, duplicates, obstacle
from sdkeep.actions.house import House
from sdkeep.actions.intents import DEDUPE, STORE, intending
from sdkeep.actions.labels import label
from sdkeep.actions.noting import note
from sdkeep.ground.errors import KeepError
from sdkeep.ground.events import stage
from sdkeep.ground.record import Method
from sdkeep.store.blobs import Store
from sdkeep.store.links import locate
from sdkeep.store.platform import has_hard_links
from sdkeep.store.swap import Swap, draft_beside, replace_by_link, stamp_of


@dataclass(frozen=True, slots=True)
class Linked:
    """One file: `would be linked`, `linked`, or `left`, and why. `saved` is in bytes."""

    name: str
    sha256: str
    path: str
    ui: str
    size: int
    outcome: str
    method: str = ""
    why: str = ""
    saved: int = 0


@dataclass(frozen=True, slots=True)
class Deduped:
    """What was found and done: how many files were `looked` at, and every one that holds bytes held elsewhere too."""

    looked: int
    files: tuple[Linked, ...]
    saved: int


def dedupe(house: House, texts: Sequence[str], *, dry_run: bool) -> Deduped:
    """Find files with the same bytes in the WebUIs and folders named, and make links of them."""
    looked, groups = duplicates(house, areas(house, texts))
    if dry_run:
        return _report(looked, [one for group in groups for one in _planned(house, group)])
    done: list[Linked] = []
    with alone(house):
        for group in groups:
            done.extend(_join(house, group))
    return _report(looked, done)


def _report(looked: int, found: list[Linked]) -> Deduped:
    return Deduped(looked, tuple(found), sum(one.saved for one in found))


def _planned(house: House, group: Same) -> list[Linked]:
    donor = None if group.blob(house) else group.donor()
    planned: list[Linked] = []
    for lying in group.unlinked(house):
        why = obstacle(house, lying, group.sha256)
        told = _told(house, lying, group)
        saved = 0 if lying is donor else _freed(lying)
        planned.append(replace(told, why=why) if why else replace(told, outcome="would be linked", saved=saved))
    return planned


def _freed(lying: Lying) -> int:
    """The bytes that go when this name goes: none while the file has others."""
    return lying.size if lying.links == 1 else 0


def _told(house: House, lying: Lying, group: Same, why: str = "") -> Linked:
    artifact = house.book.artifact(group.sha256)
    name = artifact.name if artifact else lying.path.stem
    return Linked(name, group.sha256, str(lying.path), lying.area.ui, group.size, "left", why=why)


def _join(house: House, group: Same) -> list[Linked]:
    """Make one blob of a group and links of its files; what cannot be linked is left, and the rest goes on."""
    try:
        if house.book.artifact(group.sha256) is None or house.book.verdict_of(group.sha256) is None:
            note(house, group.lying[0].path)
    except KeepError as error:
        return [_told(house, one, group, error.why or error.what) for one in group.lying]
    obstacles = [(one, obstacle(house, one, group.sha256)) for one in group.unlinked(house)]
    done = [_told(house, one, group, why) for one, why in obstacles if why]
    waiting = Same(group.sha256, group.size, [one for one, why in obstacles if not why])
    if not waiting.lying or (len(waiting.lying) < 2 and group.blob(house) is None):
        return done
    try:
        store = group.store(house)
        donor = _stored(house, store, waiting)
    except KeepError as error:
        return [*done, *(_told(house, one, group, error.why or error.what) for one in waiting.lying)]
    for lying in waiting.lying:
        house.stop.check()
        done.append(_joined(house, store, lying, group, donor))
    label(house, store, group.sha256)
    return done


def _joined(house: House, store: Store, lying: Lying, group: Same, donor: Lying | None) -> Linked:
    told = _told(house, lying, group)
    if lying is donor:
        return replace(told, outcome="linked", method=str(Method.HARDLINK))
    try:
        method = _replace(house, store, lying, group.sha256)
    except KeepError as error:
        return replace(told, why=error.why or error.what)
    return replace(told, outcome="linked", method=str(method), saved=_freed(lying))


def _stored(house: House, store: Store, group: Same) -> Lying | None:
    """See that the store has the bytes; the file that became the blob, None where it had them or took a copy."""
    if store.has(group.sha256):
        return None
    donor = group.donor() if has_hard_links(store.root) else None
    first = donor or group.lying[0]
    with (
        intending(house, STORE, sha256=group.sha256, root=str(store.root)),
        stage(house.report, group.sha256, f"storing {first.path.name}", group.size) as moved,
    ):
        if donor is None:
            store.adopt(first.path, group.sha256, moved=moved, stop=house.stop)
        else:
            with _linking(house, store, donor, group.sha256):
                store.share(donor.path, group.sha256, moved=moved, stop=house.stop)
                house.book.put_blob(group.sha256, str(store.root), group.size)
                _recorded(house, store, donor, group.sha256, Method.HARDLINK)
        house.book.put_blob(group.sha256, str(store.root), group.size)
    return donor


def _replace(house: House, store: Store, lying: Lying, sha256: str) -> Method:
    order = [Method.HARDLINK, Method.REFLINK] if has_hard_links(lying.path.parent) else [Method.REFLINK]
    swap = Swap(lying.path, store.path_of(sha256), draft_beside(lying.path), order)
    with (
        _linking(house, store, lying, sha256, str(swap.draft)),
        stage(house.report, str(lying.path), f"comparing {lying.path.name}", lying.size) as moved,
    ):
        method = replace_by_link(swap, moved=moved, stop=house.stop)
        _recorded(house, store, lying, sha256, method)
    return method


def _linking(house: House, store: Store, lying: Lying, sha256: str, draft: str = "") -> AbstractContextManager[None]:
    """The intent, with what the file had besides its bytes, so that undoing can give it back."""
    stamp = stamp_of(lying.path)
    more = {"draft": draft, "mode": str(stamp.mode), "mtime_ns": str(stamp.mtime_ns), "ui": lying.area.ui}
    return intending(house, DEDUPE, path=str(lying.path), sha256=sha256, root=str(store.root), **more)


def _recorded(house: House, store: Store, lying: Lying, sha256: str, method: Method) -> None:
    known = house.book.location_at(str(lying.path))
    ours = known is not None and known.ours and known.sha256 == sha256
    ui = lying.area.ui or (known.ui if known else "")
    house.book.put_location(replace(locate(lying.path, sha256, method, ui), ours=ours, blob_root=str(store.root)))
