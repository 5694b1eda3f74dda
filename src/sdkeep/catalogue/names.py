"""Catalogue names: one slug an artifact, unique, given once and changed only when a person asks."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import PurePosixPath

from sqlalchemy import Connection, bindparam, text

from sdkeep.catalogue.connection import changed, query
from sdkeep.ground.errors import UsageError
from sdkeep.ground.record import Artifact
from sdkeep.ground.text import slug

_AFTER = "{"  # the character after the last one a slug may hold
_CANDIDATES = 400
_TAKEN = text("SELECT name FROM artifact_name WHERE name IN :these").bindparams(bindparam("these", expanding=True))


def free_name(connection: Connection, artifact: Artifact) -> str:
    """A name for a new artifact: what it asks for or is called, with `-2`, `-3`, … where that is taken."""
    wish = wished(artifact)
    taken = {name for name in starting_with(connection, wish, None) if name == wish or name.startswith(f"{wish}-")}
    if wish not in taken:
        return wish
    return next(name for name in (f"{wish}-{count}" for count in range(2, len(taken) + 3)) if name not in taken)


def wished(artifact: Artifact) -> str:
    """The name that an artifact asks for or is called, whether it is free or not."""
    wishes = (artifact.name, artifact.title, PurePosixPath(artifact.file_name).stem, (artifact.sha256 or "")[:10])
    return next(filter(None, map(slug, wishes)), "unnamed")


def taken(connection: Connection, wishes: Sequence[str]) -> set[str]:
    """Those of some hundreds of names that are taken."""
    return {str(row.name) for row in connection.execute(_TAKEN, {"these": list(wishes)})}


def give(connection: Connection, artifact_id: int, name: str) -> None:
    """Name an artifact that has no name."""
    changed(
        connection,
        "INSERT INTO artifact_name (name, artifact_id) VALUES (:name, :artifact)",
        name=name,
        artifact=artifact_id,
    )


def change(connection: Connection, artifact_id: int, name: str) -> str:
    """Give an artifact another name, because a person said so; the slug it became."""
    wish = slug(name)
    if not wish:
        raise UsageError(f"`{name}` cannot be a name", "a name has letters a to z, digits and dashes")
    owner = query(connection, "SELECT artifact_id FROM artifact_name WHERE name = :name", name=wish)
    if owner and owner[0].artifact_id != artifact_id:
        raise UsageError(f"the name `{wish}` is taken", "names are unique", f"`sdkeep show name:{wish}` shows by what")
    changed(
        connection,
        "UPDATE artifact_name SET name = :name WHERE artifact_id = :artifact",
        name=wish,
        artifact=artifact_id,
    )
    return wish


def starting_with(connection: Connection, prefix: str, limit: int | None) -> tuple[str, ...]:
    """Names that begin with `prefix`, in order, at most `limit` of them."""
    sql = "SELECT name FROM artifact_name WHERE name >= :low AND name < :high ORDER BY name"
    if limit is not None:
        sql += f" LIMIT {int(limit)}"
    return tuple(str(row.name) for row in query(connection, sql, low=prefix, high=prefix + _AFTER))


def nearest(connection: Connection, name: str, limit: int) -> tuple[str, ...]:
    """The names most like a mistyped one, best first."""
    wish = slug(name)
    candidates: dict[str, None] = {}
    for length in range(len(wish), 0, -1):
        candidates.update(dict.fromkeys(starting_with(connection, wish[:length], _CANDIDATES)))
        if len(candidates) >= _CANDIDATES:
            break
    for word in wish.split("-"):
        sql = "SELECT name FROM artifact_name WHERE name LIKE :word LIMIT :most"
        rows = query(connection, sql, word=f"%{word}%", most=_CANDIDATES)
        candidates.update(dict.fromkeys(str(row.name) for row in rows))
    return tuple(difflib.get_close_matches(wish, candidates, n=limit, cutoff=0.5))
