"""Connections to one catalogue file: one a thread, readers with a plain BEGIN, writers with BEGIN IMMEDIATE.

A deferred transaction that turns from reading to writing fails at once under WAL when another process wrote in
between, whatever the timeout; one that is immediate waits its turn. So who means to write says so at the start.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Row, create_engine, event, text
from sqlalchemy.pool import NullPool

from sdkeep.catalogue.spelling import read, spelt
from sdkeep.catalogue.trouble import translated

PATIENCE = 30.0
"""Seconds a connection waits for another process's write to end."""

_WRITES = "sdkeep_writes"
_LARGEST = 2**63 - 1


def connect(path: Path, patience: float = PATIENCE) -> sqlite3.Connection:
    """A bare connection in autocommit mode with the settings every connection needs; WAL is a property of the file."""
    raw = sqlite3.connect(os.fsencode(path), timeout=patience, isolation_level=None, check_same_thread=False)
    raw.text_factory = read
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY", "journal_size_limit=67108864"):
        raw.execute(f"PRAGMA {pragma}")
    return raw


class Connections:
    """The connections that this process holds to the catalogue at `path`."""

    def __init__(self, path: Path, backups: Path, patience: float = PATIENCE) -> None:
        self.path = path
        self.backups = backups
        self._engine = create_engine("sqlite://", creator=lambda: connect(path, patience), poolclass=NullPool)
        self._mine = threading.local()
        self._all: list[Connection] = []
        self._lock = threading.Lock()
        event.listen(self._engine, "begin", _begin)
        event.listen(self._engine, "before_cursor_execute", _spell, retval=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """This thread's connection inside a transaction, so that all reads of the block see one state."""
        with translated(self.path, self.backups):
            connection = self._connection()
            if connection.in_transaction():
                yield connection
            else:
                with connection.begin():
                    yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """This thread's connection inside a write transaction; one inside another joins it and commits with it."""
        with translated(self.path, self.backups):
            connection = self._connection()
            if connection.in_transaction():
                if not connection.info.get(_WRITES):
                    raise RuntimeError("a write was begun inside a read")
                yield connection
                return
            connection.info[_WRITES] = True
            try:
                with connection.begin():
                    yield connection
            finally:
                connection.info[_WRITES] = False

    @contextmanager
    def durably(self) -> Iterator[Connection]:
        """A write transaction of its own that is on the disk, power cut or not, when the block ends."""
        connection = self._connection()
        if connection.in_transaction():
            raise RuntimeError("a durable write cannot be part of another transaction")
        raw = self.bare()
        raw.execute("PRAGMA synchronous=FULL")
        try:
            with self.writing():
                yield connection
        finally:
            raw.execute("PRAGMA synchronous=NORMAL")

    def bare(self) -> sqlite3.Connection:
        """This thread's connection without its transactions, for what must happen outside of one."""
        return cast(sqlite3.Connection, self._connection().connection.driver_connection)  # what `connect` made

    def close(self) -> None:
        """Close every thread's connection; those threads must be done with the catalogue."""
        with self._lock:
            connections, self._all = self._all, []
        for connection in connections:
            connection.close()
        self._mine = threading.local()

    def _connection(self) -> Connection:
        mine: Connection | None = getattr(self._mine, "connection", None)
        if mine is None:
            mine = self._mine.connection = self._engine.connect()
            with self._lock:
                self._all.append(mine)
        return mine


def query(connection: Connection, sql: str, **values: object) -> Sequence[Row[Any]]:
    """The rows that `sql` answers with, `:name` standing for a value; empty for a statement that answers nothing."""
    result = connection.execute(text(sql), values)
    return result.all() if result.returns_rows else ()


def different(connection: Connection, table: str, column: str) -> tuple[str, ...]:
    """The different texts in an indexed column, in order, found by hops along the index however long it is."""
    sql = f"""WITH RECURSIVE hop (value) AS (SELECT min({column}) FROM {table}
    UNION ALL SELECT (SELECT min({column}) FROM {table} WHERE {column} > value) FROM hop WHERE value IS NOT NULL)
    SELECT value FROM hop WHERE value IS NOT NULL"""  # noqa: S608 (both names are ours)
    return tuple(str(row.value) for row in query(connection, sql))


def changed(connection: Connection, sql: str, **values: object) -> int:
    """Run a statement that writes; how many rows it changed."""
    return connection.execute(text(sql), values).rowcount


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get(_WRITES) else "BEGIN")


def _spell(
    _connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, executemany: bool
) -> tuple[str, Any]:
    return statement, [_row(row) for row in parameters] if executemany else _row(parameters)


def _row(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _storable(value) for name, value in values.items()}
    return tuple(map(_storable, values))


def _storable(value: object) -> object:
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else spelt(value)
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return _LARGEST if value > 0 else -_LARGEST  # a size that no file has, claimed by somebody
    return value
