"""Fetch the newer releases of what is here: beside the old files, or instead of them under the names that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions import local
from sdkeep.actions.companions import write_beside
from sdkeep.actions.get import FileAnswer, GetRequest, get
from sdkeep.actions.house import House
from sdkeep.actions.intents import PLACE, intending
from sdkeep.actions.labels import label
from sdkeep.actions.outdated import Newer, outdated
from sdkeep.actions.placing import Placing, check_placeable, here, registered
from sdkeep.actions.removing import rm
from sdkeep.actions.stores import holder
from sdkeep.ground.errors import KeepError, NotFoundHere
from sdkeep.ground.kinds import Access
from sdkeep.ground.record import Artifact, Location, Method
from sdkeep.hubs.choose import Wish
from sdkeep.store.links import locate, methods, place
from sdkeep.store.names import split_name


@dataclass(frozen=True, slots=True)
class Update:
    """One file and what became of it. `placed` are the paths of the new one, `kept` those of the old that stay.

    `trash` are the entries that bring the old one back.
    """

    name: str
    here: str
    newer: str
    ref: str
    size: int | None
    new_name: str = ""
    placed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    trash: tuple[str, ...] = ()
    done: bool = False


def planned(house: House, refs: Sequence[str], *, early: bool) -> tuple[tuple[Newer, ...], list[tuple[str, KeepError]]]:
    """What can be fetched: of all that is outdated, what no one holds and nothing stands before."""
    found = outdated(house, refs, early=early)
    open_now = (Access.FREE, Access.LOGIN, Access.UNKNOWN, *((Access.EARLY, Access.PAID) if early else ()))
    return tuple(one for one in found.newer if Access.of(one.access) in open_now), list(found.failures)


def as_plan(one: Newer) -> Update:
    """A line of the plan."""
    return Update(one.name, one.here, one.newer, one.ref, one.size)


def update(house: House, newer: Newer, *, instead: bool) -> Update:
    """Fetch one newer release and place it where the old one is; `instead` sends the old one to the trash."""
    old = local.artifact(house, f"name:{newer.name}")
    old, places = _placed_form(house, old)
    uis = tuple(dict.fromkeys(one.ui for one in places if one.ui and one.method is not Method.IN_PLACE))
    request = GetRequest(wish=_wish(house, old), uis=() if instead else uis)
    got = get(house, newer.ref, request)
    answer = _same_kind(got.files, old)
    if not instead:
        placed = tuple(one.path for one in answer.placed)
        return replace(as_plan(newer), new_name=answer.name, placed=placed, done=True)
    new = local.artifact(house, f"sha256:{answer.sha256}")
    check_placeable(house, new)  # before the old one goes
    ours = [one for one in places if one.ours]
    removed = rm(house, f"name:{old.name}") if ours or old.stored else None
    kept = tuple(one.path for one in places if not one.ours)
    if kept:
        house.warn(f"`{kept[0]}` is not sdkeep's own file and stays; the new one is in the store as `{new.name}`")
        for one in places:
            if not one.ours:
                house.book.put_location(one)
    left = {one.path for one in removed.unplaced if one.outcome == "left"} if removed else set()
    placed = tuple(_place_as(house, new, one) for one in ours if one.path not in left)
    return replace(
        as_plan(newer),
        new_name=new.name,
        placed=placed,
        kept=(*kept, *sorted(left)),
        trash=removed.trash if removed else (),
        done=True,
    )


def _placed_form(house: House, artifact: Artifact) -> tuple[Artifact, tuple[Location, ...]]:
    """What stands in the WebUIs for a published file: itself, or what it was converted into."""
    places = house.book.locations_of(artifact.sha256 or "")
    if places or artifact.stored:
        return artifact, places
    for child, edge in house.book.children_of(artifact.sha256 or ""):
        if edge.relation == "converted-from" and (child.stored or house.book.locations_of(child.sha256 or "")):
            return child, house.book.locations_of(child.sha256 or "")
    return artifact, places


def _wish(house: House, old: Artifact) -> Wish:
    """The same precision and extent as the old file, where the new release has them."""
    release = house.book.release_of(old.sha256 or "")
    file = next((f for f in release.files if f.sha256 and f.sha256.value == old.sha256), None) if release else None
    return Wish(precision=file.precision, extent=file.extent) if file else Wish()


def _same_kind(files: Sequence[FileAnswer], old: Artifact) -> FileAnswer:
    found = next((one for one in files if one.kind is old.kind), next(iter(files), None))
    if found is None:
        raise NotFoundHere(
            f"the newer release of `{old.name}` has no file to take", "", f"`sdkeep show name:{old.name}`"
        )
    return found


def _place_as(house: House, new: Artifact, old: Location) -> str:
    """Place under the file name that the old one had in that WebUI, so that prompts and workflows still find it."""
    store = holder(house, new.sha256 or "")
    if store is None or not new.sha256:
        raise NotFoundHere(f"the bytes of `{new.name}` are not in the store", "", f"`sdkeep get {new.origin}`")
    found = here(house, registered(house, old.ui))
    target = Path(old.path).with_suffix(split_name(new.file_name)[1] or Path(old.path).suffix)
    order = methods(store.root, target.parent, symlinks=found.layout.symlinks)
    with intending(house, PLACE, path=str(target), sha256=new.sha256, root=str(store.root), ui=old.ui):
        method = place(store.path_of(new.sha256), target, order)
        location = replace(locate(target, new.sha256, method, old.ui), blob_root=str(store.root))
        house.book.put_location(location)
    label(house, store, new.sha256)
    write_beside(house, found, new, location, Placing())
    house.desk.changed(found, new.kind)
    return location.path
