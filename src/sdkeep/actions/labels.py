"""Labels beside the blobs, kept in step with the catalogue: what `db rebuild` needs and no file tells by itself."""

from __future__ import annotations

import os
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.actions.stores import known_roots
from sdkeep.ground.errors import StoreError
from sdkeep.ground.record import Method
from sdkeep.store import labels
from sdkeep.store.blobs import Store

LINKS = (Method.HARDLINK, Method.REFLINK, Method.SYMLINK)


def label(house: House, store: Store, sha256: str) -> None:
    """Write the label of a blob from what the catalogue knows; a label that cannot be written is a warning."""
    artifact = house.book.artifact(sha256)
    if artifact is None:
        return
    release = house.book.release_of(sha256)
    licence = house.book.licence_of(sha256)
    places = house.book.locations_of(sha256)
    facts = {
        "name": artifact.name,
        "file_name": artifact.file_name,
        "kind": str(artifact.kind),
        "base": artifact.base,
        "title": artifact.title,
        "origin": artifact.origin,
        "level": str(artifact.level),
        "added": artifact.added,
        "trigger_words": list(artifact.trigger_words),
        "release": release.ref if release and release.hub != "web" else "",
        "licence": licence.id if licence else "",
        "placed": sorted(one.path for one in places if one.ours),
        "beside": [{"path": one.path, "content": one.content, "ui": one.ui} for one in house.book.sidecars_of(sha256)],
        "own": sorted(one.path for one in places if not one.ours and one.method in LINKS),
    }
    _written(house, labels.label_path(store.root, sha256), facts)


def label_uis(house: House) -> None:
    """Write what a person told the catalogue, into the home and beside the blobs of every store.

    These are the WebUIs, stores, adopted folders, single files catalogued where they lie, and pins. What was allowed is
    noted in the home alone: a store may come from somebody else.
    """
    roots = known_roots(house)
    uis = [
        {key: getattr(ui, key) for key in ("name", "layout", "root", "template", "added", "url", "share")}
        for ui in house.book.uis()
    ]
    pins = [
        {"hub": one.hub, "model": one.model_id, "release": one.release, "note": one.note, "at": one.at}
        | {"name": one.model_name}
        for one in house.book.pins()
    ]
    facts = {
        "uis": uis,
        "stores": sorted({*map(str, roots), *house.book.blob_roots()}),
        "adopted": list(house.book.adopted()),
        "in_place": _single(house),
        "pins": pins,
    }
    allowed = [
        {"name": one.dotted, "sha256": one.sha256, "by": one.by, "at": one.at, "reason": one.reason}
        for one in house.book.allowances()
    ]
    _written(house, house.settings.home / labels.UIS, facts | {"allowed": allowed})
    for root in roots:
        _written(house, root / labels.UIS, facts)


def _single(house: House) -> list[str]:
    """Files that a person catalogued one by one: those in WebUIs and adopted folders are found again anyway."""
    folders = tuple(f"{folder}{os.sep}" for folder in house.book.adopted())
    return [
        one.path
        for one in house.book.locations(unhashed=True)
        if one.method is Method.IN_PLACE and not one.ui and not one.path.startswith(folders)
    ]


def _written(house: House, path: Path, facts: object) -> None:
    try:
        labels.write(path, facts)
    except StoreError as error:
        house.warn(f"{error.what}: {error.why}")
