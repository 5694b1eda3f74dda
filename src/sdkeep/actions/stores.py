"""Which blob root serves, and where an artifact's bytes lie."""

from __future__ import annotations

from pathlib import Path

from sdkeep.actions.away import EMPTY
from sdkeep.actions.house import House
from sdkeep.ground.errors import NotFoundHere, StoreError
from sdkeep.ground.record import Artifact
from sdkeep.store.blobs import Store, is_here
from sdkeep.store.roots import root_for
from sdkeep.store.trash import Trash


def known_roots(house: House) -> tuple[Path, ...]:
    """Every blob root that is here: the configured one, those of the catalogue, the home's own."""
    named = [house.settings.blob_root] if house.settings.blob_root else []
    roots = [*named, *(Path(root) for root in house.book.blob_roots()), house.settings.home / "store"]
    return tuple(dict.fromkeys(root for root in roots if is_here(root)))


def store_near(house: House, target: Path | None) -> Store:
    """The store to put new bytes in, on the volume of `target` where there is one; says so when it must copy later."""
    if house.settings.blob_root:
        return _prepared(house, house.settings.blob_root)
    home = house.settings.home
    home.mkdir(parents=True, exist_ok=True)
    anchors = [Path(ui.root) for ui in house.book.uis() if Path(ui.root).is_dir()]
    wanted = target or (anchors[0] if anchors else home)
    choice = root_for(wanted if wanted.exists() else home, known_roots(house), anchors, home)
    if not choice.links:
        house.warn(f"files will be copied or linked across volumes: {choice.why}")
    return _prepared(house, choice.path)


def _prepared(house: House, root: Path) -> Store:
    """The store at `root`, made where there is none yet; raises `StoreError` where there should be one and is not."""
    if not is_here(root) and str(root.absolute()) in house.book.blob_roots():
        raise StoreError(f"the store `{root}` is not there", EMPTY, "mount the drive, then try again")
    return Store(root).prepare()


def stores(house: House) -> tuple[Store, ...]:
    """Every store there is."""
    return tuple(Store(root) for root in known_roots(house))


def trash_of(house: House, store: Store) -> Trash:
    """The trash of a store's volume."""
    return Trash(store.trash, house.moment)


def holder(house: House, sha256: str) -> Store | None:
    """The store that has this blob, if any does."""
    return next((store for store in stores(house) if store.has(sha256)), None)


def bytes_of(house: House, artifact: Artifact) -> Path:
    """A path that shows the artifact's bytes: its blob, else a location that is still as it was recorded."""
    sha256 = artifact.sha256 or ""
    store = holder(house, sha256) if sha256 else None
    if store:
        return store.path_of(sha256)
    other: Path | None = None
    for location in house.book.locations_of(sha256):
        path = Path(location.path)
        if path.is_file():
            if path.stat().st_size == location.size:
                return path
            other = path
    if other is not None:
        raise NotFoundHere(
            f"`{other}` is no longer `{artifact.name}`",
            "it has another size than when it was catalogued",
            f"`sdkeep scan '{other}'` judges what lies there now, `sdkeep add --in-place '{other}'` records it",
        )
    fetchable = artifact.origin and not artifact.origin.startswith("path:")
    raise NotFoundHere(
        f"the bytes of `{artifact.name}` are not here",
        "the catalogue remembers the file, neither a store nor a folder holds it",
        f"`sdkeep get {artifact.origin}`" if fetchable else f"`sdkeep restore {artifact.name}`, or `sdkeep add FILE`",
    )
