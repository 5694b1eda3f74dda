"""How the catalogue is: counts, and whether the file is sound."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sdkeep.catalogue.connection import changed, query

_COUNTED = {
    "artifacts": "SELECT count(*) FROM artifact WHERE sha256 IS NOT NULL",
    "blobs": "SELECT count(*) FROM blob",
    "blob_bytes": "SELECT coalesce(sum(size), 0) FROM blob",
    "locations": "SELECT count(*) FROM location",
    "uis": "SELECT count(*) FROM ui",
    "releases": "SELECT count(*) FROM release",
    "edges": "SELECT count(*) FROM edge",
    "verdicts": "SELECT count(*) FROM verdict",
    "open_intents": "SELECT count(*) FROM intent WHERE state = 'open'",
}


@dataclass(frozen=True, slots=True)
class Stats:
    """How much the catalogue knows; sizes in bytes."""

    artifacts: int
    blobs: int
    blob_bytes: int
    locations: int
    uis: int
    releases: int
    edges: int
    verdicts: int
    open_intents: int


def stats(connection: Connection) -> Stats:
    """Counts of what is recorded."""
    return Stats(**{name: int(query(connection, sql)[0][0]) for name, sql in _COUNTED.items()})


def problems(connection: Connection) -> tuple[str, ...]:
    """What is wrong with the file, a line each; empty when it is sound. Reads all of it."""
    damage = [str(row[0]) for row in query(connection, "PRAGMA quick_check") if row[0] != "ok"]
    orphans = [
        f"row {row.rowid} of `{row.table}` belongs to a row of `{row.parent}` that is gone"
        for row in query(connection, "PRAGMA foreign_key_check")
    ]
    return (*damage, *orphans)


def rebuild_search(connection: Connection) -> None:
    """Make the full-text index anew; it holds nothing that the tables do not."""
    changed(connection, "INSERT INTO artifact_search (artifact_search) VALUES ('rebuild')")
