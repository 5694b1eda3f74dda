"""Copies of the catalogue, taken with SQLite's backup API while others may be using it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sdkeep.catalogue.connection import connect

Clock = Callable[[], datetime]
KEPT = 5


def backup(path: Path, to: Path) -> Path:
    """Copy the catalogue at `path` as last committed to the new file `to`, which appears whole or not at all."""
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(to.name + ".part")
    part.unlink(missing_ok=True)
    with closing(connect(path)) as source, closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, to be moved about by hand
    part.replace(to)
    return to


def backup_before(revision: str, path: Path, folder: Path, clock: Clock) -> Path:
    """Back up ahead of a migration from `revision`, keeping the newest few of such copies."""
    at = clock().astimezone(UTC)
    made = backup(path, folder / f"{path.stem}-{revision}-{at:%Y%m%dT%H%M%S.%fZ}.db")
    copies = sorted(folder.glob(f"{path.stem}-*.db"), key=lambda file: (file.stat().st_mtime_ns, file.name))
    for old in copies[:-KEPT]:
        old.unlink(missing_ok=True)
    return made
