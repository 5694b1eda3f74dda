"""A lost or broken catalogue is made anew from what lies on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.makers import models
from tests.makers.trees import picture_of
from tests.world import World, sha256

MINE = models.safetensors(models.small_lora(), 72)


@pytest.fixture
def library(world: World, a1111: Path) -> Path:
    """A placed LoRA, a deduplicated file of the person's, one catalogued where it lies, and one unknown."""
    comfy = world.ui("comfyui")
    world.good("get", "civitai:1002@10021")
    for path in (a1111 / "models/Lora/mine.safetensors", comfy / "models/loras/mine.safetensors"):
        path.write_bytes(MINE)
    world.good("dedupe", "--yes")
    (a1111 / "models/Lora/unknown.safetensors").write_bytes(b"\0" * 33)
    return a1111


def known(world: World) -> list[tuple[str, str, str, bool, str]]:
    with world.house() as house:
        return [(one.path, one.sha256, str(one.method), one.ours, one.ui) for one in house.book.locations()]


@pytest.mark.parametrize("loss", ["deleted", "scribbled", "cut", "folder"])
def test_what_was_known_of_places_is_known_again(world: World, library: Path, loss: str) -> None:
    before, names = known(world), [one["name"] for one in world.good("ls").data["rows"]]
    disk = picture_of(world.root / "uis")
    if loss == "deleted":
        world.catalogue.unlink()
    elif loss == "scribbled":
        world.catalogue.write_bytes(b"\0" * 9000)
    elif loss == "cut":
        world.catalogue.write_bytes(world.catalogue.read_bytes()[:5000])
    else:
        for path in sorted(world.home.glob("registry*")):
            path.unlink()
    rebuilt = world.good("db", "rebuild").data
    assert known(world) == before
    assert sorted(one["name"] for one in world.good("ls").data["rows"]) == sorted(names)
    assert picture_of(world.root / "uis") == disk
    assert (rebuilt["placed"], rebuilt["files"]) == (4, 2)
    assert bool(rebuilt["kept"]) == (loss in ("scribbled", "cut"))
    assert {one["state"] for one in world.good("doctor").data} <= {"ok", "note"}


def test_the_person_s_own_file_stays_their_own(world: World, library: Path) -> None:
    world.catalogue.unlink()
    world.good("db", "rebuild")
    assert world.json("rm", "mine", "--yes").status == 1
    assert (library / "models/Lora/mine.safetensors").read_bytes() == MINE


def test_a_link_that_somebody_else_made_is_never_ours(world: World, library: Path) -> None:
    theirs = library / "models/Lora/theirs.safetensors"
    os.link(library / "models/Lora/ink.safetensors", theirs)
    world.catalogue.unlink()
    world.good("db", "rebuild")
    world.json("rm", "ink", "--yes")
    assert theirs.read_bytes() == world.file(13)


def test_hub_ids_come_from_sidecars_where_labels_are_gone(world: World, library: Path) -> None:
    import shutil

    for root in world.root.rglob("labels"):
        shutil.rmtree(root)
    info = '{"id": 10021, "modelId": 1002, "name": "for 1.5", "model": {"name": "Ink"}, "baseModel": "SD 1.5"}'
    (library / "models/Lora/ink.civitai.info").write_text(info)
    world.catalogue.unlink()
    world.good("db", "rebuild")
    with world.house() as house:
        artifact = house.book.artifact(sha256(world.file(13)))
    assert artifact is not None
    assert (artifact.origin, artifact.file_name) == ("civitai:1002@10021", "ink.safetensors")


def test_verify_sets_damaged_blobs_aside(world: World, library: Path) -> None:
    (blob,) = world.root.rglob(f"blobs/sha256/*/{sha256(MINE)}")
    blob.chmod(0o644)
    data = bytearray(MINE)
    data[-1] ^= 1
    with blob.open("r+b") as file:
        file.write(data)
    world.catalogue.unlink()
    result = world.json("db", "rebuild", "--verify")
    assert (result.status, result.data["damaged"]) == (1, [str(blob)])
    assert blob.name not in world.blobs()


def test_a_sound_catalogue_is_not_replaced_unasked(world: World, library: Path) -> None:
    assert world.json("db", "rebuild").codes == ["needs-answer"]
    before = known(world)
    kept = world.good("db", "rebuild", "--yes").data["kept"]
    assert Path(kept).is_file()
    assert known(world) == before


def test_decisions_and_files_where_they_lie_are_saved_from_a_damaged_catalogue(world: World) -> None:
    path = world.root / "mine.safetensors"
    path.write_bytes(MINE)
    world.good("add", "--in-place", str(path))
    world.good("db", "rebuild", "--yes")
    assert [(one[0], one[2]) for one in known(world)] == [(str(path), "in-place")]


def lose(world: World) -> None:
    for path in world.home.glob("registry.db*"):
        path.unlink()


def test_what_people_decided_outlives_the_catalogue(world: World, library: Path) -> None:
    single = world.root / "single.safetensors"
    single.write_bytes(models.safetensors(models.small_lora(), 74))
    world.good("add", "--in-place", str(single))
    world.good("pin", "ink", "--note", "the good one")
    world.good("allow", "acme.nets.Net", "ink", "--because", "ours")
    pins = world.good("pin").data
    lose(world)
    assert world.good("db", "rebuild").data["pins"] == 1
    assert world.good("pin").data == pins
    assert [(one["name"], one["reason"]) for one in world.good("allow", "--list").data] == [("acme.nets.Net", "ours")]
    assert str(single) in [path for path, *_ in known(world)]
    world.good("db", "rebuild", "--yes")
    assert world.good("pin").data == pins


def test_a_pin_that_was_taken_off_does_not_come_back(world: World, library: Path) -> None:
    world.good("pin", "ink")
    world.good("unpin", "ink")
    lose(world)
    assert world.good("db", "rebuild").data["pins"] == 0


def test_a_store_of_somebody_else_allows_nothing(world: World, library: Path) -> None:
    theirs = world.root / "theirs"
    theirs.mkdir()
    (theirs / "sdkeep-store.json").write_text('{"what": "sdkeep store", "format": 1}')
    digest = sha256(world.file(13))
    (theirs / "uis.json").write_text('{"allowed": [{"name": "os.system", "sha256": "' + digest + '"}]}')
    lose(world)
    world.good("db", "rebuild", "--root", str(theirs))
    assert world.good("allow", "--list").data == []


def test_a_dry_run_tells_and_changes_nothing(world: World, library: Path) -> None:
    lose(world)
    before = picture_of(world.root)
    told = world.good("db", "rebuild", "--dry-run").data
    assert picture_of(world.root) == before
    done = world.good("db", "rebuild").data
    assert {key: told[key] for key in told if key != "kept"} == {key: done[key] for key in done if key != "kept"}


@pytest.mark.parametrize("how", ["gone", "empty"])
@pytest.mark.parametrize("what", ["store", "WebUI"])
def test_a_drive_that_is_not_mounted_is_not_forgotten(world: World, library: Path, what: str, how: str) -> None:
    root = next(world.root.rglob("sdkeep-store.json")).parent if what == "store" else library
    kept = root.with_name("unmounted")
    root.rename(kept)
    if how == "empty":
        root.mkdir()
    before = world.catalogue.read_bytes()
    result = world.json("db", "rebuild", "--yes")
    assert (result.status, result.codes) == (2, ["store"])
    assert what in result.document["errors"][0]["what"]
    assert world.catalogue.read_bytes() == before
    world.good("db", "rebuild", "--yes", "--without", str(root))


def test_two_backups_in_one_second_are_two(world: World) -> None:
    copies = {world.good("db", "backup").data["copy"] for _ in range(3)}
    assert len(copies) == 3


def test_where_webuis_answer_what_they_share_and_adopted_folders_are_known_again(world: World) -> None:
    world.ui("comfyui", "--share", "--url", "http://127.0.0.1:8188")
    world.ui("a1111", "--url", "http://127.0.0.1:7860")
    mine = world.root / "mine"
    (mine / "deep").mkdir(parents=True)
    (mine / "deep/mine.safetensors").write_bytes(MINE)
    world.good("add", "--in-place", "--no-hash", str(mine))
    with world.house() as house:
        before = house.book.uis(), house.book.adopted()
    assert all(ui.url for ui in before[0]) and any(ui.share for ui in before[0]) and before[1]
    world.catalogue.unlink()
    rebuilt = world.good("db", "rebuild").data
    with world.house() as house:
        assert (house.book.uis(), house.book.adopted()) == before
    assert rebuilt["in_place"] == 1
    assert [one["name"] for one in world.good("ls").data["rows"]] == ["mine"]
    world.good("sync", "--yes")
    assert [one[1] for one in known(world)] == [sha256(MINE)]


def test_an_adopted_folder_on_a_drive_that_is_away_is_kept_in_mind(world: World) -> None:
    mine = world.root / "mine"
    mine.mkdir()
    (mine / "mine.safetensors").write_bytes(MINE)
    world.good("add", "--in-place", str(mine))
    mine.rename(world.root / "away")
    world.catalogue.unlink()
    (note,) = world.good("db", "rebuild").data["notes"]
    assert str(mine) in note
    (world.root / "away").rename(mine)
    world.good("sync", "--yes")
    assert [one[1] for one in known(world)] == [sha256(MINE)]


def test_what_was_written_beside_models_is_ours_again_and_edited_ones_are_not(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021", "civitai:1003")
    with world.house() as house:
        before = [one for item in house.book.list().items for one in house.book.sidecars_of(item.sha256 or "")]
    assert len(before) >= 2
    edited = Path(before[0].path)
    edited.write_bytes(edited.read_bytes() + b" ")
    world.catalogue.unlink()
    world.good("db", "rebuild")
    with world.house() as house:
        after = [one for item in house.book.list().items for one in house.book.sidecars_of(item.sha256 or "")]
    assert sorted(one.path for one in after) == sorted(one.path for one in before[1:])
    world.good("rm", *(one["name"] for one in world.good("ls").data["rows"]), "--yes")
    assert [path for path in (Path(one.path) for one in before) if path.exists()] == [edited]


def test_a_placement_that_was_renamed_by_hand_is_still_ours(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021")
    ink = a1111 / "models/Lora/ink.safetensors"
    ink.rename(ink.with_name("brush.safetensors"))
    world.good("sync", "--yes")
    before = known(world)
    world.catalogue.unlink()
    world.good("db", "rebuild")
    assert known(world) == before
