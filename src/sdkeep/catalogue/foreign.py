"""SQLite files that other programs keep, read without touching a byte: no lock, no journal, no trust in the schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_STEP = 10_000
_STEPS = 20_000
"""Together 200 million virtual machine steps, a few seconds: more than any honest cache needs."""


def foreign_rows(path: Path, table: str, columns: tuple[str, ...], most: int = 500_000) -> Iterator[tuple[object, ...]]:
    """The rows of one real table (no view), at most `most`; nothing where the file is no database or has no such table.

    The file is opened as if nobody could change it, so rows that its owner has not yet moved out of the write-ahead log
    are not seen, and a page that changes while it is read ends the reading.
    """
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as connection:
            connection.text_factory = _text
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.set_progress_handler(_Patience().spent, _STEP)
            known = connection.execute(
                "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? AND sql LIKE 'CREATE TABLE%'", (table,)
            ).fetchone()
            if known:
                names = ", ".join(f'"{column}"' for column in columns)
                yield from connection.execute(f'SELECT {names} FROM "{table}" LIMIT {int(most)}')  # noqa: S608
    except sqlite3.Error:
        return


class _Patience:
    def __init__(self) -> None:
        self._left = _STEPS

    def spent(self) -> bool:
        self._left -= 1
        return self._left < 0


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
