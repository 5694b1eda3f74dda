"""What can still be read of a catalogue that is broken: the facts that nothing else on the disk tells.

Table by table and row by row, read-only; whatever is damaged ends that table and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sdkeep.catalogue.spelling import read
from sdkeep.ground.record import Pin
from sdkeep.ground.verdict import Allowance

_ALLOWANCES = "SELECT name, sha256, who, at, reason FROM allowance"
_ADOPTED = "SELECT path FROM adopted ORDER BY id"
_ROOTS = "SELECT DISTINCT root FROM blob"
_PINS = """SELECT m.hub, m.hub_id, coalesce(r.hub_id, ''), p.note, p.at, m.name
FROM pin p JOIN model m ON m.id = p.model_id LEFT JOIN release r ON r.id = p.release_id"""
_IN_PLACE = """SELECT l.path, a.sha256 FROM location l JOIN artifact a ON a.id = l.artifact_id
WHERE l.method = 'in-place' AND a.sha256 IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """People's decisions, files that were catalogued where they lie (path and SHA-256), and folders taken in whole.

    `roots` are the stores that held something.
    """

    allowances: tuple[Allowance, ...] = ()
    in_place: tuple[tuple[str, str], ...] = ()
    adopted: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()
    roots: tuple[str, ...] = ()


def salvage(path: Path) -> Salvaged:
    """Read what can be read of the file at `path`, which may be anything at all; never raises, never writes."""
    if not path.is_file():
        return Salvaged()
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as raw:
            raw.text_factory = read
            allowances = tuple(Allowance(*row) for row in _rows(raw, _ALLOWANCES, 5))
            adopted = tuple(row[0] for row in _rows(raw, _ADOPTED, 1))
            in_place = tuple((row[0], row[1]) for row in _rows(raw, _IN_PLACE, 2))
            pins = tuple(Pin(*row) for row in _rows(raw, _PINS, 6))
            roots = tuple(row[0] for row in _rows(raw, _ROOTS, 1))
    except sqlite3.Error:
        return Salvaged()
    return Salvaged(allowances, in_place, adopted, pins, roots)


def _rows(raw: sqlite3.Connection, sql: str, width: int) -> Iterator[tuple[str, ...]]:
    try:
        for row in raw.execute(sql):
            if len(row) == width and all(isinstance(value, str) for value in row):
                yield row
    except (sqlite3.Error, UnicodeDecodeError):
        return
