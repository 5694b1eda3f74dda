"""Opening a catalogue: is it ours, is it current, and bringing it up to date when it is behind.

A start that is current reads one row. A migration runs on a connection of its own in one immediate transaction, after
a backup; whatever goes wrong leaves the file as it was. Of several programs starting at once, one does the work.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from sdkeep.catalogue.backups import Clock, backup_before
from sdkeep.catalogue.connection import PATIENCE, Connections, query
from sdkeep.catalogue.trouble import broken, translated
from sdkeep.ground.errors import CatalogueError, CatalogueTooNew, KeepError

HEAD = "0003"
"""The newest migration: what this program reads and writes."""

APPLICATION_ID = 0x53444B50

_SHAPE = "SELECT count(*) AS things, sum(name = 'alembic_version') AS versioned FROM sqlite_schema"
_STATE = """SELECT version_num, (SELECT application_id FROM pragma_application_id) AS application_id
FROM alembic_version"""


@dataclass(frozen=True, slots=True)
class Scripts:
    """Where the migrations lie and which one is the newest."""

    folder: Path
    head: str = HEAD


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What opening did: the revision found (empty for a new catalogue), the one reached, and the backup made."""

    before: str
    after: str
    backup: Path | None = None


def open_catalogue(
    path: Path, *, clock: Clock, backups: Path | None = None, scripts: Scripts | None = None, wal: bool = True
) -> tuple[Connections, Upgrade]:
    """Connections to the catalogue at `path`, created or brought up to date first.

    Without `wal` the file keeps a rollback journal: write-ahead logging shares memory between the processes that have
    it open, which a file on another machine cannot give them (sqlite.org/wal.html).
    Backups go to `backups`, by default the folder `backups` beside it. Raises `CatalogueTooNew` for one that a newer
    sdkeep wrote, `CatalogueBroken` for a damaged file or none of ours, `CatalogueLocked` when others keep it busy.
    """
    backups = backups or path.parent / "backups"
    head = scripts.head if scripts else HEAD
    found = _current(path, backups, head)
    if found is not None:
        if not wal:
            with translated(path, backups):
                _leave_wal(found.bare())
        return found, Upgrade(head, head)
    path.parent.mkdir(parents=True, exist_ok=True)
    upgrade = migrate(path, backups, clock, scripts or Scripts(find_migrations()), wal=wal)
    return Connections(path, backups), upgrade


def migrate(path: Path, backups: Path, clock: Clock, scripts: Scripts, *, wal: bool = True) -> Upgrade:
    """Bring the catalogue at `path` to the newest revision; a file that fails to get there stays as it was."""
    connections = Connections(path, backups)
    try:
        with translated(path, backups):
            (_use_wal if wal else _leave_wal)(connections.bare())
            # Both before BEGIN: inside a transaction the first is ignored. A table that a script rebuilds is dropped
            # and renamed, which must neither delete what belongs to its rows nor trip over the views on it.
            connections.bare().execute("PRAGMA foreign_keys=OFF")
            connections.bare().execute("PRAGMA legacy_alter_table=ON")
        with connections.writing() as connection:
            before = _revision(connection, path, backups, scripts.head)
            if before == scripts.head:  # somebody else did it while we waited
                return Upgrade(before, before)
            saved = backup_before(before, path, backups, clock) if before else None
            _run(connection, path, scripts, saved)
    finally:
        connections.close()
    return Upgrade(before, scripts.head, saved)


def find_migrations(package: Path | None = None) -> Path:
    """The folder of migration scripts: inside the installed `package`, else at the top of the checkout it lies in."""
    package = package or Path(__file__).parent.parent
    for folder in (package / "_migrations", package.parent.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise CatalogueError(
        "the migration scripts are missing",
        f"neither `{package / '_migrations'}` nor a checkout holds them",
        "install again: `pip install --force-reinstall sdkeep`",
    )


def _current(path: Path, backups: Path, head: str) -> Connections | None:
    """Connections when the file is at `head`, None when there is something to do."""
    if not path.exists():
        return None
    connections = Connections(path, backups)
    try:
        with connections.reading() as connection:
            if _revision(connection, path, backups, head) == head:
                return connections
    except KeepError:
        connections.close()
        raise
    connections.close()
    return None


def _revision(connection: Connection, path: Path, backups: Path, head: str) -> str:
    """The revision that the file is at, empty for an empty file; raises when it is none that we may touch."""
    (there,) = query(connection, _SHAPE)
    if not there.things:
        return ""
    rows = query(connection, _STATE) if there.versioned else ()
    if len(rows) != 1 or rows[0].application_id != APPLICATION_ID:
        raise broken(path, backups, "it is a database of some other program: it does not bear sdkeep's mark")
    found = str(rows[0].version_num)
    if found > head:
        raise CatalogueTooNew(
            f"the catalogue `{path}` was written by a newer sdkeep",
            f"it is at schema {found}, and this program knows {head}",
            "`pip install --upgrade sdkeep`",
        )
    return found


def _use_wal(raw: sqlite3.Connection) -> None:
    """Switch the file to write-ahead logging, once in its life; this needs a moment with nobody else in it."""
    deadline = time.monotonic() + PATIENCE
    while raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            raw.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _leave_wal(raw: sqlite3.Connection) -> None:
    """Switch the file to a rollback journal; while another process has it open it stays as it is, for this time."""
    try:
        if raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            raw.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise


def _run(connection: Connection, path: Path, scripts: Scripts, saved: Path | None) -> None:
    """Run the scripts inside the open transaction, and check what they left."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts.folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, scripts.head)
        orphans = query(connection, "PRAGMA foreign_key_check")
        if orphans:
            raise RuntimeError(f"{len(orphans)} rows would point nowhere, the first in `{orphans[0][0]}`")
    except Exception as error:
        kept = f"; a copy from before is `{saved}`" if saved else ""
        raise CatalogueError(
            f"the catalogue `{path}` could not be brought up to date; it is as it was{kept}",
            str(error).partition("\n")[0],
            "`sdkeep db upgrade --debug` tries again and shows where it fails",
        ) from error
