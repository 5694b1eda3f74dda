"""Migrations: from every past head, all or nothing, once."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
from argparse import Namespace
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from sdkeep.catalogue.book import Book
from sdkeep.catalogue.connection import Connections
from sdkeep.catalogue.schema import HEAD, Scripts, Upgrade, find_migrations, migrate, open_catalogue
from sdkeep.catalogue.tables import METADATA
from sdkeep.ground.errors import CatalogueError
from tests.makers.records import NOON, artifact, noon, sha

HEADS = sorted((Path(__file__).parent / "heads").glob("*.sql"))

AFTER = f"{int(HEAD) + 1:04}"
NEXT = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{next}", "{head}"
def upgrade():
    op.execute("CREATE TABLE novelty (id INTEGER)")
    with op.batch_alter_table("artifact", recreate="always") as batch:
        batch.add_column(sa.Column("colour", sa.Text(), nullable=False, server_default="red"))
    {then}
"""


def next_version(folder: Path, then: str = "") -> Scripts:
    """The migrations of a later sdkeep: a table rebuilt under its dependants, then whatever is wanted."""
    shutil.copytree(find_migrations(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"{AFTER}_next.py").write_text(NEXT.format(then=then, head=HEAD, next=AFTER))
    return Scripts(folder, AFTER)


def dump(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        rows = [(table, *row) for table in tables for row in raw.execute(f'SELECT * FROM "{table}"')]
        return raw.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall() + rows


def schema(path: Path) -> dict[str, object]:
    """What a file is made of: the columns of each table, the words of each index, trigger and view."""
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT name, type, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'").fetchall()
        return {
            name: sorted(raw.execute(f'PRAGMA table_info("{name}")'), key=lambda row: str(row[1]))
            if kind == "table"
            else sql and " ".join(sql.split())
            for name, kind, sql in rows
        }


def test_every_head_so_far_has_a_fixture() -> None:
    scripts = (find_migrations() / "versions").glob("[0-9]*.py")
    assert [path.stem for path in HEADS] == sorted(path.name[:4] for path in scripts)


@pytest.mark.parametrize("fixture", HEADS, ids=lambda path: path.stem)
def test_a_catalogue_of_each_past_head_comes_up_with_all_it_held(tmp_path: Path, fixture: Path) -> None:
    path = tmp_path / "registry.db"
    migrate(path, tmp_path / "backups", noon, Scripts(find_migrations(), fixture.stem))
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(fixture.read_text(encoding="utf-8"))
    with Book.open(path, noon) as book:
        assert book.opened == Upgrade(fixture.stem, HEAD, book.opened.backup)
        (item,) = book.list().items
        assert (item.name, item.trigger_words, item.stored) == ("dreamshaper-8", ("dream\ud800",), True)
        assert book.search("lykon") == (item,)
        release = book.release_of("a" * 64)
        assert release and release.files[0].claims[0].scanner == "picklescan"
        assert book.licence_of("a" * 64) == release.licence
        assert book.verdict_of("a" * 64).findings[0].rule == "st-metadata"  # type: ignore[union-attr]
        assert book.locations()[0].inode == 2**64 - 1
        assert book.sidecars_of("a" * 64)[0].content == "c" * 64
        assert book.parents_of("a" * 64)[0].verbatim == "base_model: …"
        assert (len(book.open_intents()), len(book.uis())) == (1, 1)
        assert book.check() == ()
        assert [one.dotted for one in book.allowances()] == (["acme.Net"] if fixture.stem >= "0002" else [])


def test_the_scripts_make_what_the_tables_say(path: Path) -> None:
    connections = Connections(path, path.parent)
    config = Config()
    config.set_main_option("script_location", str(find_migrations()))
    config.attributes["metadata"] = METADATA
    with connections.writing() as connection:
        config.attributes["connection"] = connection
        command.check(config)  # raises when a new upgrade operation is detected
    connections.close()


@pytest.mark.parametrize("head", [path.stem for path in HEADS[:-1]])
def test_going_back_leaves_the_schema_of_that_time(tmp_path: Path, head: str) -> None:
    for name in ("then", "back"):
        config = Config(cmd_opts=Namespace(x=[f"db={tmp_path / name}"]))
        config.set_main_option("script_location", str(find_migrations()))
        command.upgrade(config, head if name == "then" else "head")
    command.downgrade(config, head)
    assert schema(tmp_path / "back") == schema(tmp_path / "then")


def test_going_below_the_first_catalogue_is_refused(path: Path) -> None:
    connections = Connections(path, path.parent)
    config = Config()
    config.set_main_option("script_location", str(find_migrations()))
    with pytest.raises(RuntimeError, match="backup"), connections.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    connections.close()


@pytest.fixture
def stocked(path: Path) -> Path:
    with Book.open(path, noon) as book:
        for number in (1, 2):
            book.put_artifact(artifact(number, title=f"title{number}"))
            book.put_blob(sha(number), "/root", number)
    return path


def test_a_rebuilt_table_keeps_what_hangs_on_it_and_a_backup_is_made(stocked: Path, tmp_path: Path) -> None:
    scripts = next_version(tmp_path / "migrations")
    upgrade = migrate(stocked, tmp_path / "backups", noon, scripts)
    assert upgrade == Upgrade(HEAD, AFTER, upgrade.backup)
    with closing(sqlite3.connect(stocked)) as raw:
        assert raw.execute("SELECT count(*) FROM blob").fetchone() == (2,)
        found = raw.execute("SELECT rowid FROM artifact_search WHERE artifact_search MATCH 'title1'").fetchall()
        assert found == [(1,)]
        assert raw.execute("SELECT name FROM files ORDER BY name").fetchall() == [("model-1",), ("model-2",)]
        assert raw.execute("SELECT DISTINCT colour FROM artifact").fetchall() == [("red",)]
    assert upgrade.backup
    with Book.open(upgrade.backup, noon) as before:
        assert before.count() == 2


FAILURES = {
    "an exception": "raise ValueError('half-way')",
    "broken SQL": "op.execute('SELEC nonsense')",
    "a row that points nowhere": "op.execute('DELETE FROM artifact WHERE id = 1')",
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_migration_that_fails_leaves_the_file_as_it_was(stocked: Path, tmp_path: Path, what: str) -> None:
    scripts = next_version(tmp_path / "migrations", FAILURES[what])
    before = dump(stocked)
    with pytest.raises(CatalogueError) as caught:
        migrate(stocked, tmp_path / "backups", noon, scripts)
    assert dump(stocked) == before
    (backup,) = (tmp_path / "backups").iterdir()
    assert str(backup) in caught.value.what
    with Book.open(stocked, noon) as book:
        assert book.search("title1")
        assert book.check() == ()


def test_a_first_migration_that_fails_leaves_nothing_to_stumble_over(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with pytest.raises(CatalogueError):
        migrate(path, tmp_path / "backups", noon, next_version(tmp_path / "migrations", "raise ValueError"))
    with Book.open(path, noon) as book:
        assert book.check() == ()


def test_a_file_that_somebody_holds_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, other.close)
    release.start()
    assert migrate(path, tmp_path / "backups", noon, Scripts(find_migrations())).before == ""
    release.join()


def test_five_backups_are_kept_the_newest_ones(stocked: Path, tmp_path: Path) -> None:
    scripts = next_version(tmp_path / "migrations", "raise ValueError")
    for minute in range(8):
        with pytest.raises(CatalogueError):
            migrate(stocked, tmp_path / "backups", partial(NOON.replace, minute=minute), scripts)
    kept = sorted(file.name for file in (tmp_path / "backups").iterdir())
    assert kept == [f"registry-{HEAD}-20260713T120{minute}00.000000Z.db" for minute in range(3, 8)]


def test_a_developer_runs_alembic_on_a_file_of_choice(tmp_path: Path) -> None:
    config = Config(cmd_opts=Namespace(x=[f"db={tmp_path / 'registry.db'}"]))
    config.set_main_option("script_location", str(find_migrations()))
    command.upgrade(config, "head")
    command.check(config)
    with Book.open(tmp_path / "registry.db", noon) as book:
        assert book.opened == Upgrade(HEAD, HEAD)


def test_a_backup_folder_may_be_named(stocked: Path, tmp_path: Path) -> None:
    scripts = next_version(tmp_path / "migrations")
    connections, upgrade = open_catalogue(stocked, clock=noon, backups=tmp_path / "elsewhere", scripts=scripts)
    connections.close()
    assert upgrade.backup
    assert upgrade.backup.parent == tmp_path / "elsewhere"
    assert replace(upgrade, backup=None) == Upgrade(HEAD, AFTER)


@pytest.mark.parametrize("start", ["no file", "behind"])
def test_of_four_programs_starting_at_once_one_does_the_work(stocked: Path, tmp_path: Path, start: str) -> None:
    if start == "no file":
        path, scripts = tmp_path / "new" / "registry.db", Scripts(find_migrations())
    else:
        path, scripts = stocked, next_version(tmp_path / "migrations")
    program = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from sdkeep.catalogue.schema import Scripts, open_catalogue\n"
        "_, upgrade = open_catalogue(Path(sys.argv[1]), clock=lambda: datetime.now(UTC),\n"
        "    scripts=Scripts(Path(sys.argv[2]), sys.argv[3]))\n"
        "print(upgrade.before != upgrade.after)\n"
    )
    line = [sys.executable, "-c", program, path, scripts.folder, scripts.head]
    running = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    answers = [process.communicate(timeout=60) for process in running]
    assert [error for _, error in answers] == [b""] * 4
    assert sorted(out.strip() for out, _ in answers) == [b"False"] * 3 + [b"True"]
    backups = list(path.parent.glob("backups/*"))
    assert len(backups) == (0 if start == "no file" else 1)
