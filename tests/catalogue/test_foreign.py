from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sdkeep.catalogue.foreign import foreign_rows
from tests.makers.trees import picture_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "odd ?#name.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute('CREATE TABLE Cache (key, "odd ""name")')
        connection.executemany("INSERT INTO Cache VALUES (?, ?)", [(n, b"x") for n in range(5)])
        connection.execute("CREATE VIEW Seen AS SELECT * FROM Cache")
    connection.close()
    return path


def test_the_rows_of_a_table_are_read_and_nothing_is_left_beside(file: Path) -> None:
    before = picture_of(file.parent)
    assert list(foreign_rows(file, "Cache", ("key",))) == [(0,), (1,), (2,), (3,), (4,)]
    assert list(foreign_rows(file, "Cache", ("key",), most=2)) == [(0,), (1,)]
    assert picture_of(file.parent) == before


@pytest.mark.parametrize("table", ["Seen", "none", "sqlite_schema", 'Cache"; DROP TABLE Cache; --'])
def test_a_view_or_a_missing_table_has_no_rows(file: Path, table: str) -> None:
    assert list(foreign_rows(file, table, ("key",))) == []


def test_a_missing_column_or_file_or_a_folder_has_no_rows(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM Cache").fetchone() == (5,)
    connection.close()
    assert list(foreign_rows(file.parent, "Cache", ("key",))) == []
    assert list(foreign_rows(file.with_name("none"), "Cache", ("key",))) == []
    assert not file.with_name("none").exists()


def test_bytes_that_are_no_text_are_no_error(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM Cache")
        connection.execute("INSERT INTO Cache VALUES (CAST(x'ff41' AS TEXT), 1)")
    connection.close()
    assert list(foreign_rows(file, "Cache", ("key",))) == [("\udcffA",)]
