"""Take files away and bring them back: nothing goes that we cannot prove we made, and all of it goes to the trash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.actions.intents import DISCARD, STORE, UNPLACE, intending
from sdkeep.actions.labels import label
from sdkeep.actions.local import artifact as find
from sdkeep.actions.placing import here
from sdkeep.actions.running import Register
from sdkeep.actions.stores import holder, stores, trash_of
from sdkeep.ground.errors import HubError, NotFoundHere, NotPlaceable
from sdkeep.ground.record import Artifact, Location, Method, Sidecar, Trashed
from sdkeep.layouts.layout import find as find_layout
from sdkeep.store.blobs import Store
from sdkeep.store.copying import sha256_of
from sdkeep.store.links import Outcome
from sdkeep.store.links import unplace as unplace_file
from sdkeep.store.sweep import Marks, SweepPlan, apply, plan
from sdkeep.store.trash import Trash


@dataclass(frozen=True, slots=True)
class Unplaced:
    """What became of one placed file: `removed`, `gone` already, `left` and why, or left and `forgotten`."""

    name: str
    path: str
    outcome: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """A file taken out of the library; its bytes wait in the trash under `trash` ids."""

    name: str
    sha256: str
    unplaced: tuple[Unplaced, ...]
    trash: tuple[str, ...]
    kept: str = ""


def unplace(
    house: House, text: str, uis: tuple[str, ...], *, dry_run: bool = False, forget: bool = False
) -> tuple[Unplaced, ...]:
    """Take a file out of WebUIs (all, unless some are named); the store keeps it.

    With `forget` a file that is not ours any more is left where it is and its place is no longer counted as ours.
    """
    found = find(house, text)
    chosen = [one for one in house.book.locations_of(found.sha256 or "") if one.ui and (not uis or one.ui in uis)]
    if not chosen:
        where = " in " + ", ".join(uis) if uis else ""
        raise NotFoundHere(f"`{found.name}` is not placed{where}", "", f"`sdkeep show name:{found.name}`")
    if dry_run:
        return tuple(Unplaced(found.name, one.path, "would be removed") for one in chosen)
    return tuple(_unplace(house, found, one, forget=forget) for one in chosen)


def _unplace(house: House, artifact: Artifact, location: Location, *, forget: bool) -> Unplaced:
    done = take_out(house, artifact, location)
    if done.outcome != Outcome.LEFT or not forget:
        return done
    house.book.drop_location(location.path)
    _remove_sidecars(house, location)
    return Unplaced(done.name, done.path, "forgotten", f"the file stays: {done.why}")


def take_out(house: House, artifact: Artifact, location: Location) -> Unplaced:
    """Take one placement away if it is provably ours, with what we wrote beside it."""
    registered = out_of_register(house, location)
    if registered:
        return Unplaced(artifact.name, location.path, str(Outcome.LEFT), registered)
    store = holder(house, location.sha256) or stores(house)[0]
    blob = store.path_of(location.sha256)
    with intending(house, UNPLACE, path=location.path):
        removal = unplace_file(location, blob, trash_of(house, store), lambda path: _has_bytes(path, location.sha256))
        if removal.removed:
            house.book.drop_location(location.path)
    if removal.removed:
        _remove_sidecars(house, location)
        if store.has(location.sha256):
            label(house, store, location.sha256)
    return Unplaced(artifact.name, location.path, str(removal.outcome), removal.why)


def out_of_register(house: House, location: Location) -> str:
    """Why a file has to stay because its WebUI still lists it; empty when it does not."""
    ui = house.book.ui(location.ui) if location.ui else None
    if ui is None or not Path(ui.root).is_dir() or find_layout(ui.layout, house.layouts).server.api != "invokeai":
        return ""
    try:
        Register(house, here(house, ui)).leave(Path(location.path))
    except (HubError, NotPlaceable) as error:
        return f"{error.what}, so it cannot let go of it ({error.why}); {error.next}"
    return ""


def _remove_sidecars(house: House, location: Location) -> None:
    for sidecar in house.book.sidecars_of(location.sha256):
        if Path(sidecar.path).parent == Path(location.path).parent and sidecar.ui == location.ui:
            remove_sidecar(house, sidecar)


def _has_bytes(path: Path, sha256: str) -> bool:
    return sha256_of(path) == sha256


def remove_sidecar(house: House, sidecar: Sidecar) -> None:
    """Remove a sidecar that is still word for word what we wrote; an edited one stays and becomes the person's."""
    path = Path(sidecar.path)
    if path.is_file() and not path.is_symlink() and _has_bytes(path, sidecar.content):
        path.unlink()
    house.book.drop_sidecar(sidecar.path)


def rm(house: House, text: str, *, dry_run: bool = False, forget: bool = False) -> Removed:
    """Unplace a file everywhere and put its bytes into the trash; its record stays. `forget` as in `unplace`."""
    found = find(house, text)
    sha256 = found.sha256 or ""
    locations = house.book.locations_of(sha256)
    holders = [store for store in stores(house) if store.has(sha256)]
    if dry_run:
        planned = tuple(
            Unplaced(found.name, one.path, "would be removed" if one.ours else "stays") for one in locations
        )
        return Removed(found.name, sha256, planned, tuple(str(store.path_of(sha256)) for store in holders))
    placed = [one for one in locations if one.method is not Method.IN_PLACE]
    unplaced = tuple(_unplace(house, found, one, forget=forget) for one in placed)
    left = [one for one in unplaced if one.outcome == "left"]
    for one in locations:
        if one.method is Method.IN_PLACE:
            house.book.drop_location(one.path)
    if left:
        return Removed(found.name, sha256, unplaced, (), _why_kept(found.name, left[0]))
    return Removed(found.name, sha256, unplaced, tuple(discard(house, store, found) for store in holders))


def _why_kept(name: str, left: Unplaced) -> str:
    return (
        f"its bytes stay in the store: {left.path} was left ({left.why}); "
        f"`sdkeep rm name:{name} --forget` leaves that file to you and goes on"
    )


def discard(house: House, store: Store, found: Artifact) -> str:
    """Put the bytes of an artifact from a store into its trash; the entry's id."""
    sha256 = found.sha256 or ""
    with intending(house, DISCARD, sha256=sha256, root=str(store.root)):
        thrown = trash_of(house, store).throw(store.path_of(sha256), f"`{found.name}` was removed", sha256)
        house.book.drop_blob(sha256, str(store.root))
    return thrown.id


def trashed(house: House) -> tuple[Trashed, ...]:
    """Everything in the trash of every store, oldest first."""
    return tuple(
        sorted((one for store in stores(house) for one in trash_of(house, store).list()), key=lambda one: one.id)
    )


def restore(house: House, text: str) -> Trashed:
    """Bring one entry back, by its id, by the name, or by the hash of what it was."""
    store, trash, entry = _entry(house, text)
    blob = store.path_of(entry.sha256) if entry.sha256 else None
    was_blob = entry.sha256 and (
        not entry.original or not Path(entry.original).parent.is_dir() or _in_store(store, entry)
    )
    if was_blob and blob is not None and house.book.artifact(entry.sha256):
        with intending(house, STORE, sha256=entry.sha256, root=str(store.root)):
            trash.restore(entry, to=blob)
            house.book.put_blob(entry.sha256, str(store.root), entry.size)
    else:
        trash.restore(entry)
    return entry


def _in_store(store: Store, entry: Trashed) -> bool:
    return Path(entry.original).is_relative_to(store.root)


def _entry(house: House, text: str) -> tuple[Store, Trash, Trashed]:
    known = [found.sha256 for found in _artifacts(house, text)]
    for store in stores(house):
        trash = trash_of(house, store)
        for entry in reversed(trash.list()):
            if entry.id == text or (entry.sha256 and entry.sha256 in known):
                return store, trash, entry
    raise NotFoundHere(f"`{text}` is not in the trash", "", "`sdkeep restore` lists what is")


def _artifacts(house: House, text: str) -> tuple[Artifact, ...]:
    from sdkeep.actions.local import artifacts

    return artifacts(house, text)


@dataclass(frozen=True, slots=True)
class Swept:
    """What `gc` did or would do; sizes in bytes. `kept` are unreferenced blobs that stay, with the reason."""

    root: str
    unused: tuple[str, ...]
    partials: tuple[str, ...]
    kept: tuple[str, ...]
    size: int
    emptied: int = 0
    emptied_size: int = 0


def gc(house: House, *, keep_days: int, dry_run: bool) -> tuple[Swept, ...]:
    """Put blobs that no row names and transfers that never ended into the trash; let old trash go."""
    return tuple(_sweep(house, store, keep_days, dry_run) for store in stores(house))


def _sweep(house: House, store: Store, keep_days: int, dry_run: bool) -> Swept:
    root = str(store.root)
    referenced = frozenset(blob.sha256 for blob in house.book.blobs_in(root))
    links: dict[str, int] = {}
    for location in house.book.locations():
        if location.method is Method.HARDLINK:
            links[location.sha256] = links.get(location.sha256, 0) + 1
    swept: SweepPlan = plan(store, Marks(referenced, links), house.moment())
    trash, before = trash_of(house, store), house.moment() - timedelta(days=keep_days)
    old = [one for one in trash.list() if one.at < before.strftime("%Y-%m-%dT%H:%M:%SZ")]
    if not dry_run:
        apply(swept, trash)
        trash.empty(before)
    return Swept(
        root,
        tuple(blob.sha256 for blob in swept.unused),
        tuple(str(partial.path) for partial in swept.partials),
        tuple(f"{kept.blob.sha256[:12]}: {kept.why}" for kept in swept.kept),
        swept.size,
        len(old),
        sum(one.size for one in old),
    )
