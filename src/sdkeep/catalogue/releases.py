"""What the hubs publish: models, releases, their files, and which artifact a file became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from sdkeep.catalogue import evidence
from sdkeep.catalogue.connection import changed, query
from sdkeep.catalogue.packing import digests, edges, packed, packed_edges, packed_previews, previews, words
from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.kinds import Access, Extent, Family, Format, Kind, NsfwLevel, Precision, Role
from sdkeep.ground.model import Claim, Release, RemoteFile


@dataclass(frozen=True, slots=True)
class Held:
    """A published file that is here: its hub, model, release and file ids, and the artifact it became."""

    hub: str
    model: str
    release: str
    file: str
    name: str
    sha256: str
    gone: str = ""


_RELEASE = """
SELECT r.*, m.hub, m.hub_id AS model_hub_id, m.name AS model_name, m.creator, raw.json_text
FROM release r JOIN model m ON m.id = r.model_id LEFT JOIN raw ON raw.release_id = r.id
"""
_LINKED = """SELECT id, hub_id, artifact_id FROM release_file WHERE release_id = :id
AND (artifact_id IS NOT NULL OR id IN (SELECT release_file_id FROM unpacked)) ORDER BY id"""
_DROP_LOOSE = """DELETE FROM release_file WHERE release_id = :id
AND artifact_id IS NULL AND id NOT IN (SELECT release_file_id FROM unpacked)"""
_FILE = """SELECT f.id FROM release_file f JOIN release r ON r.id = f.release_id JOIN model m ON m.id = r.model_id
WHERE m.hub = :hub AND r.hub_id = :release AND f.hub_id = :file"""
_MEMBERS = f"SELECT member, artifact_id FROM unpacked WHERE release_file_id IN ({_FILE}) ORDER BY id"  # noqa: S608


def put(connection: Connection, release: Release, at: str) -> None:
    """Record a release as the hub shows it now. Files that became artifacts stay linked even if the hub drops them."""
    from sdkeep.catalogue import tables

    model_id = tables.Model(
        hub=release.hub,
        hub_id=release.model_id,
        name=release.model_name,
        creator=release.creator,
        kind=release.kind.value,
        checked_at=at,
    ).save(connection, "hub", "hub_id")
    release_id = tables.Release(
        model_id=model_id,
        hub_id=release.id,
        name=release.name,
        kind=release.kind.value,
        kind_text=release.kind_text,
        base=release.base,
        family=release.family.value,
        level=release.level.value,
        nsfw=release.nsfw,
        poi=release.poi,
        minor=release.minor,
        sfw_only=release.sfw_only,
        merged=release.merged,
        access=release.access.value,
        access_until=release.access_until,
        published_at=release.published,
        page=release.page,
        air=release.air,
        downloads=release.downloads,
        rating=release.rating,
        trigger_words=packed(release.trigger_words),
        tags=packed(release.tags),
        previews=packed_previews(release.previews),
        parents=packed_edges(release.parents),
        description=release.description,
    ).save(connection, "model_id", "hub_id")
    tables.Raw(release_id=release_id, json_text=release.raw, seen_at=at).save(connection, "release_id")
    evidence.put_release_licence(connection, release_id, release.licence)
    _put_files(connection, release_id, release.files)


def link(connection: Connection, artifact_id: int, hub: str, release_id: str, file_id: str) -> None:
    """Note which published file an artifact is; its creator, model and tags become words to search it by."""
    sql = """SELECT f.id, m.name, m.creator, r.tags FROM release_file f JOIN release r ON r.id = f.release_id
    JOIN model m ON m.id = r.model_id WHERE m.hub = :hub AND r.hub_id = :release AND f.hub_id = :file"""
    rows = query(connection, sql, hub=hub, release=release_id, file=file_id)
    if not rows:
        raise NotFoundHere(f"the catalogue knows no file `{file_id}` in release `{release_id}` of {hub}")
    for row in rows:
        changed(
            connection,
            "UPDATE release_file SET artifact_id = :artifact WHERE id = :id",
            artifact=artifact_id,
            id=row.id,
        )
    keywords = " ".join((rows[0].name, rows[0].creator, *words(rows[0].tags)))
    changed(
        connection,
        "UPDATE artifact SET keywords = :keywords WHERE id = :id AND keywords <> :keywords",
        keywords=keywords,
        id=artifact_id,
    )


def put_unpacked(connection: Connection, place: tuple[str, str, str], members: Mapping[str, int]) -> None:
    """Note which artifact each member of an archive became; `place` is hub, release and file of the archive."""
    from sdkeep.catalogue import tables

    hub, release_id, file_id = place
    for row in query(connection, _FILE, hub=hub, release=release_id, file=file_id):
        changed(connection, "DELETE FROM unpacked WHERE release_file_id = :id", id=row.id)
        for member, artifact_id in members.items():
            tables.Unpacked(release_file_id=row.id, artifact_id=artifact_id, member=member).save(connection)


def unpacked(connection: Connection, hub: str, release_id: str, file_id: str) -> dict[str, int]:
    """The rows of what came out of an archive, by member, in the order of its members."""
    rows = query(connection, _MEMBERS, hub=hub, release=release_id, file=file_id)
    return {str(row.member): int(row.artifact_id) for row in rows}


def mark_model(connection: Connection, hub: str, model_id: str, at: str, *, gone: bool) -> None:
    """Note that the hub was asked for a model, and whether it still shows it; since when it does not stays."""
    sql = """UPDATE model SET checked_at = :at, gone_at = CASE WHEN NOT :gone THEN '' WHEN gone_at = '' THEN :at
    ELSE gone_at END WHERE hub = :hub AND hub_id = :model"""
    changed(connection, sql, hub=hub, model=model_id, at=at, gone=gone)


def gone_since(connection: Connection, hub: str, model_id: str) -> str:
    """Since when the hub does not show a model; empty while it does."""
    rows = query(connection, "SELECT gone_at FROM model WHERE hub = :hub AND hub_id = :model", hub=hub, model=model_id)
    return str(rows[0].gone_at) if rows else ""


def held(connection: Connection) -> tuple[Held, ...]:
    """The releases of which a file is here, in the store or at a path that is not missing."""
    sql = """SELECT m.hub, m.hub_id AS model, r.hub_id AS release, f.hub_id AS file, n.name, a.sha256, m.gone_at
    FROM release_file f JOIN release r ON r.id = f.release_id JOIN model m ON m.id = r.model_id
    JOIN artifact a ON a.id = f.artifact_id JOIN artifact_name n ON n.artifact_id = a.id
    WHERE m.hub <> 'web' AND (EXISTS (SELECT 1 FROM blob b WHERE b.artifact_id = a.id)
    OR EXISTS (SELECT 1 FROM location l WHERE l.artifact_id = a.id AND l.missing_at = '')
    OR EXISTS (SELECT 1 FROM edge e JOIN blob b ON b.artifact_id = e.child_id
               WHERE e.parent = a.sha256 AND e.relation = 'converted-from')) ORDER BY m.id, r.id, f.id"""
    return tuple(
        Held(row.hub, row.model, row.release, row.file, row.name, row.sha256 or "", row.gone_at)
        for row in query(connection, sql)
    )


def of_artifact(connection: Connection, sha256: str) -> Release | None:
    """The release that these bytes came from, the one linked last where there are several.

    A published file that was converted is linked to the conversion; its own bytes came from the same release.
    """
    linked = f"""{_RELEASE} JOIN release_file f ON f.release_id = r.id JOIN artifact a ON a.id = f.artifact_id
    WHERE a.sha256 = :sha256 ORDER BY f.id DESC LIMIT 1"""
    packed_in = f"""{_RELEASE} JOIN release_file f ON f.release_id = r.id JOIN unpacked u ON u.release_file_id = f.id
    JOIN artifact a ON a.id = u.artifact_id WHERE a.sha256 = :sha256 ORDER BY u.id DESC LIMIT 1"""
    converted = f"""{_RELEASE} JOIN release_file f ON f.release_id = r.id JOIN edge e ON e.child_id = f.artifact_id
    WHERE e.parent = :sha256 AND e.relation = 'converted-from' ORDER BY f.id DESC LIMIT 1"""
    ways = (linked, packed_in, converted)
    rows = next((rows for sql in ways if (rows := query(connection, sql, sha256=sha256))), ())
    return _release(connection, rows[0]) if rows else None


def of_model(connection: Connection, hub: str, model_id: str) -> tuple[Release, ...]:
    """The releases we recorded of a model, newest first."""
    sql = f"{_RELEASE} WHERE m.hub = :hub AND m.hub_id = :model ORDER BY r.published_at DESC, r.id DESC"
    return tuple(_release(connection, row) for row in query(connection, sql, hub=hub, model=model_id))


def _put_files(connection: Connection, release_id: int, files: tuple[RemoteFile, ...]) -> None:
    from sdkeep.catalogue import tables

    linked: dict[str, list[tuple[int, int | None]]] = {}
    for row in query(connection, _LINKED, id=release_id):
        linked.setdefault(row.hub_id, []).append((row.id, row.artifact_id))
    changed(connection, _DROP_LOOSE, id=release_id)
    changed(connection, "UPDATE release_file SET position = NULL WHERE release_id = :id", id=release_id)
    for position, file in enumerate(files):
        known = linked.get(file.id)
        row_id, artifact_id = known.pop(0) if known else (None, None)
        file_id = tables.ReleaseFile(
            id=row_id,
            release_id=release_id,
            hub_id=file.id,
            artifact_id=artifact_id,
            position=position,
            name=file.name,
            url=file.url,
            fallbacks=packed(file.fallbacks),
            size=file.size,
            about=file.about,
            digests=packed(map(str, file.digests)),
            role=file.role.value,
            format=file.format.value,
            precision=file.precision.value,
            extent=file.extent.value,
            is_primary=file.primary,
        ).save(connection, *(["id"] if row_id else []))
        changed(connection, "DELETE FROM claim WHERE release_file_id = :id", id=file_id)
        for claim in file.claims:
            tables.Claim(
                release_file_id=file_id, scanner=claim.scanner, result=claim.result, message=claim.message
            ).save(connection)


def _release(connection: Connection, row: Row[Any]) -> Release:
    return Release(
        hub=row.hub,
        model_id=row.model_hub_id,
        id=row.hub_id,
        model_name=row.model_name,
        name=row.name,
        kind=Kind.of(row.kind),
        kind_text=row.kind_text,
        base=row.base,
        family=Family.of(row.family),
        files=_files(connection, row.id),
        trigger_words=words(row.trigger_words),
        creator=row.creator,
        tags=words(row.tags),
        description=row.description,
        licence=evidence.release_licence(connection, row.id),
        level=NsfwLevel(row.level),
        nsfw=bool(row.nsfw),
        poi=bool(row.poi),
        minor=bool(row.minor),
        sfw_only=bool(row.sfw_only),
        merged=None if row.merged is None else bool(row.merged),
        access=Access.of(row.access),
        access_until=row.access_until,
        published=row.published_at,
        previews=previews(row.previews),
        page=row.page,
        air=row.air,
        parents=edges(row.parents),
        downloads=row.downloads,
        rating=row.rating,
        raw=row.json_text or "",
    )


def _files(connection: Connection, release_id: int) -> tuple[RemoteFile, ...]:
    claims: dict[int, list[Claim]] = {}
    sql = """SELECT c.* FROM claim c JOIN release_file f ON f.id = c.release_file_id
    WHERE f.release_id = :id ORDER BY c.id"""
    for row in query(connection, sql, id=release_id):
        claims.setdefault(row.release_file_id, []).append(Claim(row.scanner, row.result, row.message))
    sql = "SELECT * FROM release_file WHERE release_id = :id AND position IS NOT NULL ORDER BY position"
    return tuple(
        RemoteFile(
            id=row.hub_id,
            name=row.name,
            url=row.url,
            fallbacks=words(row.fallbacks),
            size=row.size,
            about=row.about,
            digests=digests(row.digests),
            role=Role.of(row.role),
            format=Format.of(row.format),
            precision=Precision.of(row.precision),
            extent=Extent.of(row.extent),
            primary=bool(row.is_primary),
            claims=tuple(claims.get(row.id, ())),
        )
        for row in query(connection, sql, id=release_id)
    )
