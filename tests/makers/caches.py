"""The caches that WebUIs keep of the hashes they have taken."""

from __future__ import annotations

import pickle
import sqlite3
from pathlib import Path


def write_diskcache(root: Path, section: str, entries: dict[str, object]) -> Path:
    """The tables that diskcache makes, with its pickled values."""
    folder = root / "cache" / section
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "cache.db") as connection:
        connection.execute("CREATE TABLE Settings (key TEXT NOT NULL UNIQUE, value)")
        connection.execute(
            "CREATE TABLE Cache (rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER, store_time REAL, mode INTEGER "
            "DEFAULT 0, filename TEXT, value BLOB)"
        )
        rows = [(key, value if isinstance(value, bytes) else pickle.dumps(value, 5)) for key, value in entries.items()]
        connection.executemany("INSERT INTO Cache (key, raw, mode, value) VALUES (?, 1, 4, ?)", rows)
    connection.close()
    return folder / "cache.db"
