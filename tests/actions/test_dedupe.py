"""The same bytes in several places become one blob with links, and plain files again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.makers import models
from tests.makers.trees import picture_of
from tests.world import World, sha256

LORA = models.safetensors(models.small_lora(), 71)


@pytest.fixture
def comfy(world: World) -> Path:
    return world.ui("comfyui")


@pytest.fixture
def pair(a1111: Path, comfy: Path) -> tuple[Path, Path]:
    """The same LoRA in two WebUIs, put there by hand, each with its own time."""
    one, other = a1111 / "models/Lora/ink.safetensors", comfy / "models/loras/sub/other name.safetensors"
    for number, path in enumerate((one, other)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LORA)
        path.chmod(0o640)
        os.utime(path, ns=(10**18 + number, 10**18 + number))
    return one, other


def test_two_copies_become_one_file_with_two_names(world: World, pair: tuple[Path, Path]) -> None:
    done = world.good("dedupe", "--yes").data
    assert [one["outcome"] for one in done["files"]] == ["linked", "linked"]
    assert done["saved"] == len(LORA)
    assert pair[0].stat().st_ino == pair[1].stat().st_ino
    assert [path.read_bytes() for path in pair] == [LORA, LORA]
    assert world.blobs() == {sha256(LORA)}
    assert world.good("dedupe", "--yes").data["files"] == []


def test_a_dry_run_says_the_same_and_touches_nothing(world: World, pair: tuple[Path, Path]) -> None:
    before = picture_of(world.root / "uis")
    planned = world.good("dedupe", "--dry-run").data
    assert picture_of(world.root / "uis") == before
    assert world.blobs() == set()
    assert planned["saved"] == world.good("dedupe", "--yes").data["saved"] == len(LORA)


def test_it_asks_first(world: World, pair: tuple[Path, Path]) -> None:
    before = picture_of(world.root / "uis")
    assert world.json("dedupe").codes == ["needs-answer"]
    assert picture_of(world.root / "uis") == before


def test_undo_gives_back_files_with_their_mode_and_time(world: World, pair: tuple[Path, Path]) -> None:
    world.good("dedupe", "--yes")
    undone = world.good("dedupe", "--undo", "--yes").data
    assert [one["outcome"] for one in undone] == ["plain", "plain"]
    for number, path in enumerate(pair):
        info = path.stat()
        assert (path.read_bytes(), info.st_nlink, info.st_mode & 0o777) == (LORA, 1, 0o640)
        assert info.st_mtime_ns == 10**18 + number
    assert world.good("dedupe", "--undo", "--yes").data == []


def test_a_file_like_one_in_the_store_becomes_a_link_to_it(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021")
    twin = a1111 / "models/Lora/ink (1).safetensors"
    twin.write_bytes(world.file(13))
    (one,) = world.good("dedupe", "a1111", "--yes").data["files"]
    assert (one["path"], one["method"], one["saved"]) == (str(twin), "hardlink", len(world.file(13)))
    assert twin.samefile(a1111 / "models/Lora/ink.safetensors")


def test_rm_and_unplace_leave_what_was_the_persons_own(world: World, pair: tuple[Path, Path]) -> None:
    world.good("dedupe", "--yes")
    assert world.json("rm", "ink", "--yes").status == 1
    world.json("unplace", "ink")
    world.good("gc", "--keep-days", "0", "--yes")
    assert [path.read_bytes() for path in pair] == [LORA, LORA]
    assert world.blobs() == {sha256(LORA)}


def test_only_what_was_named_is_looked_at(world: World, pair: tuple[Path, Path]) -> None:
    outside = world.root / "mine" / "ink.safetensors"
    outside.parent.mkdir()
    outside.write_bytes(LORA)
    before = picture_of(outside.parent)
    world.good("dedupe", "--yes")
    assert picture_of(outside.parent) == before
    (one,) = world.good("dedupe", str(outside.parent), "--yes").data["files"]
    assert (one["outcome"], outside.stat().st_ino) == ("linked", pair[0].stat().st_ino)


def test_links_and_linked_folders_are_passed_over(world: World, a1111: Path) -> None:
    elsewhere = world.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.safetensors").write_bytes(LORA)
    (a1111 / "models/Lora/b.safetensors").write_bytes(LORA)
    (a1111 / "models/Lora/link.safetensors").symlink_to(elsewhere / "a.safetensors")
    (a1111 / "models/Lora/folder").symlink_to(elsewhere)
    before = picture_of(world.root / "uis"), picture_of(elsewhere)
    assert world.good("dedupe", "--yes").data["files"] == []
    assert (picture_of(world.root / "uis"), picture_of(elsewhere)) == before


def test_a_file_with_a_name_outside_is_not_made_read_only(world: World, pair: tuple[Path, Path]) -> None:
    outside = world.root / "outside.safetensors"
    os.link(pair[0], outside)
    os.link(pair[1], world.root / "outside too.safetensors")
    done = world.good("dedupe", "--yes").data
    assert [one["saved"] for one in done["files"]] == [0, 0]
    assert (outside.stat().st_mode & 0o777, outside.read_bytes()) == (0o640, LORA)


def test_dangerous_files_are_left(world: World, a1111: Path) -> None:
    from tests.makers import pickles

    bad = pickles.system("true") if hasattr(pickles, "system") else b"cos\nsystem\n(S'true'\ntR."
    for name in ("a.pt", "b.pt"):
        (a1111 / "embeddings" / name).write_bytes(bad)
    before = picture_of(world.root / "uis")
    done = world.good("dedupe", "--yes").data
    assert {one["outcome"] for one in done["files"]} == {"left"}
    assert picture_of(world.root / "uis") == before


def test_eject_makes_plain_files_of_every_placement(world: World, a1111: Path, comfy: Path) -> None:
    world.good("get", "civitai:1002@10021")
    done = world.good("eject", "--all", "--yes").data
    assert [one["outcome"] for one in done] == ["plain", "plain"]
    for path in (a1111 / "models/Lora/ink.safetensors", comfy / "models/loras/ink.safetensors"):
        assert (path.stat().st_nlink, path.read_bytes()) == (1, world.file(13))
    assert world.good("eject", "--all", "--yes").data == []
    assert world.blobs() == {sha256(world.file(13))}


def test_eject_of_one_webui_leaves_the_other(world: World, a1111: Path, comfy: Path) -> None:
    world.good("get", "civitai:1002@10021")
    (one,) = world.good("eject", "--ui", "comfyui", "--yes").data
    assert one["ui"] == "comfyui"
    assert (a1111 / "models/Lora/ink.safetensors").stat().st_nlink == 2


def test_eject_wants_to_be_told_what(world: World) -> None:
    assert world.json("eject").codes == ["usage"]


def test_du_names_what_only_the_store_holds_and_what_links_save(
    world: World, pair: tuple[Path, Path], a1111: Path
) -> None:
    world.good("dedupe", "--yes")
    world.good("get", "civitai:1002@10021", "--in", "a1111")
    world.good("unplace", "ink-2")
    usage = world.good("du").data
    assert usage["saved"] == len(LORA)
    assert [(one["name"], one["size"]) for one in usage["only_stored"]] == [("ink-2", len(world.file(13)))]
    assert {one["ui"]: one["linked"] for one in usage["uis"]} == {"a1111": 1, "comfyui": 1}
    (store,) = usage["stores"]
    assert store["files"] == 2
