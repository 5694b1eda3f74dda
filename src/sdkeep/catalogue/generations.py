"""Pictures made here, and the models that they were made with."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from sdkeep.catalogue.connection import changed, query
from sdkeep.ground.errors import UsageError
from sdkeep.ground.record import Generation, UsedModel

_WILD = re.compile("[%_!]")
_CURSOR = re.compile(r"([0-9TZ:.+-]*)~(\d{1,18})")
_MODELS = text("SELECT * FROM generation_model WHERE generation_id IN :ids ORDER BY id").bindparams(
    bindparam("ids", expanding=True)
)
_WORD = """(g.prompt LIKE :{0} ESCAPE '!' OR g.negative LIKE :{0} ESCAPE '!' OR g.path LIKE :{0} ESCAPE '!'
OR EXISTS (SELECT 1 FROM generation_model m WHERE m.generation_id = g.id AND m.name LIKE :{0} ESCAPE '!'))"""


@dataclass(frozen=True, slots=True)
class GenerationPage:
    """Some pictures of a list. `next_cursor` asks for what follows; None at the end."""

    items: tuple[Generation, ...]
    next_cursor: str | None


def put(connection: Connection, made: Generation, at: str) -> Generation:
    """Record a picture; one recorded under the same path is replaced, as the file was."""
    changed(connection, "DELETE FROM generation WHERE path = :path", path=made.path)
    changed(
        connection,
        """INSERT INTO generation (sha256, path, made_at, prompt, negative, infotext, settings, seed, width, height)
        VALUES (:sha256, :path, :made_at, :prompt, :negative, :infotext, :settings, :seed, :width, :height)""",
        sha256=made.sha256,
        path=made.path,
        made_at=made.made or at,
        prompt=made.prompt,
        negative=made.negative,
        infotext=made.infotext,
        settings=json.dumps(made.settings, ensure_ascii=False, separators=(",", ":")),
        seed=made.seed,
        width=made.width,
        height=made.height,
    )
    row_id = query(connection, "SELECT id FROM generation WHERE path = :path", path=made.path)[0].id
    sql = """INSERT INTO generation_model (generation_id, artifact_id, role, name, sha256, weight) VALUES
    (:id, (SELECT id FROM artifact WHERE sha256 = :sha256), :role, :name, :sha256, :weight)"""
    for one in made.models:
        changed(connection, sql, id=row_id, role=one.role, name=one.name, sha256=one.sha256, weight=one.weight)
    return _restored(connection, query(connection, "SELECT * FROM generation WHERE id = :id", id=row_id))[0]


def page(connection: Connection, words: str, model: str, cursor: str | None, limit: int | None) -> GenerationPage:
    """Pictures whose texts or models hold every word, made with the artifact `model` where given, newest first."""
    parts, values = ["1 = 1"], dict[str, object]()
    for number, word in enumerate(words.split()):
        parts.append(_WORD.format(f"word{number}"))
        values[f"word{number}"] = "%" + _WILD.sub(r"!\g<0>", word) + "%"
    if model:
        parts.append("EXISTS (SELECT 1 FROM generation_model m WHERE m.generation_id = g.id AND m.sha256 = :model)")
        values["model"] = model
    if cursor is not None:
        values["at"], values["before"] = _position(cursor)
        parts.append("(g.made_at, g.id) < (:at, :before)")
    sql = f"SELECT g.* FROM generation g WHERE {' AND '.join(parts)} ORDER BY g.made_at DESC, g.id DESC"  # noqa: S608
    if limit is not None:
        sql += f" LIMIT {max(0, limit) + 1}"
    rows = query(connection, sql, **values)
    shown = rows if limit is None else rows[: max(0, limit)]
    more = f"{shown[-1].made_at}~{shown[-1].id}" if shown and len(shown) < len(rows) else None
    return GenerationPage(_restored(connection, shown), more)


def of_picture(connection: Connection, sha256: str) -> tuple[Generation, ...]:
    """The pictures with these bytes."""
    return _restored(connection, query(connection, "SELECT * FROM generation WHERE sha256 = :sha256", sha256=sha256))


def drop(connection: Connection, path: str) -> bool:
    """Forget a picture; whether it was known."""
    return changed(connection, "DELETE FROM generation WHERE path = :path", path=path) > 0


def _restored(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Generation, ...]:
    models: dict[int, list[UsedModel]] = {}
    for start in range(0, len(rows), 500):
        ids = [row.id for row in rows[start : start + 500]]
        for one in connection.execute(_MODELS, {"ids": ids}):
            models.setdefault(one.generation_id, []).append(UsedModel(one.role, one.name, one.sha256, one.weight))
    return tuple(
        Generation(
            path=row.path,
            sha256=row.sha256,
            prompt=row.prompt,
            negative=row.negative,
            infotext=row.infotext,
            settings=json.loads(row.settings),
            seed=row.seed,
            width=row.width,
            height=row.height,
            models=tuple(models.get(row.id, ())),
            made=row.made_at,
            id=row.id,
        )
        for row in rows
    )


def _position(cursor: str) -> tuple[str, int]:
    found = _CURSOR.fullmatch(cursor)
    if not found:
        raise UsageError(f"`{cursor}` is no cursor of this list", "a cursor comes from the page before")
    return found[1], int(found[2])
