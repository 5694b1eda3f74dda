"""Read stored and placed files back and compare them with what the catalogue promises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.actions.local import artifact as find
from sdkeep.actions.stores import trash_of
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.events import stage
from sdkeep.ground.record import Artifact, Location, Method
from sdkeep.store.blobs import Condition, Store, is_here
from sdkeep.store.copying import sha256_of
from sdkeep.store.links import points_at


@dataclass(frozen=True, slots=True)
class Checked:
    """One place that should show an artifact's bytes: `sound`, `missing`, `damaged`, `changed` (a foreign file now)."""

    name: str
    path: str
    condition: str
    why: str = ""


def everything(house: House) -> tuple[str, ...]:
    """A reference to every artifact that should be here."""
    return tuple(f"name:{one.name}" for one in house.book.list(Filter(present=True), limit=None).items)


def verify(house: House, text: str) -> tuple[Checked, ...]:
    """Check every copy of one artifact; damaged blobs are set aside in the trash, nothing else is touched."""
    found = find(house, text)
    sha256 = found.sha256 or ""
    sound: Path | None = None
    checks: list[Checked] = []
    for blob in house.book.blobs_of(sha256):
        root = Path(blob.root)
        checked = _blob(house, found, Store(root)) if is_here(root) else _away(found, root)
        checks.append(checked)
        if checked.condition == Condition.SOUND:
            sound = Path(checked.path)
    places = house.book.locations_of(sha256)
    seen = [_location(house, found, location, sound) for location in places]
    house.book.mark_verified(one.path for one in seen if one.condition != "missing")
    return (*checks, *seen)


def _away(found: Artifact, root: Path) -> Checked:
    return Checked(found.name, str(root), Condition.MISSING, "the store's folder is not there, empty or not mounted")


def _blob(house: House, found: Artifact, store: Store) -> Checked:
    sha256 = found.sha256 or ""
    path = store.path_of(sha256)
    with stage(house.report, sha256, f"verifying {found.name}", found.size) as moved:
        condition = store.check(sha256, moved=moved, stop=house.stop)
    if condition is Condition.SOUND:
        house.book.verified_blob(sha256, str(store.root), path.stat().st_size)
        return Checked(found.name, str(path), condition)
    house.book.drop_blob(sha256, str(store.root))
    if condition is Condition.DAMAGED:
        thrown = trash_of(house, store).throw(path, "damaged: its bytes are not what its name promises")
        return Checked(found.name, str(path), condition, f"set aside in the trash as {thrown.id}")
    return Checked(found.name, str(path), condition)


def _location(house: House, found: Artifact, location: Location, sound: Path | None) -> Checked:
    path = Path(location.path)
    if not path.exists():
        return Checked(found.name, location.path, "missing")
    if sound is not None and points_at(path, sound):
        return Checked(found.name, location.path, "sound")
    with stage(house.report, location.path, f"verifying {path.name}", location.size) as moved:
        same = sha256_of(path, moved=moved, stop=house.stop) == location.sha256
    if same:
        return Checked(found.name, location.path, "sound")
    why = (
        "its bytes changed since it was catalogued"
        if location.method is Method.IN_PLACE
        else "something else lies there"
    )
    return Checked(found.name, location.path, "changed", why)
