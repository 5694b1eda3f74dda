from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdkeep.ground.errors import LayoutError, UnknownUi
from sdkeep.ground.kinds import Family, Kind
from sdkeep.layouts.layout import BUILT_IN, find, layouts

SMALL = """\
id = "mine"
title = "My own"
[shelf.lora]
dirs = ["loras"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def one(folder: Path, text: str) -> None:
    (folder / "mine.toml").write_text(text)
    layouts(folder)


def test_the_built_in_layouts_are_there_in_order() -> None:
    assert tuple(layout.id for layout in layouts()) == BUILT_IN == ("a1111", "forge", "comfyui")


@pytest.mark.parametrize("id", BUILT_IN)
def test_each_layout_can_place_the_main_kinds(id: str) -> None:
    shelves = find(id).shelves
    for kind in (Kind.CHECKPOINT, Kind.LORA, Kind.LYCORIS, Kind.EMBEDDING, Kind.VAE, Kind.CONTROLNET, Kind.UPSCALER):
        assert shelves[kind].dirs
        assert shelves[kind].source


@pytest.mark.parametrize("id", BUILT_IN)
def test_safetensors_come_first_wherever_they_are_read(id: str) -> None:
    for shelf in find(id).shelves.values():
        if shelf.lists(".safetensors"):
            assert shelf.extensions[0] == ".safetensors"


def test_what_bites_is_known() -> None:
    a1111, forge = find("a1111"), find("forge")
    assert a1111.shelves[Kind.HYPERNETWORK].extensions == (".pt",)
    assert not a1111.shelves[Kind.UPSCALER].lists(".safetensors")
    assert forge.shelves[Kind.UPSCALER].lists(".safetensors")
    assert a1111.shelves[Kind.LYCORIS].dirs[0] == "models/Lora"
    assert a1111.shelves[Kind.EMBEDDING].dirs == ("embeddings",)
    assert not forge.shelves[Kind.VAE].follows_folders
    assert forge.sd_versions[Family.FLUX1] == "Flux"
    assert all(layout.previews[0] == ".preview.png" for layout in layouts())


def test_a_file_of_ones_own_adds_a_layout(folder: Path) -> None:
    (folder / "mine.toml").write_text(SMALL)
    assert [layout.id for layout in layouts(folder)] == [*BUILT_IN, "mine"]
    assert find("mine", layouts(folder)).shelves[Kind.LORA].extensions == ()


def test_a_file_of_ones_own_takes_the_place_of_a_built_in_one(folder: Path) -> None:
    (folder / "x.toml").write_text(SMALL.replace('"mine"', '"forge"'))
    assert [layout.id for layout in layouts(folder)] == list(BUILT_IN)
    assert find("forge", layouts(folder)).title == "My own"


def test_a_folder_that_is_not_there_adds_nothing(folder: Path) -> None:
    assert len(layouts(folder / "none")) == len(BUILT_IN)


def test_an_unknown_id_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownUi) as caught:
        find("A111")
    assert "a1111" in caught.value.why
    with pytest.raises(UnknownUi) as caught:
        find("xyzzy")
    assert "comfyui" in caught.value.why


@pytest.mark.parametrize(
    "text, key",
    [
        (SMALL.replace("id =", "ids ="), "id"),
        (SMALL.replace('"mine"', '"My Own"'), "id"),
        (SMALL.replace('"mine"', "5"), "id"),
        (SMALL.replace('title = "My own"\n', ""), "title"),
        ('colour = "red"\n' + SMALL, "colour"),
        ("symlinks = 1\n" + SMALL, "symlinks"),
        ('previews = "x"\n' + SMALL, "previews"),
        ('sidecars = ["html"]\n' + SMALL, "sidecars"),
        ("detect = 1\n" + SMALL, "detect"),
        (SMALL + '[detect]\nall = ["../x"]\n', "detect.all"),
        (SMALL + '[detect]\nmost = ["x"]\n', "detect.most"),
        (SMALL + '[sd_versions]\nsd9 = "SD9"\n', "sd_versions.sd9"),
        (SMALL.replace("shelf.lora", "shelf.loar"), "shelf.loar"),
        (SMALL.replace('["loras"]', "[]"), "shelf.lora.dirs"),
        (SMALL.replace('["loras"]', '["/etc"]'), "shelf.lora.dirs"),
        (SMALL.replace('["loras"]', '["C:/x"]'), "shelf.lora.dirs"),
        (SMALL.replace('["loras"]', '["a", "a/../../b"]'), "shelf.lora.dirs"),
        (SMALL + 'extension = [".pt"]\n', "shelf.lora.extension"),
        (SMALL + 'extensions = ["pt"]\n', "shelf.lora.extensions"),
        (SMALL + 'prompt = "{name}"\n', "shelf.lora.prompt"),
        (SMALL + 'flags = ["--x"]\n', "shelf.lora.flags"),
        (SMALL + 'flags = [["--x"], ["--y"]]\n', "shelf.lora.flags"),
        ('id = "mine"\ntitle = "My own"\n', "shelf"),
    ],
)
def test_a_mistake_in_a_layout_file_is_named_with_its_key(folder: Path, text: str, key: str) -> None:
    with pytest.raises(LayoutError) as caught:
        one(folder, text)
    assert f"`{key}`" in caught.value.what
    assert "mine.toml" in caught.value.what


def test_a_misspelt_key_is_answered_with_the_right_one(folder: Path) -> None:
    with pytest.raises(LayoutError) as caught:
        one(folder, SMALL + 'extension = [".pt"]\n')
    assert "did you mean `extensions`?" in caught.value.why


@pytest.mark.parametrize("data", [b"id = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(folder: Path, data: bytes) -> None:
    (folder / "mine.toml").write_bytes(data)
    with pytest.raises(LayoutError, match=r"mine\.toml"):
        layouts(folder)


@pytest.mark.corpus
@pytest.mark.parametrize("id", BUILT_IN)
def test_the_layouts_agree_with_what_was_read_in_the_webuis_source(corpus: Path, id: str) -> None:
    facts = json.loads((corpus / "layouts.json").read_text())[id]
    for kind, shelf in find(id).shelves.items():
        fact = facts.get(kind.replace("-", "_"))
        if not fact:
            continue
        assert shelf.dirs[0] == fact["dirs"][0], kind
        known = {extension if extension.startswith(".") else f".{extension}" for extension in fact["extensions"]}
        assert set(shelf.extensions) <= known, kind
        assert shelf.follows_folders == fact.get("follow_dir_symlinks", True), kind
