"""Opening: current, new, behind, ahead, foreign, damaged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from sdkeep.catalogue.book import Book
from sdkeep.catalogue.schema import APPLICATION_ID, HEAD, Upgrade, find_migrations
from sdkeep.ground.errors import CatalogueBroken, CatalogueError, CatalogueTooNew, NotWritable
from tests.makers.records import artifact, noon


def test_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(find_migrations()))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [HEAD]
    assert [script.revision for script in scripts.walk_revisions()][-1] == "0001"


def test_a_new_catalogue_is_made_whole_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "home" / "of mine" / "registry.db"
    with Book.open(path, noon) as book:
        assert book.opened == Upgrade("", HEAD)
        assert book.check() == ()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert raw.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert not (path.parent / "backups").exists()


def test_an_empty_file_becomes_a_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.touch()
    with Book.open(path, noon) as book:
        assert book.opened.before == ""


@pytest.mark.skipif(os.name == "nt", reason="such names exist on Linux alone")
def test_a_path_that_is_no_utf8_holds_a_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "h\udcffme%20" / "registry.db"
    with Book.open(path, noon) as book:
        book.put_artifact(artifact(1))
    with Book.open(path, noon) as book:
        assert book.opened == Upgrade(HEAD, HEAD)
        assert book.count() == 1


def test_a_current_start_and_all_reading_load_neither_alembic_nor_the_tables(path: Path) -> None:
    program = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from sdkeep.catalogue.book import Book\n"
        "with Book.open(Path(sys.argv[1]), lambda: datetime.now(UTC)) as book:\n"
        "    book.list(); book.search('x'); book.by_name('x'); book.artifact('0' * 64); book.uis(); book.stats()\n"
        "    book.release_of('0' * 64); book.verdict_of('0' * 64); book.locations(); book.adopted()\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'alembic', 'sqlmodel', 'pydantic'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_catalogue_of_a_newer_program_is_refused_and_untouched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    before = path.read_bytes()
    with pytest.raises(CatalogueTooNew) as caught:
        Book.open(path, noon)
    assert "9999" in caught.value.why
    assert "pip install --upgrade sdkeep" in caught.value.next
    assert path.read_bytes() == before


FOREIGN = {
    "a database of another program": ["CREATE TABLE bookmarks (url TEXT)"],
    "another program that uses Alembic": [
        "CREATE TABLE alembic_version (version_num TEXT)",
        f"INSERT INTO alembic_version VALUES ('{HEAD}')",
    ],
    "our mark without a revision": [
        f"PRAGMA application_id = {APPLICATION_ID}",
        "CREATE TABLE alembic_version (version_num TEXT)",
    ],
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_database_that_is_not_ours_is_refused_and_untouched(tmp_path: Path, what: str) -> None:
    path = tmp_path / "registry.db"
    with closing(sqlite3.connect(path)) as raw:
        for statement in FOREIGN[what]:
            raw.execute(statement)
        raw.commit()
        before = list(raw.iterdump())
    with pytest.raises(CatalogueBroken, match=r"registry\.db"):
        Book.open(path, noon)
    with closing(sqlite3.connect(path)) as raw:
        assert list(raw.iterdump()) == before


def test_a_file_that_is_no_database_is_told_with_the_newest_backup(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(b"<!DOCTYPE html>" * 400)
    with pytest.raises(CatalogueBroken) as caught:
        Book.open(path, noon)
    assert f"mv '{path}'" in caught.value.next
    for name in ("registry-0001-1.db", "registry-0001-2.db"):
        (tmp_path / "backups").mkdir(exist_ok=True)
        (tmp_path / "backups" / name).touch()
    with pytest.raises(CatalogueBroken) as caught:
        Book.open(path, noon)
    assert "registry-0001-2.db" in caught.value.next


def test_a_folder_where_the_catalogue_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "registry.db").mkdir()
    with pytest.raises(NotWritable, match=r"registry\.db"):
        Book.open(tmp_path / "registry.db", noon)


def test_scripts_are_found_in_an_installed_package_before_a_checkout(tmp_path: Path) -> None:
    package = tmp_path / "src" / "sdkeep"
    (package / "_migrations").mkdir(parents=True)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "env.py").touch()
    assert find_migrations(package) == tmp_path / "migrations"
    (package / "_migrations" / "env.py").touch()
    assert find_migrations(package) == package / "_migrations"


def test_an_installation_without_scripts_says_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="missing"):
        find_migrations(tmp_path / "site-packages" / "sdkeep")
