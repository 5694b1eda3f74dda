"""What was done to files, read back from the intents that were closed."""

from __future__ import annotations

from sqlalchemy import Connection

from sdkeep.catalogue.connection import query
from sdkeep.catalogue.packing import pairs
from sdkeep.ground.record import Intent, IntentState


def done(connection: Connection, action: str) -> tuple[Intent, ...]:
    """The intents of one kind that ended well, oldest first."""
    sql = "SELECT * FROM intent WHERE state = 'done' AND action = :action ORDER BY id"
    rows = query(connection, sql, action=action)
    return tuple(Intent(row.id, row.action, pairs(row.detail), IntentState(row.state), row.begun_at) for row in rows)
