"""WebUIs: found, registered, forgotten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdkeep.actions import uis
from tests.makers import models
from tests.makers.trees import picture_of
from tests.makers.webuis import make_webui
from tests.world import World


@pytest.mark.parametrize("layout", ["a1111", "forge", "comfyui"])
def test_a_layout_is_told_by_its_files(world: World, layout: str) -> None:
    root = make_webui(world.root / "uis" / layout, layout)
    before = picture_of(root)
    added = world.good("ui", "add", str(root)).data
    assert (added["name"], added["layout"], added["root"]) == (layout, layout, str(root))
    assert picture_of(root) == before
    assert world.good("ui", "add", str(root)).data["name"] == layout
    assert len(world.good("ui", "ls").data) == 1


def test_a_name_is_the_persons_and_unique(world: World) -> None:
    one, two = (make_webui(world.root / name, "a1111") for name in ("one", "two"))
    assert world.good("ui", "add", str(one), "--name", "My UI").data["name"] == "my-ui"
    assert world.good("ui", "add", str(two), "--name", "My UI").data["name"] == "my-ui-2"
    assert world.json("ui", "add", str(make_webui(world.root / "three", "a1111")), "--name", "☃").codes == ["usage"]


def test_what_is_none_is_refused_unless_named(world: World) -> None:
    (world.root / "plain").mkdir()
    assert world.json("ui", "add", str(world.root / "plain")).codes == ["unknown-ui"]
    assert world.good("ui", "add", str(world.root / "plain"), "--layout", "a1111").data["layout"] == "a1111"
    assert world.json("ui", "add", str(world.root / "nothing")).codes == ["not-found-here"]
    assert world.json("ui", "add", str(world.root / "plain"), "--layout", "a1112").status == 2


def test_a_template_that_climbs_out_is_refused(world: World) -> None:
    root = make_webui(world.root / "ui", "a1111")
    for template in ("../{base}", "/abs", "{nonsense}"):
        assert world.json("ui", "add", str(root), "--template", template).codes == ["layout"]


def test_forgetting_touches_nothing(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021")
    before = picture_of(a1111)
    world.good("ui", "rm", "a1111")
    assert picture_of(a1111) == before
    assert world.good("ui", "ls").data == []
    assert world.json("ui", "rm", "a1111").codes == ["unknown-ui"]
    assert world.run("show", "ink").status == 0
    assert world.run("verify", "ink").status == 0


def test_detect_finds_and_knows_the_registered_ones(world: World, a1111: Path) -> None:
    make_webui(world.root / "uis" / "comfyui", "comfyui")
    found = world.good("ui", "detect", str(world.root)).data
    assert {one["layout"]: one["registered_as"] for one in found} == {"a1111": "a1111", "comfyui": ""}
    assert world.good("ui", "detect", str(world.home)).data == []
    assert world.json("ui", "detect", str(world.root / "nothing")).codes == ["not-found-here"]


def test_a_folder_that_may_not_be_listed_is_told_and_the_rest_is_found(
    world: World, a1111: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.root / "closed").mkdir()
    real = os.scandir

    def guarded(path: Path) -> object:
        if str(path) == str(world.root / "closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(uis.os, "scandir", guarded)
    result = world.good("ui", "detect", str(world.root))
    assert [found["root"] for found in result.data] == [str(a1111)]
    assert [text for text in result.document["warnings"] if "closed" in text and "Permission denied" in text]


def test_files_catalogued_before_their_webui_was_registered_belong_to_it(world: World) -> None:
    root = make_webui(world.root / "uis" / "a1111", "a1111")
    mine = root / "models/Lora/mine.safetensors"
    mine.write_bytes(models.safetensors(models.small_lora(), 70))
    world.good("add", "--in-place", str(root))
    added = world.good("ui", "add", str(root)).data
    assert added["placed"] == 0
    assert [one["name"] for one in world.good("ls", "--in", "a1111").data["rows"]] == ["mine"]
    assert world.json("ls", "--in", "nothing").codes == ["unknown-ui"]
