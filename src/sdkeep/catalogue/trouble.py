"""What SQLite complains of, in the user's words."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from sdkeep.ground.errors import CatalogueBroken, CatalogueError, CatalogueLocked, KeepError, NotWritable

_PRIMARY = 0xFF  # an extended result code carries its primary code in the low byte
_ROOM = 1 << 20
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_REFUSED = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})


@contextmanager
def translated(path: Path, backups: Path) -> Iterator[None]:
    """Turn the database library's exceptions about the catalogue at `path` into ours."""
    try:
        yield
    except (sqlite3.Error, DBAPIError) as error:
        origin = error.orig if isinstance(error, DBAPIError) else error
        raise _ours(path, backups, origin) from error


def newest_backup(path: Path, backups: Path) -> Path | None:
    """The newest backup of the catalogue at `path`, if there is one."""
    found = sorted(backups.glob(f"{path.stem}-*.db"), key=lambda file: (file.stat().st_mtime_ns, file.name))
    return found[-1] if found else None


def broken(path: Path, backups: Path, why: str) -> CatalogueBroken:
    """The error for a catalogue that cannot be read, naming the newest backup to go back to."""
    newest = newest_backup(path, backups)
    remedy = (
        f"move `{path}` away and put the newest backup in its place: `cp '{newest}' '{path}'`"
        if newest
        else f"move it away (`mv '{path}' '{path}.broken'`) and the next command starts an empty one; "
        "no model file is touched"
    )
    return CatalogueBroken(f"the catalogue `{path}` cannot be read", why, remedy)


def _ours(path: Path, backups: Path, error: BaseException | None) -> KeepError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & _PRIMARY if isinstance(code, int) else None
    why = str(error)
    if primary in _BUSY:
        return CatalogueLocked(
            f"the catalogue `{path}` is busy",
            f"another program has held it for too long ({why})",
            "close what has it open (`sdkeep db path` prints where it lies) and try again",
        )
    if primary in _DAMAGED:
        return broken(path, backups, why)
    if primary in _REFUSED:
        return NotWritable(f"the catalogue `{path}` cannot be opened for writing", why, f"`ls -ld '{path.parent}'`")
    if primary == sqlite3.SQLITE_FULL or (primary == sqlite3.SQLITE_IOERR and _is_full(path.parent)):
        return CatalogueError(f"there is no room for the catalogue `{path}`", why, "`sdkeep gc` frees unused files")
    return CatalogueError(f"the catalogue `{path}` refused", why, "`sdkeep doctor` looks for what is wrong")


def _is_full(folder: Path) -> bool:
    """Whether the volume has no room: SQLite cannot map its shared memory there, and calls that an I/O error."""
    try:
        return shutil.disk_usage(folder).free < _ROOM
    except OSError:
        return False
