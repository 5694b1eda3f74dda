"""A lost or broken catalogue made anew from what lies on the disk: blobs with their labels, placements, sidecars.

The new one is built beside the old one and takes its place when it is whole; the old one is kept in `backups`. No file
of anybody's is touched, but for blobs that `verify` finds damaged: those go to the trash.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdkeep.actions.adopt import AdoptRequest, adopt, with_uis
from sdkeep.actions.areas import Area, areas
from sdkeep.actions.away import is_empty
from sdkeep.actions.busy import alone
from sdkeep.actions.examine import Examined, examine, examine_fully
from sdkeep.actions.folders import given
from sdkeep.actions.house import House
from sdkeep.actions.intake import Arrival, Terms, describe
from sdkeep.actions.labels import label_uis
from sdkeep.actions.paths import WEIGHT_FILES
from sdkeep.actions.stores import trash_of
from sdkeep.catalogue.salvage import Salvaged, salvage
from sdkeep.formats.metadata import edges
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.digest import sha256 as sha256_digest
from sdkeep.ground.errors import KeepError, StoreError
from sdkeep.ground.events import stage
from sdkeep.ground.kinds import Kind, NsfwLevel
from sdkeep.ground.model import Release
from sdkeep.ground.record import Location, Method, Pin, Sidecar, Ui
from sdkeep.ground.verdict import Allowance
from sdkeep.layouts.sidecar_reading import read_sidecars
from sdkeep.store import labels
from sdkeep.store.blobs import Blob, Store, is_here
from sdkeep.store.copying import sha256_of
from sdkeep.store.links import locate, points_at
from sdkeep.store.platform import fsync_folder, is_link
from sdkeep.store.roots import NAME
from sdkeep.store.trouble import told

_HUBS = ("civitai", "huggingface")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was found. `kept` is the copy of the old catalogue; `unknown` counts model files that are in no store."""

    path: str
    kept: str
    uis: tuple[str, ...]
    stores: tuple[str, ...]
    files: int
    placed: int
    in_place: int
    unknown: int
    damaged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    pins: int = 0


@dataclass(slots=True)
class _Found:
    """Where the blobs of all stores are, and what shows them."""

    stores: list[Store]
    blobs: dict[str, tuple[Store, Blob]] = field(default_factory=dict)
    places: dict[str, list[Location]] = field(default_factory=dict)
    unknown: int = 0
    notes: list[str] = field(default_factory=list)


def sound(house: House) -> bool:
    """Whether the catalogue is there and whole, so that nothing calls for making it anew."""
    if not house.settings.catalogue.is_file():
        return False
    try:
        return not house.book.check()
    except KeepError:
        return False


@dataclass(frozen=True, slots=True)
class RebuildRequest:
    """`roots` are stores that nothing else leads to, `without` folders that are lost for good.

    `verify` reads every blob in full. A `dry_run` looks at everything and changes nothing.
    """

    roots: tuple[Path, ...] = ()
    without: tuple[Path, ...] = ()
    verify: bool = False
    dry_run: bool = False


def rebuild(house: House, request: RebuildRequest) -> Rebuilt:
    """Make the catalogue anew. Raises `StoreError` where a folder that belongs to it is away."""
    old = house.settings.catalogue
    if request.dry_run:
        with tempfile.TemporaryDirectory(prefix="sdkeep-") as folder:
            return replace(_built(house, request, Path(folder) / old.name), path=str(old))
    with told(f"cannot rebuild `{old}`"), alone(house):
        new = old.with_name(f"{old.stem}.rebuilding{old.suffix}")
        _clear(new)
        rebuilt = _built(house, request, new)
        house.close()
        kept = _exchange(house, old, new)
    return replace(rebuilt, path=str(old), kept=kept)


def _built(house: House, request: RebuildRequest, new: Path) -> Rebuilt:
    loaded = replace(house.loaded, settings=replace(house.settings, catalogue=new))
    built = House(loaded, house.report, house.stop, house.environ, house.cwd)
    try:
        return _fill(built, request, salvage(house.settings.catalogue))
    finally:
        built.close()


def _clear(database: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        database.with_name(database.name + ending).unlink(missing_ok=True)


def _exchange(house: House, old: Path, new: Path) -> str:
    """Keep the old file and what belongs to it, then let the new one take its place in one step."""
    kept = ""
    if old.exists():
        folder = old.parent / "backups"
        folder.mkdir(parents=True, exist_ok=True)
        stamp = f"{house.moment():%Y%m%dT%H%M%S.%fZ}"
        target = folder / f"replaced-{stamp}{old.suffix}"
        for ending in ("", "-wal"):
            part = old.with_name(old.name + ending)
            if part.exists():
                shutil.copy2(part, target.with_name(target.name + ending))
        kept = str(target)
        for ending in ("-wal", "-shm", "-journal"):
            old.with_name(old.name + ending).unlink(missing_ok=True)
    new.replace(old)
    fsync_folder(old.parent)
    return kept


def _fill(house: House, request: RebuildRequest, saved: Salvaged) -> Rebuilt:
    own = labels.read(house.settings.home / labels.UIS)
    noted = [own, *(labels.read(folder / labels.UIS) for folder in request.roots)]
    found = _Found(_stores(house, request.roots, noted))
    noted += [labels.read(store.root / labels.UIS) for store in found.stores]
    _check_all_here(request, own, saved)
    _register(house, noted, found)
    for store in found.stores:
        for blob in store.each():
            found.blobs.setdefault(blob.sha256, (store, blob))
    _look_for_places(house, found)
    damaged = _record_all(house, found, request)
    _decide_again(house, own, noted, saved)
    in_place = _adopt_again(house, noted, saved, found, dry_run=request.dry_run)
    if not request.dry_run:
        label_uis(house)
    placed = sum(len(places) for places in found.places.values())
    return Rebuilt(
        "",
        "",
        tuple(ui.name for ui in house.book.uis()),
        tuple(str(store.root) for store in found.stores),
        len(found.blobs) - len(damaged),
        placed,
        in_place,
        found.unknown,
        damaged,
        tuple(found.notes),
        len(house.book.pins()),
    )


def _check_all_here(request: RebuildRequest, own: Mapping[str, object], saved: Salvaged) -> None:
    """A drive that is not mounted is no reason to forget what lies on it."""
    lost = {path.absolute() for path in request.without}
    roots = {Path(text) for text in (*labels.texts(own, "stores"), *saved.roots)} - lost
    uis = {Path(labels.text(ui, "root")) for ui in labels.objects(own, "uis")} - lost
    away = [(root, "store") for root in sorted(roots) if not is_here(root)]
    away += [(root, "WebUI") for root in sorted(uis) if not root.is_dir() or is_empty(root)]
    for root, what in away:
        raise StoreError(
            f"the folder of a {what} is not there, empty or not mounted: `{root}`",
            "what is known of its files would be forgotten",
            f"mount the drive, or if it is lost for good: `sdkeep db rebuild --without '{root}'`",
        )


def _decide_again(
    house: House, own: Mapping[str, object], noted: Sequence[Mapping[str, object]], saved: Salvaged
) -> None:
    """What people decided: from the old catalogue where it can be read, else from the notes. Allowances from ours."""
    allowed = [
        Allowance(*(labels.text(one, key) for key in ("name", "sha256", "by", "at", "reason")))
        for one in labels.objects(own, "allowed")
    ]
    for allowance in saved.allowances or allowed:
        if allowance.dotted and Digest.of(DigestKind.SHA256, allowance.sha256):
            house.book.allow(allowance)
    pins = [
        Pin(*(labels.text(one, key) for key in ("hub", "model", "release", "note", "at", "name")))
        for said in noted
        for one in labels.objects(said, "pins")
    ]
    for pin in {(one.hub, one.model_id): one for one in (*pins, *saved.pins)}.values():
        if pin.hub in _HUBS and pin.model_id and pin.release:
            house.book.put_release(Release(pin.hub, pin.model_id, pin.release, pin.model_name, "", Kind.UNKNOWN))
            house.book.put_pin(pin)


def _stores(house: House, roots: Sequence[Path], noted: Sequence[Mapping[str, object]]) -> list[Store]:
    named = [*roots, house.settings.home / "store"]
    if house.settings.blob_root:
        named.append(house.settings.blob_root)
    for said in noted:
        named += [Path(text) for text in labels.texts(said, "stores")]
        named += [Path(labels.text(ui, "root")).parent / NAME for ui in labels.objects(said, "uis")]
    stores: list[Store] = []
    for root in dict.fromkeys(path.absolute() for path in named):
        if root.is_dir():
            try:
                stores.append(Store(root))
            except StoreError as error:
                if root in [path.absolute() for path in roots]:
                    raise
                house.warn(f"{error.what}: {error.why}")
    return stores


def _register(house: House, noted: Sequence[Mapping[str, object]], found: _Found) -> None:
    known = {layout.id for layout in house.layouts}
    for said in noted:
        for ui in labels.objects(said, "uis"):
            name, layout, root = (labels.text(ui, key) for key in ("name", "layout", "root"))
            if not (name and root) or layout not in known or house.book.ui(name):
                continue
            rest = (labels.text(ui, key) for key in ("template", "added", "url", "share"))
            house.book.put_ui(Ui(name, layout, root, *rest))
            if not Path(root).is_dir():
                found.notes.append(f"the folder of `{name}` is not there: `{root}`")


def _look_for_places(house: House, found: _Found) -> None:
    """Every link to a blob and every equal copy in the WebUIs, and those that labels name elsewhere."""
    inodes = {
        (store.root.stat().st_dev, blob.inode): sha256
        for sha256, (store, blob) in found.blobs.items()
        if blob.links > 1
    }
    sizes: dict[int, list[str]] = {}
    for sha256, (_, blob) in found.blobs.items():
        sizes.setdefault(blob.size, []).append(sha256)
    said = {sha256: labels.read(labels.label_path(store.root, sha256)) for sha256, (store, _) in found.blobs.items()}
    ours = {path for label in said.values() for path in labels.texts(label, "placed")}
    own = {path: sha256 for sha256, label in said.items() for path in labels.texts(label, "own")}
    seen: set[Path] = set()
    for ui in house.book.uis():
        if not Path(ui.root).is_dir():
            continue
        for area in areas(house, [ui.name]):
            for path in _entries(area):
                if path not in seen:
                    seen.add(path)
                    _place(found, path, ui.name, _shown(path, inodes, sizes, found), ours)
    for text, sha256 in own.items():
        path = Path(text)
        if path not in seen and _shown(path, inodes, {}, found) == sha256:
            _place(found, path, "", sha256, ours)


def _entries(area: Area) -> Iterator[Path]:
    for folder in area.folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in WEIGHT_FILES and not path.name.startswith(".sdkeep-") and not path.is_dir():
                yield path


def _shown(path: Path, inodes: dict[tuple[int, int], str], sizes: dict[int, list[str]], found: _Found) -> str:
    """The SHA-256 of the blob whose bytes a path shows; empty when it shows none."""
    try:
        if is_link(path):
            name = path.resolve().name
            return name if name in found.blobs and points_at(path, found.blobs[name][1].path) else ""
        info = path.lstat()
    except OSError:
        return ""
    linked = inodes.get((info.st_dev, info.st_ino))
    if linked:
        return linked
    candidates = sizes.get(info.st_size, [])
    return next((one for one in candidates if one == sha256_of(path)), "") if candidates else ""


def _place(found: _Found, path: Path, ui: str, sha256: str, ours: set[str]) -> None:
    """Note a place; it is ours only where a label says so, for anybody can make a link or a copy."""
    if not sha256:
        found.unknown += 1
        return
    store, blob = found.blobs[sha256]
    made = str(path) in ours
    method = points_at(path, blob.path) or (Method.COPY if made else None)
    location = locate(path, sha256, method or Method.IN_PLACE, ui if method else "")
    location = replace(location, ours=made, blob_root=str(store.root) if method else "")
    found.places.setdefault(sha256, []).append(location)


def _record_all(house: House, found: _Found, request: RebuildRequest) -> tuple[str, ...]:
    damaged: list[str] = []
    with stage(house.report, "rebuild", "reading blobs", len(found.blobs), "files") as moved:
        for number, (sha256, (store, blob)) in enumerate(found.blobs.items()):
            house.stop.check()
            moved(number)
            try:
                seen = _examined(house, blob, verify=request.verify)
            except KeepError as error:
                found.notes.append(f"{sha256[:12]} could not be looked into: {error.what}")
                continue
            if seen.sha256 != sha256:
                if not request.dry_run:
                    trash_of(house, store).throw(blob.path, "damaged: its bytes are not what its name promises")
                damaged.append(str(blob.path))
                continue
            _record(house, store, blob, seen, found.places.get(sha256, []), verify=request.verify)
    return tuple(damaged)


def _examined(house: House, blob: Blob, *, verify: bool) -> Examined:
    if verify:
        return examine_fully(blob.path, house.report, house.stop, house.allowed)
    trusted = (sha256_digest(blob.sha256), Digest(DigestKind.AUTOV2, blob.sha256[:10]))
    return replace(examine(blob.path, house.stop), digests=trusted)


def _record(
    house: House, store: Store, blob: Blob, seen: Examined, places: Sequence[Location], *, verify: bool
) -> None:
    said = labels.read(labels.label_path(store.root, blob.sha256))
    shown = Path(places[0].path) if places else None
    beside = read_sidecars(shown) if shown else None
    name = labels.text(said, "file_name") or (shown.name if shown else f"{blob.sha256[:12]}.safetensors")
    origin = labels.text(said, "origin") or (beside.reference if beside else "")
    facts = describe(house, Arrival(blob.path, name, origin), seen, Terms(kind=_kind(said)))
    claimed = beside.said if beside else None
    facts = replace(
        facts,
        name=labels.text(said, "name") or facts.name,
        title=labels.text(said, "title") or (claimed.name if claimed else "") or facts.title,
        base=labels.text(said, "base") or (claimed.base if claimed else "") or facts.base,
        trigger_words=labels.texts(said, "trigger_words")
        or (claimed.trigger_words if claimed else ())
        or facts.trigger_words,
        added=labels.text(said, "added") or facts.added,
        level=_level(said) or (beside.level if beside else None) or facts.level,
    )
    with house.book.transaction():
        house.book.put_artifact(facts)
        house.book.put_verdict(blob.sha256, seen.verdict)
        house.book.put_edges(blob.sha256, edges(seen.contents.metadata, seen.contents.extras))
        record = house.book.verified_blob if verify else house.book.put_blob
        record(blob.sha256, str(store.root), blob.size)
        for location in places:
            house.book.put_location(location)
        for sidecar in _written_by_us(said, blob.sha256):
            house.book.put_sidecar(sidecar if house.book.ui(sidecar.ui) else replace(sidecar, ui=""))


def _written_by_us(said: Mapping[str, object], sha256: str) -> Iterator[Sidecar]:
    """The files beside placements that a label says we wrote, as far as they are there word for word."""
    for one in labels.objects(said, "beside"):
        path, content = Path(labels.text(one, "path")), labels.text(one, "content")
        if path.is_file() and not is_link(path) and sha256_of(path) == content:
            yield Sidecar(str(path), sha256, content, labels.text(one, "ui"))


def _level(said: object) -> NsfwLevel | None:
    text = labels.text(said, "level") if isinstance(said, dict) else ""
    return NsfwLevel(text) if text in list(NsfwLevel) else None


def _kind(said: object) -> Kind | None:
    kind = Kind.of(labels.text(said, "kind")) if isinstance(said, dict) else Kind.UNKNOWN
    return None if kind is Kind.UNKNOWN else kind


def _adopt_again(
    house: House, noted: Sequence[Mapping[str, object]], saved: Salvaged, found: _Found, *, dry_run: bool
) -> int:
    """What was catalogued where it lies: single files are read again, folders listed. The number of files."""
    named = [text for said in noted for text in labels.texts(said, "adopted")]
    folders = [Path(text) for text in dict.fromkeys((*saved.adopted, *named))]
    for folder in folders:
        house.book.put_adopted(str(folder))
        if not folder.is_dir() or is_empty(folder):
            found.notes.append(f"`{folder}` is not there or empty; once it is back, `sdkeep sync` lists its files")
    single, shown = _single_files(house, noted, saved, folders)
    there = [*(folder for folder in folders if folder.is_dir()), *shown]
    read = adopt(house, single, AdoptRequest(dry_run=dry_run)) if single else None
    listed = adopt(house, there, AdoptRequest(hash=False, dry_run=dry_run)) if there else None
    return sum(len(one.glances) for one in (read, listed) if one)


def _single_files(
    house: House, noted: Sequence[Mapping[str, object]], saved: Salvaged, folders: Sequence[Path]
) -> tuple[list[Path], list[Path]]:
    """The files that were catalogued one by one and are still there; apart from them those that a WebUI shows."""
    below = tuple(f"{folder}{os.sep}" for folder in folders)
    named = [path for path, _ in saved.in_place] + [text for said in noted for text in labels.texts(said, "in_place")]
    paths = [Path(text) for text in dict.fromkeys(named) if not text.startswith(below)]
    seen = with_uis(house, given(path for path in paths if path.is_file() and not house.book.location_at(str(path))))
    return [Path(one.path) for one in seen if not one.ui], [Path(one.path) for one in seen if one.ui]
