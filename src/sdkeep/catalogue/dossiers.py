"""All that an audit asks about many artifacts, in a handful of queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, text

from sdkeep.catalogue import ancestry, evidence, places
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge
from sdkeep.ground.model import Claim
from sdkeep.ground.record import Blob, Location
from sdkeep.ground.verdict import Allowance, Verdict

T = TypeVar("T")

_THESE = "WHERE a.sha256 IN :these"
_LOCATIONS = f"{places.LOCATION} {_THESE} ORDER BY l.id"
_BLOBS = f"{places.BLOB} {_THESE} ORDER BY b.id"
_VERDICTS = """SELECT a.sha256, v.* FROM verdict v JOIN artifact a ON a.id = v.artifact_id
WHERE a.sha256 IN :these AND v.id = (SELECT max(w.id) FROM verdict w WHERE w.artifact_id = a.id)"""
_OWN_LICENCES = """SELECT a.sha256, l.* FROM licence l JOIN artifact a ON a.id = l.artifact_id
WHERE a.sha256 IN :these ORDER BY l.id"""
_RELEASE_LICENCES = """SELECT a.sha256, l.* FROM licence l JOIN release_file f ON f.release_id = l.release_id
JOIN artifact a ON a.id = f.artifact_id WHERE a.sha256 IN :these ORDER BY f.id"""
_EDGES = """SELECT a.sha256, e.* FROM edge e JOIN artifact a ON a.id = e.child_id
WHERE a.sha256 IN :these ORDER BY e.id"""
_CLAIMS = """SELECT a.sha256, c.scanner, c.result, c.message FROM claim c
JOIN release_file f ON f.id = c.release_file_id
JOIN artifact a ON a.id = f.artifact_id WHERE a.sha256 IN :these ORDER BY c.id"""
_PAGES = """SELECT a.sha256, r.page FROM release r JOIN release_file f ON f.release_id = r.id
JOIN artifact a ON a.id = f.artifact_id WHERE a.sha256 IN :these ORDER BY f.id"""
_ALLOWANCES = "SELECT * FROM allowance WHERE sha256 IN :these ORDER BY id"


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is on record about one artifact. `licence` is its own, else that of its release; `page` the latter's."""

    verdict: Verdict | None = None
    licence: Licence | None = None
    parents: tuple[Edge, ...] = ()
    locations: tuple[Location, ...] = ()
    blobs: tuple[Blob, ...] = ()
    claims: tuple[Claim, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    page: str = ""


def dossiers(connection: Connection, sha256s: Sequence[str]) -> dict[str, Dossier]:
    """The dossier of each of these artifacts, by its sha256; some hundreds at a time."""

    def rows(sql: str, make: Callable[[Row[Any]], T]) -> dict[str, list[T]]:
        found: dict[str, list[T]] = {}
        statement = text(sql).bindparams(bindparam("these", expanding=True))
        for row in connection.execute(statement, {"these": list(sha256s)}):
            found.setdefault(row.sha256, []).append(make(row))
        return found

    verdicts = rows(_VERDICTS, evidence.verdict_from)
    own, published = rows(_OWN_LICENCES, evidence.licence_from), rows(_RELEASE_LICENCES, evidence.licence_from)
    parents = rows(_EDGES, ancestry.edge_from)
    locations = rows(_LOCATIONS, places.location_from)
    blobs = rows(_BLOBS, places.blob_from)
    claims = rows(_CLAIMS, lambda row: Claim(row.scanner, row.result, row.message))
    allowances = rows(_ALLOWANCES, evidence.allowance_from)
    pages = rows(_PAGES, lambda row: str(row.page))
    return {
        sha256: Dossier(
            verdict=_last(verdicts.get(sha256)),
            licence=_last(own.get(sha256)) or _last(published.get(sha256)),
            parents=tuple(parents.get(sha256, ())),
            locations=tuple(locations.get(sha256, ())),
            blobs=tuple(blobs.get(sha256, ())),
            claims=tuple(claims.get(sha256, ())),
            allowances=tuple(allowances.get(sha256, ())),
            page=_last(pages.get(sha256)) or "",
        )
        for sha256 in sha256s
    }


def _last(found: list[T] | None) -> T | None:
    return found[-1] if found else None
