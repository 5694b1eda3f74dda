"""Where bytes lie: store blobs, paths in interfaces and elsewhere, the registered interfaces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row

from sdkeep.catalogue.connection import changed, different, query
from sdkeep.ground.errors import UnknownUi
from sdkeep.ground.record import Blob, Location, Method, Sidecar, Ui

LOCATION = """
SELECT l.*, coalesce(a.sha256, '') AS sha256, coalesce(n.name, '') AS name, coalesce(ui.name, '') AS ui
FROM location l JOIN artifact a ON a.id = l.artifact_id LEFT JOIN artifact_name n ON n.artifact_id = a.id
LEFT JOIN ui ON ui.id = l.ui_id
"""
_HASHED = "a.sha256 IS NOT NULL"
_SIDECAR = """
SELECT s.path, a.sha256, s.content, coalesce(ui.name, '') AS ui
FROM sidecar s JOIN artifact a ON a.id = s.artifact_id LEFT JOIN ui ON ui.id = s.ui_id
"""
BLOB = "SELECT b.*, a.sha256 FROM blob b JOIN artifact a ON a.id = b.artifact_id"
_USED = "SELECT 1 FROM location l WHERE l.artifact_id = b.artifact_id"


def put_location(connection: Connection, artifact_id: int, location: Location) -> None:
    """Record that a path holds an artifact's bytes, replacing what was recorded for that path; it is there again."""
    from sdkeep.catalogue import tables

    tables.Location(
        path=location.path,
        artifact_id=artifact_id,
        ui_id=_ui_id(connection, location.ui) if location.ui else None,
        method=location.method.value,
        ours=location.ours,
        blob_root=location.blob_root,
        inode=str(location.inode),
        mtime_ns=location.mtime_ns,
        size=location.size,
        verified_at=location.verified,
    ).save(connection, "path")


def locations_of(connection: Connection, sha256: str) -> tuple[Location, ...]:
    """Every path that holds these bytes."""
    rows = query(connection, f"{LOCATION} WHERE a.sha256 = :sha256 ORDER BY l.id", sha256=sha256)
    return tuple(map(location_from, rows))


def location_at(connection: Connection, path: str) -> Location | None:
    """What is recorded for exactly this path."""
    rows = query(connection, f"{LOCATION} WHERE l.path = :path", path=path)
    return location_from(rows[0]) if rows else None


def locations_in(connection: Connection, ui: str) -> tuple[Location, ...]:
    """Every path placed in this interface, in path order."""
    rows = query(connection, f"{LOCATION} WHERE ui.name = :ui AND {_HASHED} ORDER BY l.path", ui=ui)
    return tuple(map(location_from, rows))


def all_locations(connection: Connection, *, unhashed: bool = False) -> tuple[Location, ...]:
    """Every path we know, in path order; those of files not hashed yet only when asked for."""
    condition = "" if unhashed else f"WHERE {_HASHED}"
    return tuple(map(location_from, query(connection, f"{LOCATION} {condition} ORDER BY l.path")))


def mark_missing(connection: Connection, paths: Iterable[str], at: str) -> None:
    """Note that these paths were found gone at `at`; empty takes that back. The first such time stays."""
    sql = "UPDATE location SET missing_at = :at WHERE path = :path AND (:at = '' OR missing_at = '')"
    for path in paths:
        changed(connection, sql, path=path, at=at)


def verified(connection: Connection, paths: Iterable[str], at: str) -> None:
    """Note that what lies at these paths was read back at `at`."""
    for path in paths:
        changed(connection, "UPDATE location SET verified_at = :at WHERE path = :path", path=path, at=at)


def move(connection: Connection, path: str, to: Location) -> bool:
    """Note that the file recorded at `path` lies at `to` now, in whichever interface that is; whether it was known."""
    ui = _ui_id(connection, to.ui) if to.ui else None
    changed(connection, "DELETE FROM location WHERE path = :to AND path <> :path", to=to.path, path=path)
    sql = """UPDATE location SET path = :to, ui_id = :ui, inode = :inode, mtime_ns = :mtime, size = :size,
    missing_at = '' WHERE path = :path"""
    values = {"to": to.path, "ui": ui, "inode": str(to.inode), "mtime": to.mtime_ns, "size": to.size}
    return changed(connection, sql, path=path, **values) > 0


def put_adopted(connection: Connection, path: str, at: str) -> None:
    """Note that the files of a folder are catalogued where they lie."""
    changed(
        connection,
        "INSERT INTO adopted (path, at) VALUES (:path, :at) ON CONFLICT (path) DO NOTHING",
        path=path,
        at=at,
    )


def adopted(connection: Connection) -> tuple[str, ...]:
    """The folders whose files are catalogued where they lie, in the order they were adopted."""
    return tuple(str(row.path) for row in query(connection, "SELECT path FROM adopted ORDER BY id"))


def drop_adopted(connection: Connection, path: str) -> bool:
    """Watch a folder no longer; what is catalogued of it stays. Whether it was adopted."""
    return changed(connection, "DELETE FROM adopted WHERE path = :path", path=path) > 0


def drop_location(connection: Connection, path: str) -> bool:
    """Forget a path; whether it was known."""
    return changed(connection, "DELETE FROM location WHERE path = :path", path=path) > 0


def put_sidecar(connection: Connection, artifact_id: int, sidecar: Sidecar) -> None:
    """Record a file that we wrote beside a placed artifact, replacing what was recorded for that path."""
    from sdkeep.catalogue import tables

    tables.Sidecar(
        path=sidecar.path,
        artifact_id=artifact_id,
        ui_id=_ui_id(connection, sidecar.ui) if sidecar.ui else None,
        content=sidecar.content,
    ).save(connection, "path")


def sidecars_of(connection: Connection, sha256: str) -> tuple[Sidecar, ...]:
    """The files that we wrote beside placements of these bytes."""
    return tuple(map(_sidecar, query(connection, f"{_SIDECAR} WHERE a.sha256 = :sha256 ORDER BY s.id", sha256=sha256)))


def sidecar_at(connection: Connection, path: str) -> Sidecar | None:
    """What is recorded for exactly this path."""
    rows = query(connection, f"{_SIDECAR} WHERE s.path = :path", path=path)
    return _sidecar(rows[0]) if rows else None


def drop_sidecar(connection: Connection, path: str) -> bool:
    """Forget a sidecar; whether it was known."""
    return changed(connection, "DELETE FROM sidecar WHERE path = :path", path=path) > 0


def blob_roots(connection: Connection) -> tuple[str, ...]:
    """Every store root that holds something, in the order of their first blobs."""
    sql = "SELECT id FROM blob WHERE root = :root ORDER BY id LIMIT 1"
    return tuple(
        sorted(different(connection, "blob", "root"), key=lambda root: query(connection, sql, root=root)[0].id)
    )


def put_blob(connection: Connection, artifact_id: int, blob: Blob) -> None:
    """Record that a store root holds an artifact's bytes. The time they came in is kept from the first record."""
    sql = """INSERT INTO blob (artifact_id, root, size, stored_at, verified_at)
    VALUES (:artifact, :root, :size, :stored, :verified)
    ON CONFLICT (artifact_id, root) DO UPDATE SET size = excluded.size,
    verified_at = CASE WHEN excluded.verified_at = '' THEN blob.verified_at ELSE excluded.verified_at END"""
    values = {"root": blob.root, "size": blob.size, "stored": blob.stored, "verified": blob.verified}
    changed(connection, sql, artifact=artifact_id, **values)


def drop_blob(connection: Connection, sha256: str, root: str) -> bool:
    """Forget that a root holds these bytes; whether it was known to."""
    sql = "DELETE FROM blob WHERE root = :root AND artifact_id = (SELECT id FROM artifact WHERE sha256 = :sha256)"
    return changed(connection, sql, root=root, sha256=sha256) > 0


def blobs_of(connection: Connection, sha256: str) -> tuple[Blob, ...]:
    """The roots that hold these bytes."""
    return tuple(map(blob_from, query(connection, f"{BLOB} WHERE a.sha256 = :sha256 ORDER BY b.id", sha256=sha256)))


def blobs_in(connection: Connection, root: str) -> tuple[Blob, ...]:
    """Everything a root holds, oldest first."""
    return tuple(
        map(blob_from, query(connection, f"{BLOB} WHERE b.root = :root ORDER BY b.stored_at, b.id", root=root))
    )


def unreferenced_blobs(connection: Connection, root: str) -> tuple[Blob, ...]:
    """What a root holds and no known path outside it uses, oldest first."""
    sql = f"{BLOB} WHERE b.root = :root AND NOT EXISTS ({_USED}) ORDER BY b.stored_at, b.id"
    return tuple(map(blob_from, query(connection, sql, root=root)))


def put_ui(connection: Connection, ui: Ui, at: str) -> None:
    """Register an interface, or change what is registered under its name."""
    sql = """INSERT INTO ui (name, layout, root, template, added_at, url, share)
    VALUES (:name, :layout, :root, :template, :at, :url, :share)
    ON CONFLICT (name) DO UPDATE SET layout = excluded.layout, root = excluded.root, template = excluded.template,
    url = excluded.url, share = excluded.share"""
    values = {name: getattr(ui, name) for name in ("name", "layout", "root", "template", "url", "share")}
    changed(connection, sql, at=ui.added or at, **values)


def uis(connection: Connection) -> tuple[Ui, ...]:
    """The registered interfaces, in the order they were added."""
    rows = query(connection, "SELECT * FROM ui ORDER BY id")
    return tuple(Ui(row.name, row.layout, row.root, row.template, row.added_at, row.url, row.share) for row in rows)


def claim(connection: Connection, ui: str, folder: str) -> int:
    """Note that what is recorded below a folder, as a file of no interface, is this one's; how many paths."""
    sql = """UPDATE location SET ui_id = :ui
    WHERE ui_id IS NULL AND method = :method AND substr(path, 1, length(:folder)) = :folder"""
    return changed(connection, sql, ui=_ui_id(connection, ui), method=Method.IN_PLACE.value, folder=folder)


def drop_ui(connection: Connection, name: str) -> bool:
    """Forget an interface; its paths stay known, as files of no interface. Whether it was registered."""
    return changed(connection, "DELETE FROM ui WHERE name = :name", name=name) > 0


def _ui_id(connection: Connection, name: str) -> int:
    rows = query(connection, "SELECT id FROM ui WHERE name = :name", name=name)
    if not rows:
        raise UnknownUi(f"no WebUI is registered as `{name}`", next="`sdkeep ui ls` shows the registered ones")
    return int(rows[0].id)


def _sidecar(row: Row[Any]) -> Sidecar:
    return Sidecar(row.path, row.sha256, row.content, row.ui)


def location_from(row: Row[Any]) -> Location:
    """A path from a row of `LOCATION`."""
    return Location(
        path=row.path,
        sha256=row.sha256,
        method=Method(row.method),
        ours=bool(row.ours),
        ui=row.ui,
        inode=int(row.inode or 0),
        mtime_ns=row.mtime_ns,
        size=row.size,
        blob_root=row.blob_root,
        missing=row.missing_at,
        name="" if row.sha256 else row.name,
        verified=row.verified_at,
    )


def blob_from(row: Row[Any]) -> Blob:
    """A stored copy from a row of `BLOB`."""
    return Blob(row.sha256, row.root, row.size, row.stored_at, row.verified_at)
