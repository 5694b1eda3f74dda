"""A drive that is not mounted: an empty folder, or none. Nothing follows from it, and nothing is written there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sdkeep.actions.away import EMPTY, GONE, Recorded, why_away
from tests.makers import models
from tests.makers.trees import picture_of
from tests.world import World

VERBS = (("sync", "--yes"), ("gc", "--keep-days", "0", "--yes"), ("verify",), ("doctor",))


@pytest.fixture
def placed(world: World, a1111: Path) -> Path:
    """Two files of ours in a WebUI, and one of a person's."""
    world.good("get", "civitai:1002@10021")
    world.good("get", "civitai:1004")
    mine = a1111 / "models/Lora/mine.safetensors"
    mine.write_bytes(models.safetensors(models.small_lora(), 41))
    world.good("sync", "--yes")
    return a1111


def unmount(folder: Path, how: str) -> Path:
    """Take away what is in a folder; where it is now."""
    kept = folder.with_name(f"{folder.name} kept")
    folder.rename(kept)
    if how == "empty":
        folder.mkdir()
    return kept


def mount(folder: Path, kept: Path) -> None:
    if folder.exists():
        folder.rmdir()
    kept.rename(folder)


def recorded(world: World) -> list[tuple[str, str, str]]:
    with world.house() as house:
        return [(one.path, one.sha256, one.missing) for one in house.book.locations(unhashed=True)]


def stored(world: World) -> set[str]:
    with world.house() as house:
        return {blob.sha256 for root in house.book.blob_roots() for blob in house.book.blobs_in(root)}


@pytest.mark.parametrize(
    ("which", "how"),
    [("", "gone"), ("", "empty"), ("models", "empty"), ("models/Lora", "empty")],
    ids=["root gone", "root empty", "models empty", "shelf empty"],
)
def test_a_webui_that_is_away_changes_nothing(world: World, placed: Path, which: str, how: str) -> None:
    before, folder = recorded(world), placed / which
    kept = unmount(folder, how)
    picture = picture_of(folder) if folder.exists() else None
    for arguments in VERBS:
        world.run(*arguments)
        assert recorded(world) == before, arguments
        assert (picture_of(folder) if folder.exists() else None) == picture, arguments
    mount(folder, kept)
    assert world.good("sync", "--check").data["differences"] == []


def test_sync_says_why_an_empty_folder_was_not_looked_at(world: World, placed: Path) -> None:
    unmount(placed / "models/Lora", "empty")
    result = world.good("sync", "--yes")
    assert result.data["away"] == {str(placed / "models/Lora"): EMPTY}
    assert "sync --forget" in world.run("sync", "--yes").stderr


def test_a_folder_that_a_person_emptied_is_believed_when_told(world: World, placed: Path) -> None:
    unmount(placed / "models/Lora", "empty")
    done = world.good("sync", "--forget", "--yes").data
    assert {one["what"] for one in done["differences"]} == {"vanished", "missing"}
    assert done["away"] == {}


def test_one_file_less_is_no_drive(world: World, placed: Path) -> None:
    (placed / "models/Lora/ink.safetensors").unlink()
    world.good("sync", "--yes")
    assert (placed / "models/Lora/ink.safetensors").is_file()


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_an_adopted_folder_that_is_away_is_not_missing(world: World, how: str) -> None:
    shelf = world.root / "shelf"
    shelf.mkdir()
    (shelf / "a.safetensors").write_bytes(models.safetensors(models.small_lora(), 42))
    world.good("add", "--in-place", str(shelf))
    before = recorded(world)
    kept = unmount(shelf, how)
    assert world.good("sync", "--yes").data["away"] == {str(shelf): EMPTY if how == "empty" else GONE}
    assert recorded(world) == before
    mount(shelf, kept)
    assert world.good("sync", "--check").data["differences"] == []


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_files_that_wait_to_be_hashed_wait_until_their_drive_is_back(world: World, how: str) -> None:
    shelf = world.root / "shelf"
    shelf.mkdir()
    (shelf / "a.safetensors").write_bytes(models.safetensors(models.small_lora(), 43))
    world.good("add", "--in-place", "--no-hash", str(shelf))
    kept = unmount(shelf, how)
    assert world.good("sync", "--yes").data["waiting"] == 1
    mount(shelf, kept)
    assert world.good("sync", "--yes").data["waiting"] == 0


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_store_that_is_away_is_neither_forgotten_nor_made_anew(world: World, placed: Path, how: str) -> None:
    root = next(world.root.rglob("sdkeep-store.json")).parent
    before = stored(world)
    kept = unmount(root, how)
    for arguments in (*VERBS, ("get", "civitai:1003"), ("place", "ink"), ("rm", "ink", "--yes")):
        world.run(*arguments)
        assert stored(world) == before, arguments
        assert not root.exists() or not list(root.iterdir()), arguments
    mount(root, kept)
    assert world.good("verify").status == 0


def test_nothing_is_placed_into_an_empty_mount_point(world: World, placed: Path) -> None:
    world.good("unplace", "ink")
    unmount(placed, "empty")
    result = world.json("place", "ink")
    assert result.codes == ["unknown-ui"]
    assert not list(placed.iterdir())


def test_a_link_to_an_empty_mount_point_is_away(world: World, placed: Path) -> None:
    drive = world.root / "drive"
    shutil.move(placed / "models/Lora", drive)
    (placed / "models/Lora").symlink_to(drive)
    world.good("sync", "--yes")
    before = recorded(world)
    kept = unmount(drive, "empty")
    world.good("sync", "--yes")
    assert recorded(world) == before
    assert not list(drive.iterdir())
    mount(drive, kept)


def test_paths_are_counted_below_a_folder_and_not_beside_it(tmp_path: Path) -> None:
    there = Recorded([str(tmp_path / "a/1"), str(tmp_path / "a/b/2"), str(tmp_path / "ab/3"), str(tmp_path / "a")])
    assert (there.below(tmp_path / "a"), there.below(tmp_path / "ab"), there.below(tmp_path / "c")) == (2, 1, 0)
    (tmp_path / "a").mkdir()
    assert why_away(tmp_path / "a", tmp_path, there, believed=False) == EMPTY
    assert why_away(tmp_path / "a", tmp_path, there, believed=True) == ""
    assert why_away(tmp_path / "c", tmp_path, there, believed=False) == ""
    assert why_away(tmp_path / "c", None, there, believed=False) == GONE
