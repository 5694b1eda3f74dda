"""Where the room goes: by WebUI, by kind, by store; what only a store still holds; what links save."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sdkeep.actions.areas import areas, files
from sdkeep.actions.house import House
from sdkeep.actions.labels import LINKS
from sdkeep.actions.stores import stores, trash_of
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.record import Location
from sdkeep.store.blobs import Store
from sdkeep.store.links import points_at


@dataclass(frozen=True, slots=True)
class StoreUse:
    """One store. Sizes in bytes; `staging` are downloads under way or never finished."""

    root: str
    files: int
    size: int
    trash: int
    trash_size: int
    staging: int
    staging_size: int


@dataclass(frozen=True, slots=True)
class UiUse:
    """One WebUI: `linked` files share their bytes with a store, `own` files do not."""

    ui: str
    root: str
    linked: int
    linked_size: int
    own: int
    own_size: int


@dataclass(frozen=True, slots=True)
class KindUse:
    """All catalogued files of one kind that are here, each counted once."""

    kind: str
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class OnlyStored:
    """A file that no WebUI shows: only the store still holds it."""

    name: str
    sha256: str
    kind: str
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Where the room goes. `saved` is what the same files would take more, were each place to hold its own copy."""

    stores: tuple[StoreUse, ...]
    uis: tuple[UiUse, ...]
    kinds: tuple[KindUse, ...]
    only_stored: tuple[OnlyStored, ...]
    saved: int


def du(house: House) -> Usage:
    """Look at the catalogue and the disk; no file is read."""
    placed: dict[str, list[Location]] = {}
    for location in house.book.locations():
        placed.setdefault(location.sha256, []).append(location)
    holding = stores(house)
    linked = {sha256: _shown(holding, sha256, known) for sha256, known in placed.items() if sha256}
    saved = sum((len(shown) - 1) * shown[0].size for shown in linked.values() if len(shown) > 1)
    inodes = _inodes(holding)
    uis = tuple(_ui(house, ui.name, ui.root, inodes) for ui in house.book.uis() if Path(ui.root).is_dir())
    return Usage(tuple(_store(house, one) for one in holding), uis, _kinds(house), _only_stored(house, placed), saved)


def _shown(holding: Iterable[Store], sha256: str, known: list[Location]) -> list[Location]:
    """The placements that really share the bytes of a store."""
    blobs = [store.path_of(sha256) for store in holding if store.has(sha256)]
    return [one for one in known if one.method in LINKS and any(points_at(Path(one.path), blob) for blob in blobs)]


def _inodes(holding: Iterable[Store]) -> dict[tuple[int, int], int]:
    return {
        (store.root.stat().st_dev, blob.inode): blob.size
        for store in holding
        for blob in store.each()
        if blob.links > 1
    }


def _store(house: House, store: Store) -> StoreUse:
    sizes = [blob.size for blob in store.each()]
    trash = trash_of(house, store).list()
    staging = [path.stat().st_size for path in store.staging.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return StoreUse(
        str(store.root), len(sizes), sum(sizes), len(trash), sum(one.size for one in trash), len(staging), sum(staging)
    )


def _ui(house: House, name: str, root: str, inodes: dict[tuple[int, int], int]) -> UiUse:
    links, own = Counter[str](), Counter[str]()
    known = {one.path: one for one in house.book.locations_in(name) if one.method in LINKS}
    seen: set[tuple[int, int]] = set()
    for area in areas(house, [name]):
        for lying in files(house, area):
            if (lying.device, lying.inode) in seen:
                continue
            seen.add((lying.device, lying.inode))
            shared = (lying.device, lying.inode) in inodes or str(lying.path) in known
            (links if shared else own).update(files=1, size=lying.size)
    for one in known.values():
        if Path(one.path).is_symlink() and Path(one.path).exists():
            links.update(files=1, size=one.size)
    return UiUse(name, root, links["files"], links["size"], own["files"], own["size"])


def _kinds(house: House) -> tuple[KindUse, ...]:
    counts, sizes = Counter[str](), Counter[str]()
    for artifact in house.book.list(Filter(present=True), limit=None).items:
        counts[str(artifact.kind)] += 1
        sizes[str(artifact.kind)] += artifact.size or 0
    return tuple(KindUse(kind, counts[kind], size) for kind, size in sizes.most_common())


def _only_stored(house: House, placed: dict[str, list[Location]]) -> tuple[OnlyStored, ...]:
    found: list[OnlyStored] = []
    for store in stores(house):
        for blob in house.book.blobs_in(str(store.root)):
            artifact = house.book.artifact(blob.sha256)
            if artifact is None or any(Path(one.path).exists() for one in placed.get(blob.sha256, [])):
                continue
            found.append(OnlyStored(artifact.name, blob.sha256, str(artifact.kind), blob.size, blob.root))
    return tuple(sorted(found, key=lambda one: (-one.size, one.name)))
