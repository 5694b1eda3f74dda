"""Links become plain files: for whoever leaves sdkeep, moves a WebUI, or takes a deduplication back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdkeep.actions.areas import areas
from sdkeep.actions.busy import alone
from sdkeep.actions.house import House
from sdkeep.actions.intents import DEDUPE, EJECT, intending, plain_location
from sdkeep.actions.labels import LINKS, label
from sdkeep.actions.local import artifact as find
from sdkeep.actions.placing import registered
from sdkeep.actions.stores import stores
from sdkeep.ground.errors import DiskFull, KeepError
from sdkeep.ground.events import stage
from sdkeep.ground.record import Location, Method
from sdkeep.store.blobs import Store
from sdkeep.store.copying import sha256_of
from sdkeep.store.links import Stamp, make_plain
from sdkeep.store.platform import free_space, volume_of

RESERVE = 64 << 20
"""Bytes that stay free on the disk."""


@dataclass(frozen=True, slots=True)
class Ejected:
    """One placement: `plain` or `would be plain` (a file of its own now), or `left`, and why. `size` is in bytes."""

    name: str
    path: str
    ui: str
    size: int
    outcome: str
    why: str = ""


def eject(house: House, names: Sequence[str], ui: str, *, dry_run: bool) -> tuple[Ejected, ...]:
    """Turn placements into plain files: of the named files, of one WebUI, or of both narrowed; all where none is named.

    Raises `DiskFull` before the first byte where the copies do not fit.
    """
    if ui:
        registered(house, ui)
    if names:
        known = [one for name in names for one in house.book.locations_of(find(house, name).sha256 or "")]
    else:
        known = list(house.book.locations_in(ui) if ui else house.book.locations())
    return _eject(house, [one for one in known if not ui or one.ui == ui], {}, dry_run=dry_run)


def undo(house: House, texts: Sequence[str], *, dry_run: bool) -> tuple[Ejected, ...]:
    """Take deduplication back: files that were the person's own are that again, with their old mode and time."""
    stamps = {
        intent.detail["path"]: Stamp(int(intent.detail["mode"]), int(intent.detail["mtime_ns"]))
        for intent in house.book.done_intents(DEDUPE)
        if {"path", "mode", "mtime_ns"} <= intent.detail.keys()
    }
    folders = [folder for area in areas(house, texts) for folder in area.folders] if texts else []
    chosen = [
        one
        for one in house.book.locations()
        if one.path in stamps and (not folders or any(Path(one.path).is_relative_to(folder) for folder in folders))
    ]
    return _eject(house, chosen, stamps, dry_run=dry_run)


def _eject(house: House, known: Iterable[Location], stamps: dict[str, Stamp], *, dry_run: bool) -> tuple[Ejected, ...]:
    chosen = [one for one in known if one.method in LINKS and not one.missing]
    _check_space(chosen)
    if dry_run:
        return tuple(_told(house, one, "would be plain") for one in chosen)
    with alone(house):
        return tuple(_ejected(house, one, stamps.get(one.path)) for one in chosen)


def _ejected(house: House, location: Location, stamp: Stamp | None) -> Ejected:
    house.stop.check()
    store = _holding(house, location)
    if store is None:
        return _told(house, location, "left", "its bytes are not in the store")
    blob = store.path_of(location.sha256)
    detail = {"path": location.path, "sha256": location.sha256, "root": str(store.root)}
    try:
        with (
            intending(house, EJECT, **detail),
            stage(house.report, location.path, f"copying {Path(location.path).name}", location.size),
        ):
            make_plain(location, blob, lambda path: sha256_of(path) == location.sha256, stamp)
            house.book.put_location(plain_location(location))
    except KeepError as error:
        return _told(house, location, "left", error.why or error.what)
    if not location.ours:
        label(house, store, location.sha256)
    return _told(house, location, "plain")


def _holding(house: House, location: Location) -> Store | None:
    """The store that the link leads to: the recorded one, else any that has the bytes."""
    holding = [store for store in stores(house) if store.has(location.sha256)]
    return next((store for store in holding if str(store.root) == location.blob_root), next(iter(holding), None))


def _check_space(chosen: Sequence[Location]) -> None:
    needed: dict[int, int] = {}
    folders: dict[int, Path] = {}
    for one in chosen:
        if one.method in (Method.HARDLINK, Method.SYMLINK):
            volume = volume_of(Path(one.path).parent)
            needed[volume] = needed.get(volume, 0) + one.size
            folders.setdefault(volume, Path(one.path).parent)
    for volume, size in needed.items():
        free = free_space(folders[volume])
        if size + RESERVE > free:
            raise DiskFull(f"plain files do not fit on the volume of `{folders[volume]}`", size + RESERVE, free)


def _told(house: House, location: Location, outcome: str, why: str = "") -> Ejected:
    artifact = house.book.artifact(location.sha256)
    name = artifact.name if artifact else Path(location.path).stem
    return Ejected(name, location.path, location.ui, location.size, outcome, why)
