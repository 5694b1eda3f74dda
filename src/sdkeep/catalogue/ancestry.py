"""Lineage edges: what an artifact was made from, and what was made from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from sdkeep.catalogue.artifacts import COLUMNS, restored
from sdkeep.catalogue.connection import query
from sdkeep.ground.kinds import Kind
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.model import Release
from sdkeep.ground.record import Artifact

EDGES = """
SELECT e.id AS edge_id, e.child_id, e.relation, e.trust, e.parent, e.source, e.verbatim, e.weight, e.method FROM edge e
"""
_BY_SPELLING = text(f"{EDGES} WHERE e.parent IN :spellings AND e.trust <> 'name'").bindparams(
    bindparam("spellings", expanding=True)
)
_BY_AIR = f"{EDGES} WHERE e.trust = 'hub-id' AND e.parent LIKE :air"


def put(connection: Connection, child_id: int, edges: Iterable[Edge]) -> None:
    """Add claims about an artifact's parents. A claim that stands there already is not repeated, none is replaced."""
    from sdkeep.catalogue import tables

    known = set(of_child(connection, child_id))
    for edge in edges:
        if edge in known:
            continue
        known.add(edge)
        tables.Edge(
            child_id=child_id,
            relation=edge.relation.value,
            trust=edge.parent.trust.value,
            parent=edge.parent.value,
            source=edge.source,
            verbatim=edge.verbatim,
            weight=edge.weight,
            method=edge.method,
        ).save(connection)


def of_child(connection: Connection, child_id: int) -> tuple[Edge, ...]:
    """The claims about an artifact's parents, in the order they were recorded."""
    rows = query(connection, f"{EDGES} WHERE e.child_id = :id ORDER BY e.id", id=child_id)
    return tuple(edge_from(row) for row in rows)


def children(connection: Connection, parent_id: int, sha256: str) -> tuple[tuple[Artifact, Edge], ...]:
    """The artifacts that name these bytes as parent, each with the claim: by sha256, digest or hub reference.

    A parent that is only a name proves nothing and finds nobody.
    """
    spellings, airs = _spellings(connection, parent_id, sha256)
    return naming(connection, spellings, airs)


def naming(
    connection: Connection, spellings: Iterable[str], airs: Iterable[str] = ()
) -> tuple[tuple[Artifact, Edge], ...]:
    """The artifacts that claim a parent spelt exactly in one of these ways, by anything stronger than a name."""
    found = {row.edge_id: row for row in connection.execute(_BY_SPELLING, {"spellings": list(spellings)})}
    for air in airs:
        found.update({row.edge_id: row for row in query(connection, _BY_AIR, air=air)})
    ids = ",".join(str(row.child_id) for row in found.values()) or "NULL"
    rows = query(connection, f"{COLUMNS} WHERE a.id IN ({ids})")
    artifacts = dict(zip((row.id for row in rows), restored(connection, rows), strict=True))
    return tuple((artifacts[found[edge_id].child_id], edge_from(found[edge_id])) for edge_id in sorted(found))


def _spellings(connection: Connection, artifact_id: int, sha256: str) -> tuple[list[str], list[str]]:
    """What others may call an artifact exactly, and patterns of the AIR names of its Civitai version."""
    exact = [sha256, f"sha256:{sha256}", f"autov2:{sha256[:10]}"]
    sql = "SELECT kind, value FROM digest WHERE artifact_id = :id AND ours"
    exact += [f"{row.kind}:{row.value}" for row in query(connection, sql, id=artifact_id)]
    exact += [row.origin for row in query(connection, "SELECT origin FROM artifact WHERE id = :id", id=artifact_id)]
    airs = []
    sql = """SELECT m.hub, m.hub_id AS model, r.hub_id AS release, r.air FROM release_file f
    JOIN release r ON r.id = f.release_id JOIN model m ON m.id = r.model_id WHERE f.artifact_id = :id"""
    for row in query(connection, sql, id=artifact_id):
        exact.append(row.air)
        exact.append(Release(row.hub, row.model, row.release, "", "", Kind.UNKNOWN).ref)
        if row.hub == "civitai" and row.release.isdecimal():
            airs.append(f"%air:%:civitai:%@{row.release}")
        else:
            exact.append(f"hf:{row.model}")
    return [word for word in exact if word], airs


def edge_from(row: Row[Any]) -> Edge:
    """A claim from a row of `EDGES`."""
    return Edge(
        Parent(Trust(row.trust), row.parent), Relation(row.relation), row.source, row.verbatim, row.weight, row.method
    )
