"""Transactions, threads, processes, intents, health."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from sdkeep.catalogue import places
from sdkeep.catalogue.book import Book
from sdkeep.catalogue.connection import Connections
from sdkeep.catalogue.trouble import translated
from sdkeep.ground.errors import CatalogueBroken, CatalogueError, CatalogueLocked, NotFoundHere
from sdkeep.ground.record import Intent, IntentState, Ui
from tests.makers.records import artifact, noon, sha


def test_writes_of_one_transaction_happen_together_or_not_at_all(book: Book) -> None:
    with pytest.raises(NotFoundHere), book.transaction():
        book.put_artifact(artifact(1))
        book.put_blob(sha(2), "/root", 1)
    assert book.artifact(sha(1)) is None
    with book.transaction():
        book.put_artifact(artifact(1))
        book.put_blob(sha(1), "/root", 1)
        assert book.artifact(sha(1)).stored  # type: ignore[union-attr]
    assert book.stats().blobs == 1


def test_another_connection_sees_a_transaction_only_when_it_is_done(book: Book, path: Path) -> None:
    with Book.open(path, noon) as other:
        with book.transaction():
            book.put_artifact(artifact(1))
            assert other.artifact(sha(1)) is None
        assert other.artifact(sha(1))


def test_every_thread_may_read_while_one_writes(book: Book) -> None:
    book.put_artifact(artifact(1))
    with book.transaction():
        book.put_artifact(artifact(2))
        with ThreadPoolExecutor(4) as threads:
            seen = list(threads.map(lambda _: [item.name for item in book.list().items], range(16)))
    assert seen == [["model-1"]] * 16


@pytest.mark.parametrize("writers", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_processes_write_at_once_and_none_is_turned_away(path: Path, writers: int) -> None:
    program = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from sdkeep.catalogue.book import Book; from sdkeep.ground.record import Artifact, IntentState\n"
        "me = int(sys.argv[2])\n"
        "with Book.open(Path(sys.argv[1]), lambda: datetime.now(UTC)) as book:\n"
        "    for n in range(25):\n"
        "        sha256 = f'{me:02x}{n:062x}'\n"
        "        book.put_artifact(Artifact(sha256, 'same-name', 'x.pt'))\n"
        "        intent = book.begin_intent('place', {'to': str(n)})\n"
        "        with book.transaction():\n"
        "            book.put_blob(sha256, '/root', n)\n"
        "            book.close_intent(intent.id, IntentState.DONE)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, path, str(me)], stderr=subprocess.PIPE)
        for me in range(writers)
    ]
    assert [(process.communicate(timeout=100)[1], process.returncode) for process in running] == [(b"", 0)] * writers
    with Book.open(path, noon) as book:
        assert book.stats().artifacts == book.stats().blobs == 25 * writers
        assert len(set(book.name_like("same-name", 500))) == 25 * writers
        assert book.open_intents() == ()
        assert book.check() == ()


def test_an_intent_is_on_the_disk_before_it_is_acted_upon(book: Book, path: Path) -> None:
    begun = book.begin_intent("place", {"from": "/a", "to": "/b/\udcff"})
    with Book.open(path, noon) as other:
        assert other.open_intents() == (begun,)
    assert begun == Intent(
        begun.id, "place", {"from": "/a", "to": "/b/\udcff"}, IntentState.OPEN, "2026-07-13T12:00:00Z"
    )


@pytest.mark.parametrize("state", [IntentState.DONE, IntentState.UNDONE])
def test_a_closed_intent_is_no_longer_open(book: Book, state: IntentState) -> None:
    first, second = (book.begin_intent("get", {}) for _ in range(2))
    book.close_intent(first.id, state)
    assert book.open_intents() == (second,)


def test_an_intent_closes_with_the_transaction_or_stays_open(book: Book) -> None:
    begun = book.begin_intent("get", {})
    with pytest.raises(NotFoundHere), book.transaction():
        book.close_intent(begun.id, IntentState.DONE)
        book.put_blob(sha(1), "/root", 1)
    assert book.open_intents() == (begun,)


def test_an_intent_cannot_begin_inside_a_transaction(book: Book) -> None:
    with pytest.raises(RuntimeError), book.transaction():
        book.begin_intent("get", {})


def test_an_intent_is_written_with_full_synchronisation_and_the_rest_without(path: Path) -> None:
    connections = Connections(path, path.parent)
    with connections.durably():
        assert connections.bare().execute("PRAGMA synchronous").fetchone() == (2,)
    assert connections.bare().execute("PRAGMA synchronous").fetchone() == (1,)
    connections.close()


def test_a_catalogue_that_others_hold_for_too_long_is_called_busy(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        connections = Connections(path, path.parent, patience=0.05)
        with pytest.raises(CatalogueLocked, match="busy"), connections.writing():
            pass
        with connections.reading():
            pass
        connections.close()


def test_a_disk_without_room_is_told(path: Path) -> None:
    connections = Connections(path, path.parent)
    connections.bare().execute("PRAGMA max_page_count=1")
    with pytest.raises(CatalogueError, match="no room"), connections.writing() as connection:
        for number in range(2000):
            places.put_ui(connection, Ui(f"{number}" * 200, "a1111", "/x"), "")
    connections.close()


def test_an_io_error_on_a_full_volume_is_told_as_what_it_is(
    book: Book, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = sqlite3.OperationalError("disk I/O error")
    failure.sqlite_errorcode = sqlite3.SQLITE_IOERR
    for free, words in ((0, "no room"), (1 << 30, "refused")):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        with pytest.raises(CatalogueError, match=words), translated(path, path.parent):
            raise failure


def test_what_sqlite_says_otherwise_is_passed_on(book: Book, path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TABLE adopted")
    with pytest.raises(CatalogueError, match="refused") as caught:
        book.adopted()
    assert "no such table: adopted" in caught.value.why


def test_writing_inside_a_read_is_a_mistake_of_ours(path: Path) -> None:
    connections = Connections(path, path.parent)
    with pytest.raises(RuntimeError), connections.reading(), connections.writing():
        pass
    connections.close()


def test_a_catalogue_is_copied_while_it_is_open(book: Book, tmp_path: Path) -> None:
    book.put_artifact(artifact(1))
    copy = book.backup(tmp_path / "copies" / "registry.db")
    book.put_artifact(artifact(2))
    with Book.open(copy, noon) as restored:
        assert [item.name for item in restored.list().items] == ["model-1"]
    assert not list(copy.parent.glob("*.part"))


def test_a_sound_catalogue_has_no_problems_and_counts_what_it_knows(book: Book) -> None:
    book.put_artifact(artifact(1))
    book.put_blob(sha(1), "/root", 12)
    assert book.check() == ()
    assert (book.stats().artifacts, book.stats().blob_bytes) == (1, 12)


def test_a_row_that_belongs_to_nothing_is_reported(book: Book, path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO digest (artifact_id, kind, value, ours) VALUES (77, 'crc32', '00000001', 1)")
        raw.commit()
    assert book.check() == ("row 1 of `digest` belongs to a row of `artifact` that is gone",)


def test_a_damaged_page_is_told_as_a_broken_catalogue(path: Path) -> None:
    with Book.open(path, noon) as book, book.transaction():
        for number in range(200):
            book.put_artifact(artifact(number, description="x" * 500))
    raw = bytearray(path.read_bytes())
    raw[8192:] = b"\xa5" * (len(raw) - 8192)
    path.write_bytes(raw)
    with pytest.raises(CatalogueBroken, match=r"registry\.db"), Book.open(path, noon) as book:
        book.list()


def test_the_views_answer_a_person_with_another_tool(book: Book, path: Path) -> None:
    book.put_artifact(artifact(1, title="Ink"))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT name, title, sha256 FROM files").fetchall() == [("model-1", "Ink", sha(1))]
        for view in ("ancestry", "findings", "published"):
            assert raw.execute(f"SELECT * FROM {view}").fetchall() == []
