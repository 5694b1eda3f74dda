"""What people hold where it is, and which places were asked about which hashes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, text

from sdkeep.catalogue.connection import changed, query
from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.record import Lookup, Pin

_BATCH = 5000
_ASKED = text(
    "SELECT sha256 FROM lookup WHERE place = :place AND (found OR at >= :since) AND sha256 IN :these"
).bindparams(bindparam("these", expanding=True))


def put(connection: Connection, pin: Pin, at: str) -> None:
    """Hold a model, replacing how it was held before; raises `NotFoundHere` for what was never recorded."""
    sql = "SELECT id FROM model WHERE hub = :hub AND hub_id = :model"
    models = query(connection, sql, hub=pin.hub, model=pin.model_id)
    if not models:
        raise NotFoundHere(f"the catalogue knows no model `{pin.model_id}` of {pin.hub}")
    release_id = None
    if pin.release:
        sql = "SELECT id FROM release WHERE model_id = :model AND hub_id = :release"
        releases = query(connection, sql, model=models[0].id, release=pin.release)
        if not releases:
            raise NotFoundHere(f"the catalogue knows no release `{pin.release}` of that model")
        release_id = releases[0].id
    sql = """INSERT INTO pin (model_id, release_id, note, at) VALUES (:model, :release, :note, :at)
    ON CONFLICT (model_id) DO UPDATE SET release_id = excluded.release_id, note = excluded.note, at = excluded.at"""
    changed(connection, sql, model=models[0].id, release=release_id, note=pin.note, at=pin.at or at)


def drop(connection: Connection, hub: str, model_id: str) -> bool:
    """Hold a model no longer; whether it was held."""
    sql = "DELETE FROM pin WHERE model_id IN (SELECT id FROM model WHERE hub = :hub AND hub_id = :model)"
    return changed(connection, sql, hub=hub, model=model_id) > 0


def every(connection: Connection) -> tuple[Pin, ...]:
    """What is held, oldest first."""
    sql = """SELECT m.hub, m.hub_id AS model, coalesce(r.hub_id, '') AS release, p.note, p.at, m.name
    FROM pin p JOIN model m ON m.id = p.model_id LEFT JOIN release r ON r.id = p.release_id ORDER BY p.id"""
    return tuple(Pin(r.hub, r.model, r.release, r.note, r.at, r.name) for r in query(connection, sql))


def note_lookups(connection: Connection, lookups: Iterable[Lookup], at: str) -> None:
    """Record that places were asked; the newest answer stands."""
    sql = text(
        """INSERT INTO lookup (sha256, place, at, found) VALUES (:sha256, :place, :at, :found)
    ON CONFLICT (sha256, place) DO UPDATE SET at = excluded.at, found = excluded.found"""
    )
    rows = [{"sha256": o.sha256, "place": o.place, "at": o.at or at, "found": o.found} for o in lookups]
    if rows:
        connection.execute(sql, rows)


def unasked(connection: Connection, place: str, sha256s: Sequence[str], since: str) -> tuple[str, ...]:
    """Those of these hashes that `place` was never asked for, or did not know when asked before `since`."""
    asked: set[str] = set()
    for start in range(0, len(sha256s), _BATCH):
        values = {"place": place, "since": since, "these": list(sha256s[start : start + _BATCH])}
        asked.update(row.sha256 for row in connection.execute(_ASKED, values))
    return tuple(one for one in dict.fromkeys(sha256s) if one not in asked)


def lookups_of(connection: Connection, sha256: str) -> tuple[Lookup, ...]:
    """Which places were asked for these bytes, oldest answer first."""
    rows = query(connection, "SELECT * FROM lookup WHERE sha256 = :sha256 ORDER BY at, id", sha256=sha256)
    return tuple(Lookup(row.sha256, row.place, bool(row.found), row.at) for row in rows)
