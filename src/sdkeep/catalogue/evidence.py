"""What is said of an artifact: verdicts of scans, decisions of people, and licences of publishers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row

from sdkeep.catalogue.connection import changed, query
from sdkeep.catalogue.packing import findings, flags, packed, packed_findings, words
from sdkeep.ground.licence import Licence, Use
from sdkeep.ground.verdict import Allowance, Basis, Outcome, Verdict

_SAME_VERDICT = "DELETE FROM verdict WHERE artifact_id = ? AND engine = ? AND policy = ?"
_VERDICT = """INSERT INTO verdict (artifact_id, outcome, container, engine, policy, at, findings, unread)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


def put_verdicts(connection: Connection, verdicts: Mapping[int, Verdict], at: str) -> None:
    """Record verdicts by artifact; one by the same engine under the same policy is replaced, older ones stay."""
    if any(verdict.basis is not Basis.WHOLE for verdict in verdicts.values()):
        raise ValueError("a verdict formed from parts of a file is provisional and never stored")
    if not verdicts:
        return
    same = [(artifact_id, verdict.engine, verdict.policy) for artifact_id, verdict in verdicts.items()]
    rows = [
        (
            artifact_id,
            verdict.outcome.value,
            verdict.container,
            verdict.engine,
            verdict.policy,
            at,
            packed_findings(verdict.findings) if verdict.findings else "[]",
            packed(verdict.unread) if verdict.unread else "[]",
        )
        for artifact_id, verdict in verdicts.items()
    ]
    connection.exec_driver_sql(_SAME_VERDICT, same)
    connection.exec_driver_sql(_VERDICT, rows)


def verdict_of(connection: Connection, sha256: str) -> Verdict | None:
    """The verdict recorded last for these bytes."""
    sql = """SELECT v.* FROM verdict v JOIN artifact a ON a.id = v.artifact_id
    WHERE a.sha256 = :sha256 ORDER BY v.id DESC LIMIT 1"""
    for row in query(connection, sql, sha256=sha256):
        return verdict_from(row)
    return None


def verdict_from(row: Row[Any]) -> Verdict:
    """A verdict from a row of its table."""
    return Verdict(
        Outcome(row.outcome), row.container, findings(row.findings), words(row.unread), row.engine, row.policy
    )


def allow(connection: Connection, allowance: Allowance, at: str) -> None:
    """Record a decision, replacing an earlier one about the same name and file."""
    from sdkeep.catalogue import tables

    tables.Allowance(
        sha256=allowance.sha256,
        name=allowance.dotted,
        who=allowance.by,
        at=allowance.at or at,
        reason=allowance.reason,
    ).save(connection, "sha256", "name")


def disallow(connection: Connection, sha256: str, dotted: str) -> bool:
    """Take a decision back; whether there was one."""
    sql = "DELETE FROM allowance WHERE sha256 = :sha256 AND name = :name"
    return changed(connection, sql, sha256=sha256, name=dotted) > 0


def allowances(connection: Connection, sha256: str = "") -> tuple[Allowance, ...]:
    """The decisions about one file, or all of them, oldest first."""
    sql = "SELECT * FROM allowance WHERE :sha256 IN ('', sha256) ORDER BY id"
    rows = query(connection, sql, sha256=sha256)
    return tuple(map(allowance_from, rows))


def allowance_from(row: Row[Any]) -> Allowance:
    """A decision from a row of its table."""
    return Allowance(row.name, row.sha256, row.who, row.at, row.reason)


def put_licence(connection: Connection, artifact_id: int, licence: Licence) -> None:
    """Record a licence for an artifact; what the same source said before is replaced."""
    changed(
        connection,
        "DELETE FROM licence WHERE artifact_id = :id AND source = :source",
        id=artifact_id,
        source=licence.source,
    )
    _save(connection, licence, artifact_id=artifact_id)


def licence_of(connection: Connection, sha256: str) -> Licence | None:
    """The licence recorded last for these bytes, else that of the release they came from."""
    own = (
        "SELECT l.* FROM licence l JOIN artifact a ON a.id = l.artifact_id WHERE a.sha256 = :sha256 ORDER BY l.id DESC"
    )
    published = """SELECT l.* FROM licence l JOIN release_file f ON f.release_id = l.release_id
    JOIN artifact a ON a.id = f.artifact_id WHERE a.sha256 = :sha256 ORDER BY f.id DESC"""
    rows = query(connection, f"{own} LIMIT 1", sha256=sha256) or query(
        connection, f"{published} LIMIT 1", sha256=sha256
    )
    return licence_from(rows[0]) if rows else None


def put_release_licence(connection: Connection, release_id: int, licence: Licence) -> None:
    """Record the licence a release states now; none stated leaves no row."""
    changed(connection, "DELETE FROM licence WHERE release_id = :id", id=release_id)
    if licence != Licence():
        _save(connection, licence, release_id=release_id)


def release_licence(connection: Connection, release_id: int) -> Licence:
    """The licence that a release states; one that allows and says nothing when it states none."""
    rows = query(connection, "SELECT * FROM licence WHERE release_id = :id", id=release_id)
    return licence_from(rows[0]) if rows else Licence()


def _save(
    connection: Connection, licence: Licence, *, artifact_id: int | None = None, release_id: int | None = None
) -> None:
    from sdkeep.catalogue import tables

    tables.Licence(
        artifact_id=artifact_id,
        release_id=release_id,
        licence=licence.id,
        name=licence.name,
        url=licence.url,
        allows=packed({use.value: allowed for use, allowed in licence.allows.items()}),
        base_model=licence.base_model,
        source=licence.source,
        seen_at=licence.seen,
        verbatim=licence.verbatim,
    ).save(connection)


def licence_from(row: Row[Any]) -> Licence:
    """A licence from a row of its table."""
    return Licence(
        id=row.licence,
        name=row.name,
        url=row.url,
        allows={Use(use): allowed for use, allowed in flags(row.allows).items()},
        base_model=row.base_model,
        source=row.source,
        seen=row.seen_at,
        verbatim=row.verbatim,
    )
