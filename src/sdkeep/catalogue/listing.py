"""Lists and local search: pages of artifacts, newest first or best first, fast at a hundred thousand."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection

from sdkeep.catalogue.artifacts import COLUMNS, restored
from sdkeep.catalogue.connection import different, query
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.record import Artifact
from sdkeep.ground.text import slug

_WORD = re.compile(r"[^\W_]+")
_WILD = re.compile("[%_!]")
_MOST_WORDS = 12
_RANKED = 1000
"""Up to this many hits are weighed; of more, those in name and title, else the newest."""

_COUNT = "SELECT count(*) AS total FROM artifact a"
_FOUND = "SELECT rowid AS id FROM artifact_search WHERE artifact_search MATCH :words"
_PLACED = "SELECT l.artifact_id FROM location l JOIN ui ON ui.id = l.ui_id WHERE ui.name = :ui"
_PRESENT = """(EXISTS (SELECT 1 FROM blob b WHERE b.artifact_id = a.id)
OR EXISTS (SELECT 1 FROM location l WHERE l.artifact_id = a.id AND l.missing_at = ''))"""
_LISTED = "a.sha256 IS NOT NULL"
_SIGHTED = "(a.sha256 IS NOT NULL OR EXISTS (SELECT 1 FROM location l WHERE l.artifact_id = a.id))"
_LIKE = "SELECT id FROM artifact WHERE title LIKE :words ESCAPE '!' OR file_name LIKE :words ESCAPE '!'"
_CURSOR = re.compile(r"([0-9TZ:.+-]*)~(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; empty and None mean "whatever".

    `base` is the claimed base model in any case; `ui` a registered interface that the file is placed in; `text` words
    that must all occur, beginnings sufficing; `present` leaves out what neither the store nor a known path holds;
    `unhashed` takes in files that are catalogued where they lie and not hashed yet.
    """

    kind: Kind | None = None
    family: Family | None = None
    base: str = ""
    ui: str = ""
    text: str = ""
    present: bool = False
    unhashed: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some artifacts of a list. `next_cursor` asks for what follows; None at the end."""

    items: tuple[Artifact, ...]
    next_cursor: str | None


EVERYTHING = Filter()


def page(connection: Connection, wanted: Filter, cursor: str | None, limit: int | None) -> Page:
    """The artifacts that fit, newest first, from `cursor` on; `limit` None means all the rest."""
    condition, values = _condition(connection, wanted)
    if cursor is not None:
        values["at"], values["before"] = _position(cursor)
        condition += " AND (a.added_at, a.id) < (:at, :before)"
    sql = f"{COLUMNS} WHERE {condition} ORDER BY a.added_at DESC, a.id DESC"
    if limit is not None:
        sql += f" LIMIT {max(0, limit) + 1}"
    rows = query(connection, sql, **values)
    shown = rows if limit is None else rows[: max(0, limit)]
    more = f"{shown[-1].added_at}~{shown[-1].id}" if shown and len(shown) < len(rows) else None
    return Page(restored(connection, shown), more)


def count(connection: Connection, wanted: Filter) -> int:
    """How many artifacts fit."""
    condition, values = _condition(connection, wanted)
    return int(query(connection, f"{_COUNT} WHERE {condition}", **values)[0].total)


def search(connection: Connection, text: str, limit: int) -> tuple[Artifact, ...]:
    """Artifacts whose words begin with all words of `text`: the one so named, then the best fitting first."""
    match = _match(text)
    if match is None:
        return page(connection, Filter(text=text), None, limit).items if text.strip() else ()
    titles = f"{{name title}} : ({match})"
    if _hits(connection, match) <= _RANKED:
        ids = _ids(connection, match, "bm25(artifact_search, 10, 8, 5, 3, 3, 3, 1), rowid DESC", limit)
    elif 0 < _hits(connection, titles) <= _RANKED:
        ids = _ids(connection, titles, "bm25(artifact_search, 10, 8), rowid DESC", limit)
    else:
        ids = _ids(connection, match, "rowid DESC", limit)
    named = query(connection, "SELECT artifact_id FROM artifact_name WHERE name = :name", name=slug(text))
    order = list(dict.fromkeys([row.artifact_id for row in named] + ids))[:limit]
    if not order:
        return ()
    rows = query(connection, f"{COLUMNS} WHERE a.id IN ({','.join(map(str, order))})")
    return restored(connection, sorted(rows, key=lambda row: order.index(row.id)))


def _condition(connection: Connection, wanted: Filter) -> tuple[str, dict[str, object]]:
    """What a row must satisfy. `+a.id` keeps the planner walking in date order, which ends after one page."""
    parts, values = [_SIGHTED if wanted.unhashed else _LISTED], dict[str, object]()
    if wanted.kind is not None:
        parts.append("a.kind = :kind")
        values["kind"] = wanted.kind.value
    if wanted.family is not None:
        parts.append("a.family = :family")
        values["family"] = wanted.family.value
    if wanted.base:
        spellings = {f"base{n}": base for n, base in enumerate(_bases(connection, wanted.base))}
        parts.append(f"a.base IN ({', '.join(f':{name}' for name in spellings)})")
        values |= spellings
    if wanted.ui:
        parts.append(f"+a.id IN ({_PLACED})")
        values["ui"] = wanted.ui
    if wanted.present:
        parts.append(_PRESENT)
    if wanted.text.strip():
        match = _match(wanted.text)
        parts.append(f"+a.id IN ({_FOUND if match else _LIKE})")
        values["words"] = match or "%" + _WILD.sub(r"!\g<0>", wanted.text.strip()) + "%"
    return " AND ".join(parts), values


def _bases(connection: Connection, base: str) -> list[str]:
    """The spellings of a base model that the catalogue holds, told apart by case alone."""
    known = different(connection, "artifact", "base")
    return [spelling for spelling in known if spelling.casefold() == base.casefold()] or [base]


def _match(text: str) -> str | None:
    """`text` as a full-text query in which every word is a beginning and none is an operator; None without words."""
    found = _WORD.findall(text)[:_MOST_WORDS]
    return " ".join(f'"{word}"*' for word in found) or None


def _hits(connection: Connection, match: str) -> int:
    sql = """SELECT count(*) AS hits FROM
    (SELECT rowid FROM artifact_search WHERE artifact_search MATCH :words LIMIT :most)"""
    return int(query(connection, sql, words=match, most=_RANKED + 1)[0].hits)


def _ids(connection: Connection, match: str, order: str, limit: int) -> list[int]:
    sql = f"{_FOUND} ORDER BY {order} LIMIT :limit"
    return [int(row.id) for row in query(connection, sql, words=match, limit=limit)]


def _position(cursor: str) -> tuple[str, int]:
    found = _CURSOR.fullmatch(cursor)
    if not found:
        raise UsageError(f"`{cursor}` is no cursor of this list", "a cursor comes from the page before", "`sdkeep ls`")
    return found[1], int(found[2])
