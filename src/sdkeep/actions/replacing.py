"""A newer file where an older one is placed: one rename a placement, so that no WebUI ever misses the file.

All of it can be done again: what a crash left half done is finished by the next `update` or by `doctor`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions.busy import alone
from sdkeep.actions.companions import write_beside
from sdkeep.actions.house import House
from sdkeep.actions.intents import PLACE, REPLACE, intending
from sdkeep.actions.labels import LINKS, label
from sdkeep.actions.local import artifacts
from sdkeep.actions.placing import Placing, check_placeable, here, registered
from sdkeep.actions.removing import discard, out_of_register, remove_sidecar, take_out
from sdkeep.actions.repacking import clean_pickle_of
from sdkeep.actions.running import Register
from sdkeep.actions.stores import holder, stores, trash_of
from sdkeep.ground.errors import KeepError, NotFoundHere, WouldOverwrite
from sdkeep.ground.record import Artifact, Location, Method
from sdkeep.layouts.folders import Installed
from sdkeep.store.blobs import Store
from sdkeep.store.copying import sha256_of
from sdkeep.store.links import locate, methods, place
from sdkeep.store.names import split_name
from sdkeep.store.swap import Swap, draft_beside, put_instead

_PICKLES = (".pt", ".pth")


@dataclass(frozen=True, slots=True)
class Replaced:
    """The paths that show the new file, those that stay as they were, and the trash entries that hold the old one."""

    placed: tuple[str, ...]
    kept: tuple[str, ...]
    trash: tuple[str, ...]


def replace_everywhere(house: House, old: Artifact, new: Artifact) -> Replaced:
    """Let every placement of ours of `old` show `new`, under the names that it has; then `old` goes to the trash.

    A placement that was changed, and whatever is a person's own, stays, and with it the stored old file.
    """
    check_placeable(house, new)
    if holder(house, new.sha256 or "") is None:
        raise NotFoundHere(f"the bytes of `{new.name}` are not in the store", "", f"`sdkeep get {new.origin}`")
    placed: list[str] = []
    with alone(house):
        for location in house.book.locations_of(old.sha256 or ""):
            if not location.ours:
                continue
            house.stop.check()
            try:
                placed.append(_replaced(house, new, location))
            except KeepError as error:
                house.warn(f"`{location.path}` stays as it was: {error.why or error.what}")
        _dress(house, old, new)
        kept = house.book.locations_of(old.sha256 or "")
        trash: tuple[str, ...] = ()
        if not any(one.ours or one.method in LINKS for one in kept):
            trash = tuple(discard(house, store, old) for store in stores(house) if store.has(old.sha256 or ""))
    return Replaced(tuple(placed), tuple(one.path for one in kept), trash)


def finish(house: House, detail: dict[str, str]) -> tuple[bool, str]:
    """Go on with an update that was interrupted: replace, if the newer file had arrived. Never raises `KeepError`."""
    old = house.book.artifact(detail["old"])
    came = [one for one in artifacts(house, detail["ref"]) if one.stored and one.sha256 != detail["old"]]
    new = next((one for one in came if old and one.kind is old.kind), next(iter(came), None))
    if old is None or new is None:
        return False, "the newer file had not arrived; `sdkeep update` fetches it"
    try:
        replace_everywhere(house, old, new)
    except KeepError as error:
        return False, f"`{old.name}` stays: {error.what}"
    return True, f"`{new.name}` replaced `{old.name}`"


def _replaced(house: House, new: Artifact, location: Location) -> str:
    """One placement; the path that shows the new file. The ending is that of the new file."""
    found = here(house, registered(house, location.ui))
    shelf = found.layout.shelves.get(new.kind)
    path = Path(location.path)
    ending = split_name(new.file_name)[1] or path.suffix
    if path.suffix in _PICKLES and shelf and not shelf.lists(ending):
        new, ending = clean_pickle_of(house, new, path.suffix), path.suffix
    store = holder(house, new.sha256 or "")
    if store is None:
        raise NotFoundHere(f"the bytes of `{new.name}` are not in the store")
    target = path.with_suffix(ending)
    if target != path or not os.path.lexists(path):
        _placed(house, found, new, store, target)
        if target != path:
            take_out(house, new, location)
    elif why := out_of_register(house, location):
        raise WouldOverwrite(f"cannot replace `{path}`", why)
    else:
        _exchanged(house, found, new, store, location)
    label(house, store, new.sha256 or "")
    if found.layout.server.api == "invokeai":
        Register(house, found).enter(target, target.stem)
    else:
        house.desk.changed(found, new.kind)
    return str(target)


def _placed(house: House, found: Installed, new: Artifact, store: Store, target: Path) -> None:
    known, sha256 = house.book.location_at(str(target)), new.sha256 or ""
    if known and known.sha256 == sha256 and os.path.lexists(target):
        return  # done before the crash
    order = methods(store.root, target.parent, symlinks=found.layout.symlinks)
    with intending(house, PLACE, path=str(target), sha256=sha256, root=str(store.root), ui=found.ui.name):
        method = place(store.path_of(sha256), target, order)
        _record(house, found, store, target, (sha256, method))


def _exchanged(house: House, found: Installed, new: Artifact, store: Store, location: Location) -> None:
    path, sha256 = Path(location.path), new.sha256 or ""
    old_store = holder(house, location.sha256) or stores(house)[0]
    order = methods(store.root, path.parent, symlinks=found.layout.symlinks)
    swap = Swap(path, store.path_of(sha256), draft_beside(path), order)
    detail = {"path": str(path), "sha256": sha256, "root": str(store.root), "draft": str(swap.draft)}
    more = {"old": location.sha256, "old_root": str(old_store.root), "ui": location.ui}
    with intending(house, REPLACE, **detail, **more):
        method = put_instead(
            swap,
            location,
            old_store.path_of(location.sha256),
            trash_of(house, old_store),
            lambda path: sha256_of(path) == location.sha256,
        )
        _record(house, found, store, path, (sha256, method))


def _record(house: House, found: Installed, store: Store, path: Path, shown: tuple[str, Method]) -> None:
    location = locate(path, shown[0], shown[1], found.ui.name)
    house.book.put_location(replace(location, blob_root=str(store.root)))


def _dress(house: House, old: Artifact, new: Artifact) -> None:
    """Beside each placement of the new file lies what is said of it, and nothing that we said of the old one."""
    standing = {(Path(one.path).parent, one.ui) for one in house.book.locations_of(old.sha256 or "") if one.ours}
    places = [one for one in house.book.locations_of(new.sha256 or "") if one.ours and one.ui]
    replaced = {(Path(one.path).parent, one.ui) for one in places} - standing
    for sidecar in house.book.sidecars_of(old.sha256 or ""):
        if (Path(sidecar.path).parent, sidecar.ui) in replaced:
            remove_sidecar(house, sidecar)
    for one in places:
        try:
            write_beside(house, here(house, registered(house, one.ui)), new, one, Placing())
        except KeepError as error:
            house.warn(f"nothing was written beside `{one.path}`: {error.what}")
