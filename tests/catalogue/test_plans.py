"""How SQLite finds the answers: a list or a look-up never reads a whole table, however long it has become."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sdkeep.catalogue import connection
from sdkeep.catalogue.book import Book
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.record import Location, Method, Ui
from tests.makers.records import artifact, noon, release, sha

Question = Callable[[Book], object]

LISTS: dict[str, Question] = {
    "everything": lambda book: book.list(),
    "what is present": lambda book: book.list(Filter(present=True)),
    "the next page": lambda book: book.list(Filter(present=True), cursor="2026-07-01T00:00:00Z~7"),
    "one kind": lambda book: book.list(Filter(kind=Kind.LORA, present=True)),
    "one family": lambda book: book.list(Filter(family=Family.SDXL)),
    "one interface": lambda book: book.list(Filter(ui="forge")),
    "a word": lambda book: book.list(Filter(text="model", present=True)),
}
LOOK_UPS: dict[str, Question] = {
    "a name": lambda book: book.by_name("model-1"),
    "a sha256": lambda book: book.artifact(sha(1)),
    "a short hash": lambda book: book.by_digest(Digest(DigestKind.AUTOV2, sha(1)[:10])),
    "the files of a release": lambda book: book.by_origin("civitai", "128713"),
    "its release": lambda book: book.release_of(sha(1)),
    "its verdict": lambda book: book.verdict_of(sha(1)),
    "its licence": lambda book: book.licence_of(sha(1)),
    "its places": lambda book: book.locations_of(sha(1)),
    "its blobs": lambda book: book.blobs_of(sha(1)),
    "its parents": lambda book: book.parents_of(sha(1)),
    "its children": lambda book: book.children_of(sha(1)),
    "names with a beginning": lambda book: book.name_like("mod"),
    "the store roots": lambda book: book.blob_roots(),
    "the claimed bases": lambda book: book.count(Filter(base="pony")),
    "a path": lambda book: book.location_at("/ui/model.safetensors"),
}
DERIVED = ("SCAN hit", "SCAN hits", "SCAN hop")  # sub-queries with a handful of rows
IN_ORDER = re.compile(r"SCAN a USING INDEX ix_artifact_(\w+_)?added_at_id")


@pytest.fixture
def asked(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Book, list[str]]]:
    """A catalogue with something of everything, and the statements that it is asked from then on."""
    heard: list[str] = []
    plain = connection.connect

    def listening(at: Path, patience: float = 1.0) -> sqlite3.Connection:
        raw = plain(at, patience)
        raw.set_trace_callback(heard.append)
        return raw

    monkeypatch.setattr(connection, "connect", listening)
    with Book.open(path, noon) as book:
        book.put_ui(Ui("forge", "forge", "/ui"))
        book.put_artifact(artifact(1))
        book.put_release(release())
        book.put_location(Location("/ui/model.safetensors", sha(1), Method.HARDLINK, True, "forge"))
        heard.clear()
        yield book, heard


def plan(path: Path, statements: list[str]) -> list[str]:
    """What SQLite says it does for these SELECTs, but for what it does inside the text index and with constants."""
    with closing(sqlite3.connect(path)) as raw:
        steps = [
            str(row[3])
            for statement in statements
            if statement.lstrip().upper().startswith(("SELECT", "WITH"))
            for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    return [step for step in steps if "VIRTUAL TABLE" not in step and "CONSTANT ROW" not in step]


@pytest.mark.parametrize("question", LISTS.values(), ids=LISTS)
def test_a_list_walks_an_index_in_date_order_and_sorts_nothing(
    asked: tuple[Book, list[str]], path: Path, question: Question
) -> None:
    book, statements = asked
    question(book)
    steps = plan(path, [statement for statement in statements if "ORDER BY a.added_at" in statement])
    assert steps
    assert not [step for step in steps if step.startswith("SCAN") and not IN_ORDER.match(step)]
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps


@pytest.mark.parametrize("question", LOOK_UPS.values(), ids=LOOK_UPS)
def test_a_look_up_searches_and_never_scans(asked: tuple[Book, list[str]], path: Path, question: Question) -> None:
    book, statements = asked
    question(book)
    steps = plan(path, statements)
    assert steps
    assert not [step for step in steps if step.startswith("SCAN") and step not in DERIVED]
