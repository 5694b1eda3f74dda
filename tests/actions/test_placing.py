"""Files into WebUIs and out again: only what is ours ever moves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.makers.trees import picture_of
from tests.world import World


@pytest.fixture
def ink(world: World, a1111: Path) -> Path:
    """A LoRA that was fetched and placed."""
    world.good("get", "civitai:1002@10021")
    return a1111 / "models/Lora/ink.safetensors"


def test_dry_run_changes_nothing(world: World, ink: Path) -> None:
    before = picture_of(world.root / "uis")
    world.good("unplace", "ink", "--dry-run")
    comfy = world.ui("comfyui")
    assert "comfyui" in {placed["ui"] for placed in world.good("place", "ink", "--dry-run").data}
    assert not list((comfy / "models/loras").iterdir())
    assert {k: v for k, v in picture_of(world.root / "uis").items() if "a1111" in k} == {
        k: v for k, v in before.items() if "a1111" in k
    }


def test_out_and_in_again(world: World, ink: Path) -> None:
    (gone,) = world.good("unplace", "ink").data
    assert gone["outcome"] == "removed"
    assert not ink.exists()
    assert world.blobs()
    (placed,) = world.good("place", "ink", "--weight", "0.6").data
    assert (placed["paste"], placed["already"]) == ("<lora:ink:0.6>", False)
    assert ink.is_file()
    assert world.json("unplace", "ink", "--in", "forge").codes == ["not-found-here"]


def test_placing_twice_is_no_error(world: World, ink: Path) -> None:
    assert [placed["already"] for placed in world.good("place", "ink").data] == [True]


def test_a_foreign_file_that_took_our_place_stays(world: World, ink: Path) -> None:
    ink.unlink()
    ink.write_bytes(b"theirs")
    result = world.json("unplace", "ink")
    assert (result.status, [one["outcome"] for one in result.data]) == (1, ["left"])
    assert ink.read_bytes() == b"theirs"
    assert world.json("rm", "ink", "--yes").status == 1
    assert ink.read_bytes() == b"theirs"
    assert world.blobs()


def test_a_place_taken_by_a_foreign_file_is_not_said_to_be_ours(world: World, ink: Path) -> None:
    ink.unlink()
    ink.write_bytes(b"theirs")
    (placed,) = world.good("place", "ink").data
    assert ink.read_bytes() == b"theirs"
    assert Path(placed["path"]) != ink
    assert placed["already"] is False


def test_a_sidecar_of_ours_goes_with_the_file_and_an_edited_one_stays(world: World, ink: Path) -> None:
    card, picture = ink.with_suffix(".json"), ink.with_suffix(".preview.png")
    assert json.loads(card.read_text())["activation text"]
    card.write_text('{"notes": "mine"}')
    world.good("unplace", "ink")
    assert card.read_text() == '{"notes": "mine"}'
    assert not picture.exists()


def test_an_edited_sidecar_survives_a_second_placing(world: World, ink: Path) -> None:
    card = ink.with_suffix(".json")
    world.good("unplace", "ink")
    card.write_text('{"notes": "mine", "activation text": "my words"}')
    world.good("place", "ink")
    kept = json.loads(card.read_text())
    assert (kept["notes"], kept["activation text"]) == ("mine", "my words")


def test_without_a_ui_there_is_a_way_on(world: World) -> None:
    world.good("get", "civitai:1002@10021")
    result = world.json("place", "ink")
    assert result.codes == ["unknown-ui"]
    assert "ui add" in result.document["errors"][0]["next"]


def test_a_ui_whose_folder_is_gone_is_said_so(world: World, ink: Path) -> None:
    (world.root / "uis/a1111").rename(world.root / "moved")
    result = world.json("place", "ink")
    assert result.codes == ["unknown-ui"]
    world.run("doctor")


def test_a_file_without_a_place_stays_in_the_store(world: World, a1111: Path) -> None:
    result = world.good("get", f"civitai:{1006}")
    assert result.document["warnings"]
    assert world.json("place", "colours").codes == ["not-placeable"]


def test_the_name_is_derived_once_for_every_ui(world: World, ink: Path) -> None:
    comfy = world.ui("comfyui")
    (comfy / "models/loras/INK.safetensors").write_bytes(b"theirs")
    placed = world.good("place", "ink", "--in", "comfyui").data
    assert [Path(one["path"]).name for one in placed] == ["ink-v10021.safetensors"]
