"""Editing metadata: a new file with its lineage, the old one untouched."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors import safe_open

from tests.makers import models
from tests.world import World, sha256

LORA = models.safetensors(models.small_lora(), 9, {"ss_output_name": "ink", "ss_tag_frequency": '{"d": {"brush": 9}}'})


@pytest.fixture
def lora(world: World) -> Path:
    path = world.root / "work" / "ink.safetensors"
    path.write_bytes(LORA)
    world.good("add", str(path))
    return path


def edited(world: World, *more: str) -> dict[str, object]:
    (made,) = world.good("show", "ink", "--set-metadata", "modelspec.title=Ink", *more).data
    assert isinstance(made, dict)
    return made


def test_an_edit_is_a_new_artifact_that_says_what_it_was_made_from(world: World, lora: Path) -> None:
    made = edited(world, "--unset-metadata", "ss_tag_frequency")
    assert made["name"] == "ink-edited"
    assert made["sha256"] in world.blobs()
    assert sha256(LORA) in world.blobs(), "the old one stays"
    with safe_open(str(made["path"]), "pt") as opened:
        assert opened.metadata() == {
            "ss_output_name": "ink", "modelspec.title": "Ink", "sdkeep.edited_from": f"sha256:{sha256(LORA)}",
        }  # fmt: skip
    (shown,) = world.good("show", "ink-edited", "--metadata").data
    (edge,) = [one for one in shown["parents"] if one["relation"] == "converted-from"]
    assert (edge["parent"]["value"], edge["method"], edge["source"]) == (sha256(LORA), "metadata", "sdkeep")
    assert shown["artifact"]["title"] == "Ink"
    assert shown["metadata"]["modelspec.title"] == "Ink"
    (tree,) = world.good("lineage", "ink").data
    assert [link["child"] for link in tree["down"]] == [made["sha256"]]


def test_the_payload_digest_is_the_same(world: World, lora: Path) -> None:
    edited(world)
    digests = [
        {one.partition(":")[0]: one for one in world.good("show", name).data[0]["artifact"]["digests"]}
        for name in ("ink", "ink-edited")
    ]
    assert digests[0]["autov3"] == digests[1]["autov3"]
    assert digests[0]["sha256"] != digests[1]["sha256"]


def test_the_same_edit_twice_is_one_artifact(world: World, lora: Path) -> None:
    assert edited(world)["sha256"] == edited(world)["sha256"]
    assert len(world.blobs()) == 2


def test_a_dry_run_tells_and_writes_nothing(world: World, lora: Path) -> None:
    made = edited(world, "--dry-run")
    assert made["changes"] == [{"key": "modelspec.title", "before": None, "after": "Ink"}]
    assert made["path"] == ""
    assert world.blobs() == {sha256(LORA)}


def test_nothing_to_change_writes_nothing(world: World, lora: Path) -> None:
    (made,) = world.good("show", "ink", "--set-metadata", "ss_output_name=ink").data
    assert (made["changes"], made["path"]) == ([], "")


def test_a_file_on_disk_is_edited_into_another_file_only(world: World) -> None:
    path = world.root / "work" / "loose.safetensors"
    path.write_bytes(LORA)
    refused = world.json("show", str(path), "--set-metadata", "a=b")
    assert refused.codes == ["usage"]
    (made,) = world.good("show", str(path), "--set-metadata", "a=b", "-o", "new.safetensors").data
    assert made["edited_from"] == sha256(LORA)
    assert sha256((world.root / "work" / "new.safetensors").read_bytes()) == made["sha256"]
    assert path.read_bytes() == LORA
    world.good("add", "new.safetensors")
    (edge,) = world.good("show", "new").data[0]["parents"][:1]
    assert edge["parent"]["value"] == sha256(LORA), "the file itself tells the catalogue of another home"
    again = world.json("show", str(path), "--set-metadata", "a=b", "-o", "new.safetensors")
    assert again.codes == ["would-overwrite"]


def test_a_pickle_is_to_be_converted_first(world: World) -> None:
    path = world.root / "work" / "old.pt"
    path.write_bytes(models.embedding_pt("old"))
    refused = world.json("show", str(path), "--set-metadata", "a=b", "-o", "new.safetensors")
    assert refused.codes == ["cannot-convert"]
    assert "sdkeep convert" in refused.document["errors"][0]["next"]


def test_an_added_file_that_changed_since_is_not_edited_under_its_old_name(world: World) -> None:
    path = world.root / "work" / "here.safetensors"
    path.write_bytes(LORA)
    world.good("add", "--in-place", str(path))
    path.write_bytes(models.safetensors(models.small_lora(), 8, {"ss_output_name": "ink2"}))
    refused = world.json("show", str(path), "--set-metadata", "a=b")
    assert refused.status == 2
    assert not list(world.root.glob("home/store/blobs/*/*/*"))


def test_metadata_is_shown_for_people(world: World, lora: Path) -> None:
    text = world.run("show", "ink", "--metadata").stdout
    assert "ss_tag_frequency\td: brush 9" in text
