"""Nothing is lost: files leave through the trash and come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.makers import models
from tests.makers.trees import picture_of
from tests.world import World, sha256


@pytest.fixture
def ink(world: World, a1111: Path) -> Path:
    """A LoRA that was fetched and placed."""
    world.good("get", "civitai:1002@10021")
    return a1111 / "models/Lora/ink.safetensors"


def test_rm_and_restore_and_place_lose_nothing(world: World, ink: Path) -> None:
    data = ink.read_bytes()
    (removed,) = world.good("rm", "ink", "--yes").data
    assert removed["trash"]
    assert not ink.exists()
    assert world.blobs() == set()
    assert world.good("ls").data["rows"] == []
    world.good("restore", "ink")
    world.good("place", "ink")
    assert ink.read_bytes() == data
    assert [entry for entry in world.trash() if entry["sha256"] == sha256(data)] == []


def test_rm_asks_and_refuses_where_nobody_answers(world: World, ink: Path) -> None:
    result = world.json("rm", "ink")
    assert (result.status, result.codes) == (2, ["needs-answer"])
    assert "--yes" in result.document["errors"][0]["next"]
    assert ink.is_file()


def test_dry_run_removes_nothing(world: World, ink: Path) -> None:
    before = picture_of(world.root / "uis")
    world.good("rm", "ink", "--dry-run")
    world.good("gc", "--dry-run", "--keep-days", "0")
    assert picture_of(world.root / "uis") == before
    assert world.blobs()


def test_rm_of_a_file_catalogued_where_it_lies_touches_nothing(world: World) -> None:
    path = world.root / "mine.safetensors"
    path.write_bytes(models.safetensors(models.small_lora(), 53))
    world.good("add", "--in-place", str(path))
    before = picture_of(path.parent / "mine.safetensors") or path.stat()
    (removed,) = world.good("rm", "mine", "--yes").data
    assert path.is_file()
    assert (picture_of(path) or path.stat()) == before
    assert removed["trash"] == []
    assert world.good("ls").data["rows"] == []


def test_a_removed_file_is_fetched_anew(world: World, ink: Path) -> None:
    world.good("rm", "ink", "--yes")
    (got,) = world.good("get", "ink").data
    assert got["files"][0]["sha256"] == sha256(world.file(13))
    assert ink.is_file()


def test_the_pickle_of_a_conversion_comes_back_from_the_trash(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1003")
    (entry,) = world.trash()
    world.good("restore", entry["id"])
    assert sha256(world.file(21)) in world.blobs()
    assert world.trash() == []


def test_what_is_not_in_the_trash_is_an_error(world: World) -> None:
    assert world.json("restore", "nothing").codes == ["not-found-here"]


def test_restore_of_several_ends_with_1_when_one_fails(world: World, ink: Path) -> None:
    world.good("rm", "ink", "--yes")
    assert world.json("restore", "ink", "nothing").status == 1


def test_gc_keeps_what_is_used_and_lets_old_trash_go(world: World, ink: Path) -> None:
    world.good("get", "civitai:1003")
    before = world.blobs()
    assert world.json("gc", "--keep-days", "0").status in (0, 2)
    result = world.good("gc", "--keep-days", "0", "--yes")
    assert world.blobs() == before
    assert sum(one["emptied"] for one in result.data) <= 1


def test_gc_without_a_store_is_fine(world: World) -> None:
    assert world.good("gc").data == []
