"""Files seen and not hashed yet: listed at once under a name, joined to the artifact of their bytes later.

Many at a time, with few statements, for a person who adopts a library has thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from sdkeep.catalogue import ancestry, artifacts, evidence, names, places
from sdkeep.catalogue.connection import changed, query
from sdkeep.ground.digest import Digest
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge
from sdkeep.ground.record import Artifact, Location
from sdkeep.ground.verdict import Verdict

_BATCH = 500
_ARTIFACT = "INSERT INTO artifact (id, keywords, {columns}) VALUES (?, '', {marks})"
_NAME = "INSERT INTO artifact_name (name, artifact_id) VALUES (?, ?)"
_PLACE = """INSERT INTO location (path, artifact_id, ui_id, method, ours, blob_root, inode, mtime_ns, size, missing_at,
    verified_at)
VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, '', '')
ON CONFLICT (path) DO UPDATE SET artifact_id = excluded.artifact_id, ui_id = excluded.ui_id, method = excluded.method,
ours = excluded.ours, blob_root = '', inode = excluded.inode, mtime_ns = excluded.mtime_ns, size = excluded.size,
missing_at = '', verified_at = ''"""
_AT = text(
    """SELECT l.path, l.artifact_id, a.sha256, l.inode, l.mtime_ns, l.size FROM location l
JOIN artifact a ON a.id = l.artifact_id WHERE l.path IN :these"""
).bindparams(bindparam("these", expanding=True))
_DIGESTS = """INSERT INTO digest (artifact_id, kind, value, ours) VALUES (?, ?, ?, 1)
ON CONFLICT (artifact_id, kind, value) DO UPDATE SET ours = 1"""
_BARE = """SELECT 1 FROM artifact a WHERE a.id = :id AND NOT EXISTS (SELECT 1 FROM blob b WHERE b.artifact_id = a.id)
AND NOT EXISTS (SELECT 1 FROM release_file f WHERE f.artifact_id = a.id)"""
_DROP_LONELY = """DELETE FROM artifact WHERE id = :id AND sha256 IS NULL
AND NOT EXISTS (SELECT 1 FROM location l WHERE l.artifact_id = artifact.id)"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file as it looks from outside: facts without a sha256, the path, the verdict, claims about its parents.

    `claimed` are digests that sidecars and caches state of it: hints to find it by, nothing more. `licence` is what its
    own metadata claims.
    """

    artifact: Artifact
    location: Location
    verdict: Verdict | None = None
    edges: tuple[Edge, ...] = ()
    claimed: tuple[Digest, ...] = ()
    licence: Licence | None = None


@dataclass(frozen=True, slots=True)
class Hashed:
    """What a sighted file turned out to be; `location` as the file was before and after it was read."""

    location: Location
    sha256: str
    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """A path whose bytes are known now: the artifact's name, and whether its bytes were on record before."""

    path: str
    sha256: str
    name: str
    known: bool


@dataclass(frozen=True, slots=True)
class SightingRecord:
    """All that is recorded of a file that is not hashed yet."""

    artifact: Artifact
    locations: tuple[Location, ...]
    verdict: Verdict | None
    edges: tuple[Edge, ...]


def put(connection: Connection, sightings: Sequence[Sighting], at: str) -> tuple[str, ...]:
    """Record files that were seen; the catalogue names that they got, in their order.

    A path that was recorded already shows the new file from now on; what it showed before stays on record, unless
    that was never hashed either.
    """
    before = [row.artifact_id for row in _rows(connection, [s.location.path for s in sightings]) if row.sha256 is None]
    first = 1 + int(query(connection, "SELECT coalesce(max(id), 0) AS last FROM artifact")[0].last)
    given: dict[str, int] = {}
    rows: list[tuple[object, ...]] = []
    named: list[tuple[str, int]] = []
    lying: list[tuple[object, ...]] = []
    verdicts: dict[int, Verdict] = {}
    columns: Sequence[str] = ()
    wishes = [names.wished(sighting.artifact) for sighting in sightings]
    taken = names.taken(connection, wishes)
    uis = {row.name: row.id for row in query(connection, "SELECT name, id FROM ui")}
    for number, (sighting, wish) in enumerate(zip(sightings, wishes, strict=True), first):
        name = _free(connection, wish, given) if wish in taken or wish in given else wish
        given.setdefault(name, 1)
        values = artifacts.values_of(sighting.artifact)
        values["added_at"] = values["added_at"] or at
        columns = columns or list(values)
        rows.append((number, *values.values()))
        named.append((name, number))
        lying.append(_place(sighting.location, number, uis.get(sighting.location.ui)))
        if sighting.verdict:
            verdicts[number] = sighting.verdict
    if rows:
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(_ARTIFACT.format(columns=", ".join(columns), marks=marks), rows)
        connection.exec_driver_sql(_NAME, named)
        connection.exec_driver_sql(_PLACE, lying)
        evidence.put_verdicts(connection, verdicts, at)
    for number, sighting in enumerate(sightings, first):
        if sighting.edges:
            ancestry.put(connection, number, sighting.edges)
        if sighting.claimed:
            artifacts.add_digests(connection, number, sighting.claimed, ours=False)
        if sighting.licence:
            evidence.put_licence(connection, number, sighting.licence)
    _drop_lonely(connection, before)
    return tuple(name for name, _ in named)


def waiting(connection: Connection, after: tuple[int, str], limit: int) -> tuple[Location, ...]:
    """The paths whose bytes are not known yet from size and path `after` on, small files first: they are soon done."""
    sql = f"""{places.LOCATION} WHERE a.sha256 IS NULL AND l.missing_at = '' AND (l.size, l.path) > (:size, :path)
    ORDER BY l.size, l.path LIMIT :limit"""
    rows = query(connection, sql, size=after[0], path=after[1], limit=limit)
    return tuple(map(places.location_from, rows))


def count_waiting(connection: Connection) -> tuple[int, int]:
    """How many paths wait to be hashed, and how many bytes they hold."""
    sql = """SELECT count(*) AS files, coalesce(sum(l.size), 0) AS bytes FROM location l
    JOIN artifact a ON a.id = l.artifact_id WHERE a.sha256 IS NULL AND l.missing_at = ''"""
    (row,) = query(connection, sql)
    return int(row.files), int(row.bytes)


def settle(connection: Connection, hashed: Sequence[Hashed], at: str) -> tuple[Settled, ...]:
    """Join each path to the artifact of its bytes. What waits no longer, being hashed or gone, is passed over."""
    rows = {row.path: row for row in _rows(connection, [one.location.path for one in hashed])}
    known = artifacts.ids_of(connection, {one.sha256 for one in hashed})
    fresh: list[tuple[Any, ...]] = []
    digests: list[tuple[Any, ...]] = []
    done: list[tuple[Hashed, int, bool]] = []
    for one in hashed:
        row = rows.get(one.location.path)
        if row is None or row.sha256 is not None or not _same(row, one.location):
            continue
        was_known = one.sha256 in known
        if not was_known:
            known[one.sha256] = row.artifact_id
            fresh.append((one.sha256, row.artifact_id))
            digests += [(row.artifact_id, digest.kind.value, digest.value) for digest in one.digests]
        done.append((one, row.artifact_id, was_known))
    if fresh:
        connection.exec_driver_sql("UPDATE artifact SET sha256 = ? WHERE id = ?", fresh)
        connection.exec_driver_sql(_DIGESTS, digests)
    for one, artifact_id, was_known in done:
        if was_known and known[one.sha256] != artifact_id:
            _join(connection, artifact_id, known[one.sha256], one, at)
    names_now = _names(connection, known.values())
    return tuple(
        Settled(one.location.path, one.sha256, names_now.get(known[one.sha256], ""), was_known)
        for one, _, was_known in done
    )


def record(connection: Connection, name: str) -> SightingRecord | None:
    """What is recorded of the file with this name that is not hashed yet."""
    rows = query(connection, f"{artifacts.COLUMNS} WHERE a.sha256 IS NULL AND n.name = :name", name=name)
    if not rows:
        return None
    locations = query(connection, f"{places.LOCATION} WHERE a.id = :id ORDER BY l.id", id=rows[0].id)
    verdicts = query(
        connection, "SELECT * FROM verdict WHERE artifact_id = :id ORDER BY id DESC LIMIT 1", id=rows[0].id
    )
    return SightingRecord(
        artifacts.restored(connection, rows)[0],
        tuple(map(places.location_from, locations)),
        evidence.verdict_from(verdicts[0]) if verdicts else None,
        ancestry.of_child(connection, rows[0].id),
    )


def _join(connection: Connection, seen: int, owner: int, one: Hashed, at: str) -> None:
    """Give all that hangs on a sighting to the artifact with the same bytes, and drop the sighting.

    Of two that were only ever seen where they lie the name that was listed first stays.
    """
    facts = artifacts.by_id(connection, seen)
    elder = seen < owner and bool(query(connection, _BARE, id=owner))
    artifacts.put(connection, replace(facts, sha256=one.sha256, digests=one.digests), at)
    changed(connection, "UPDATE location SET artifact_id = :owner WHERE artifact_id = :seen", owner=owner, seen=seen)
    sql = """UPDATE verdict SET artifact_id = :owner WHERE artifact_id = :seen
    AND NOT EXISTS (SELECT 1 FROM verdict v WHERE v.artifact_id = :owner)"""
    changed(connection, sql, owner=owner, seen=seen)
    sql = """UPDATE licence SET artifact_id = :owner WHERE artifact_id = :seen
    AND NOT EXISTS (SELECT 1 FROM licence l WHERE l.artifact_id = :owner AND l.source = licence.source)"""
    changed(connection, sql, owner=owner, seen=seen)
    ancestry.put(connection, owner, ancestry.of_child(connection, seen))
    changed(connection, "DELETE FROM artifact WHERE id = :seen", seen=seen)
    if elder:
        names.change(connection, owner, facts.name)


def _free(connection: Connection, wish: str, given: dict[str, int]) -> str:
    """`wish` with the first number that neither the catalogue nor this batch has used; `given` counts them."""
    used = set(names.starting_with(connection, f"{wish}-", None))
    count = given.get(wish, 1) + 1
    while f"{wish}-{count}" in used or f"{wish}-{count}" in given:
        count += 1
    given[wish] = count
    return f"{wish}-{count}"


def _rows(connection: Connection, paths: Sequence[str]) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for start in range(0, len(paths), _BATCH):
        found += connection.execute(_AT, {"these": list(paths[start : start + _BATCH])})
    return found


def _same(row: Row[Any], location: Location) -> bool:
    """Whether the row still speaks of the file that was hashed."""
    recorded = (int(row.inode or 0), row.mtime_ns, row.size)
    return recorded == (location.inode, location.mtime_ns, location.size)


def _drop_lonely(connection: Connection, ids: Iterable[int]) -> None:
    for one in ids:
        changed(connection, _DROP_LONELY, id=one)


def _names(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    statement = text("SELECT artifact_id, name FROM artifact_name WHERE artifact_id IN :ids").bindparams(
        bindparam("ids", expanding=True)
    )
    wanted, found = list(ids), dict[int, str]()
    for start in range(0, len(wanted), _BATCH):
        found.update(
            {
                row.artifact_id: row.name
                for row in connection.execute(statement, {"ids": wanted[start : start + _BATCH]})
            }
        )
    return found


def _place(location: Location, artifact_id: int, ui_id: int | None) -> tuple[object, ...]:
    """The values of `_PLACE`."""
    seen = (str(location.inode), location.mtime_ns, location.size)
    return (location.path, artifact_id, ui_id, location.method.value, location.ours, *seen)
