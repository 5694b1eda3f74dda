"""Artifacts and their digests: putting, finding, forgetting."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from sdkeep.catalogue import names
from sdkeep.catalogue.connection import changed, query
from sdkeep.catalogue.packing import digest, packed, words
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.kinds import Family, Format, Kind, NsfwLevel, Precision
from sdkeep.ground.record import Artifact
from sdkeep.ground.text import slug

COLUMNS = """
SELECT a.id, a.sha256, n.name, a.file_name, a.size, a.kind, a.family, a.base, a.variant, a.format, a.precision,
       a.algorithm, a.title, a.trigger_words, a.origin, a.added_at, a.level, a.preview, a.description,
       EXISTS (SELECT 1 FROM blob b WHERE b.artifact_id = a.id) AS stored
FROM artifact a LEFT JOIN artifact_name n ON n.artifact_id = a.id
"""

_HITS = """
JOIN (SELECT artifact_id, max(mine) AS ours FROM (
        SELECT artifact_id, CASE WHEN ours THEN 1 ELSE 0 END AS mine FROM digest WHERE value = :value AND kind = :kind
        UNION ALL SELECT id, 1 FROM artifact WHERE sha256 >= :low AND sha256 < :high) hit
      GROUP BY artifact_id) hits ON hits.artifact_id = a.id
"""
_OF_RELEASE = """
SELECT f.artifact_id FROM release_file f JOIN release r ON r.id = f.release_id JOIN model m ON m.id = r.model_id
WHERE m.hub = :hub AND r.hub_id = :release
UNION SELECT u.artifact_id FROM unpacked u JOIN release_file f ON f.id = u.release_file_id
JOIN release r ON r.id = f.release_id JOIN model m ON m.id = r.model_id WHERE m.hub = :hub AND r.hub_id = :release
"""
_EMPTY = ("", None, (), Kind.UNKNOWN, Family.UNKNOWN, Format.UNKNOWN, Precision.UNKNOWN)
_KEPT = ("sha256", "name", "added", "stored", "digests", "level")
_DIGESTS = text(
    "SELECT artifact_id, kind, value FROM digest WHERE ours AND artifact_id IN :ids ORDER BY id"
).bindparams(bindparam("ids", expanding=True))
_BATCH = 500

_KINDS = {kind.value: kind for kind in Kind}
_FAMILIES = {family.value: family for family in Family}
_FORMATS = {form.value: form for form in Format}
_PRECISIONS = {precision.value: precision for precision in Precision}
_LEVELS = {level.value: level for level in NsfwLevel}


def put(connection: Connection, artifact: Artifact, at: str) -> Artifact:
    """Record an artifact, or add to what is recorded of the same bytes; as it then stands.

    What is unknown now never replaces what was known before; the name, once given, and the time stay. A milder level
    never replaces a stricter one. One without sha256 is told by its name.
    """
    before = _same(connection, artifact)
    if before is None:
        whole = dataclasses.replace(artifact, added=artifact.added or at)
        artifact_id = _insert(connection, whole)
        names.give(connection, artifact_id, names.free_name(connection, whole))
    else:
        old = restored(connection, [before])[0]
        artifact_id = before.id
        whole = _merged(old, artifact)
        if whole != old:
            _update(connection, artifact_id, whole)
    add_digests(connection, artifact_id, artifact.digests, ours=True)
    return by_id(connection, artifact_id)


def by_id(connection: Connection, artifact_id: int) -> Artifact:
    """The artifact of a row that exists."""
    return restored(connection, query(connection, f"{COLUMNS} WHERE a.id = :id", id=artifact_id))[0]


def by_sha256(connection: Connection, sha256: str) -> Artifact | None:
    """The artifact that is these bytes."""
    return _first(connection, "a.sha256 = :value", value=sha256)


def by_name(connection: Connection, name: str) -> Artifact | None:
    """The artifact with this catalogue name."""
    return _first(connection, "n.name = :value", value=name)


def by_digest(connection: Connection, wanted: Digest) -> tuple[Artifact, ...]:
    """Every artifact with this digest: those we computed it for first, then those it is only claimed for."""
    if wanted.kind is DigestKind.SHA256:
        rows = query(connection, f"{COLUMNS} WHERE a.sha256 = :value", value=wanted.value)
        if rows:
            return restored(connection, rows)
    low, high = (wanted.value, wanted.value + "g") if wanted.kind is DigestKind.AUTOV2 else ("", "")
    sql = f"{COLUMNS} {_HITS} ORDER BY hits.ours DESC, a.id"
    return restored(connection, query(connection, sql, value=wanted.value, kind=wanted.kind.value, low=low, high=high))


def by_origin(connection: Connection, hub: str, release_id: str) -> tuple[Artifact, ...]:
    """The artifacts that files of this release became."""
    sql = f"{COLUMNS} WHERE a.id IN ({_OF_RELEASE}) ORDER BY a.id"
    return restored(connection, query(connection, sql, hub=hub, release=release_id))


def forget(connection: Connection, sha256: str) -> bool:
    """Drop the record of these bytes and of all that hangs on it; whether there was one. Files stay."""
    return changed(connection, "DELETE FROM artifact WHERE sha256 = :value", value=sha256) > 0


def id_of(connection: Connection, sha256: str) -> int:
    """The row of these bytes; raises `NotFoundHere` when the catalogue does not know them."""
    rows = query(connection, "SELECT id FROM artifact WHERE sha256 = :value", value=sha256)
    if not rows:
        raise NotFoundHere(f"the catalogue knows no file with sha256 `{sha256}`", next="`sdkeep add FILE` records one")
    return int(rows[0].id)


def ids_of(connection: Connection, sha256s: Iterable[str]) -> dict[str, int]:
    """The rows of those of these bytes that are recorded."""
    statement = text("SELECT sha256, id FROM artifact WHERE sha256 IN :these").bindparams(
        bindparam("these", expanding=True)
    )
    return {row.sha256: int(row.id) for row in connection.execute(statement, {"these": list(sha256s)})}


def add_digests(connection: Connection, artifact_id: int, digests: Iterable[Digest], *, ours: bool) -> None:
    """Record digests of an artifact. One that we computed stays ours whoever claims it later."""
    sql = """INSERT INTO digest (artifact_id, kind, value, ours) VALUES (:artifact, :kind, :value, :ours)
    ON CONFLICT (artifact_id, kind, value) DO UPDATE SET ours = excluded.ours OR digest.ours"""
    for one in digests:
        changed(connection, sql, artifact=artifact_id, kind=one.kind.value, value=one.value, ours=ours)


def digests_of(connection: Connection, sha256: str, *, claimed: bool) -> tuple[Digest, ...]:
    """The digests we computed of these bytes, or those that others claim and we did not confirm."""
    sql = """SELECT d.kind, d.value FROM digest d JOIN artifact a ON a.id = d.artifact_id
    WHERE a.sha256 = :value AND d.ours = :ours ORDER BY d.id"""
    return tuple(digest(row.kind, row.value) for row in query(connection, sql, value=sha256, ours=not claimed))


def restored(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Artifact, ...]:
    """Artifacts from rows of `COLUMNS`, with the digests that are ours."""
    found: dict[int, list[Digest]] = {}
    for start in range(0, len(rows), _BATCH):
        ids = [row.id for row in rows[start : start + _BATCH]]
        for artifact_id, kind, value in connection.execute(_DIGESTS, {"ids": ids}):
            found.setdefault(artifact_id, []).append(digest(kind, value))
    return tuple(_artifact(row, tuple(found.get(row.id, ()))) for row in rows)


def _artifact(row: Row[Any], digests: tuple[Digest, ...]) -> Artifact:
    columns: tuple[Any, ...] = tuple(row)  # by position, in the order of `COLUMNS`
    _, sha256, name, file_name, size, kind, family, base, variant, form, precision, *rest = columns
    algorithm, title, trigger_words, origin, added, level, preview, description, stored = rest
    return Artifact(
        sha256=sha256,
        name=name or "",
        file_name=file_name,
        size=size,
        kind=_KINDS.get(kind, Kind.UNKNOWN),
        family=_FAMILIES.get(family, Family.UNKNOWN),
        base=base,
        variant=variant,
        format=_FORMATS.get(form, Format.UNKNOWN),
        precision=_PRECISIONS.get(precision, Precision.UNKNOWN),
        algorithm=algorithm,
        title=title,
        trigger_words=words(trigger_words),
        digests=digests,
        origin=origin,
        added=added,
        stored=bool(stored),
        level=_LEVELS.get(level, NsfwLevel.PG),
        preview=preview,
        description=description,
    )


def _first(connection: Connection, condition: str, **values: object) -> Artifact | None:
    found = restored(connection, query(connection, f"{COLUMNS} WHERE {condition}", **values))
    return found[0] if found else None


def _same(connection: Connection, artifact: Artifact) -> Row[Any] | None:
    if artifact.sha256 is not None:
        rows = query(connection, f"{COLUMNS} WHERE a.sha256 = :value", value=artifact.sha256)
    else:
        rows = query(connection, f"{COLUMNS} WHERE a.sha256 IS NULL AND n.name = :value", value=slug(artifact.name))
    return rows[0] if rows else None


def _merged(old: Artifact, new: Artifact) -> Artifact:
    known = {
        field.name: value
        for field in dataclasses.fields(new)
        if field.name not in _KEPT and (value := getattr(new, field.name)) not in _EMPTY
    }
    return dataclasses.replace(old, **known, level=max(old.level, new.level, key=lambda level: level.rank))


def values_of(artifact: Artifact) -> dict[str, Any]:
    """The columns of an artifact's row, its id and keywords aside."""
    return {
        "sha256": artifact.sha256,
        "title": artifact.title,
        "file_name": artifact.file_name,
        "size": artifact.size,
        "kind": artifact.kind.value,
        "family": artifact.family.value,
        "base": artifact.base,
        "variant": artifact.variant,
        "format": artifact.format.value,
        "precision": artifact.precision.value,
        "algorithm": artifact.algorithm,
        "level": artifact.level.value,
        "origin": artifact.origin,
        "added_at": artifact.added,
        "preview": artifact.preview,
        "trigger_words": packed(artifact.trigger_words),
        "description": artifact.description,
    }


def _insert(connection: Connection, artifact: Artifact) -> int:
    from sdkeep.catalogue import tables

    return int(tables.Artifact(**values_of(artifact)).save(connection))


def _update(connection: Connection, artifact_id: int, artifact: Artifact) -> None:
    from sdkeep.catalogue import tables

    columns = tables.METADATA.tables["artifact"]
    connection.execute(columns.update().where(columns.c.id == artifact_id).values(**values_of(artifact)))
