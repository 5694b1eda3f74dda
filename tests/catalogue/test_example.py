"""`registry.db.example`, the catalogue that comes with the source: today's program and any SQLite tool can read it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdkeep.catalogue.book import Book
from sdkeep.ground.lineage import Relation
from sdkeep.ground.verdict import Outcome
from tests.makers.records import noon

EXAMPLE = Path(__file__).resolve().parents[2] / "registry.db.example"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return shutil.copy(EXAMPLE, tmp_path / "registry.db")


@pytest.fixture
def example(copied: Path) -> Iterator[Book]:
    """A copy, brought to today's schema by being opened."""
    with Book.open(copied, noon) as opened:
        yield opened


def test_it_is_small_enough_to_lie_in_the_source() -> None:
    assert EXAMPLE.stat().st_size < 300_000


def test_it_is_sound_at_today_s_schema(example: Book) -> None:
    assert example.check() == ()


def test_it_lists_the_sample_models(example: Book) -> None:
    stored = {one.name: (one.kind, one.family) for one in example.list().items if one.stored}
    assert stored == {
        "lanternharbour-v10": ("checkpoint", "sd1"),
        "paper-lantern": ("lora", "sd1"),
        "lanternultra-free": ("checkpoint", "sd1"),
        "lantern-vae": ("vae", "unknown"),
    }
    assert [one.name for one in example.search("paper lantern")] == ["paper-lantern"]


def test_it_shows_a_conversion_and_what_was_refused(example: Book) -> None:
    tamed = example.by_name("lanternultra-free")
    assert tamed is not None and tamed.sha256
    edge = next(one for one in example.parents_of(tamed.sha256) if one.relation is Relation.CONVERTED_FROM)
    before, after = example.verdict_of(edge.parent.value), example.verdict_of(tamed.sha256)
    assert before is not None and after is not None
    assert (before.outcome, after.outcome) == (Outcome.DANGEROUS, Outcome.CLEAN)


@pytest.mark.parametrize("view", ["files", "ancestry", "findings", "published"])
def test_its_views_answer(copied: Path, view: str) -> None:
    connection = sqlite3.connect(copied)
    try:
        assert connection.execute(f"SELECT * FROM {view}").fetchall()
    finally:
        connection.close()


def test_it_names_no_place_of_the_machine_that_made_it(example: Book) -> None:
    assert {ui.root for ui in example.uis()} == {"/home/ada/stable-diffusion-webui"}
    assert all(location.path.startswith("/home/ada/") for location in example.locations())
    assert b"127.0.0.1" not in EXAMPLE.read_bytes()
    assert b"sdkeep-example-" not in EXAMPLE.read_bytes()
