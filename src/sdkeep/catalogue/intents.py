"""Intents: one row written before each file action, so that a crash leaves a note of what to finish or undo."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from sdkeep.catalogue.connection import changed, query
from sdkeep.catalogue.packing import packed, pairs
from sdkeep.ground.record import Intent, IntentState


def begin(connection: Connection, action: str, detail: Mapping[str, str], at: str) -> Intent:
    """Note an action that is about to touch files."""
    sql = """INSERT INTO intent (action, state, begun_at, closed_at, detail)
    VALUES (:action, 'open', :at, '', :detail) RETURNING id"""
    (row,) = query(connection, sql, action=action, at=at, detail=packed(detail))
    return Intent(row.id, action, dict(detail), IntentState.OPEN, at)


def close(connection: Connection, id: int, state: IntentState, at: str) -> None:
    """Note how the action ended."""
    sql = "UPDATE intent SET state = :state, closed_at = :at WHERE id = :id"
    changed(connection, sql, id=id, state=state.value, at=at)


def still_open(connection: Connection) -> tuple[Intent, ...]:
    """The actions that began and have not ended, oldest first."""
    rows = query(connection, "SELECT * FROM intent WHERE state = 'open' ORDER BY id")
    return tuple(Intent(row.id, row.action, pairs(row.detail), IntentState(row.state), row.begun_at) for row in rows)
