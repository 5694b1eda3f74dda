from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdkeep.ground.errors import LayoutError, UnknownUi
from sdkeep.ground.kinds import Family, Kind
from sdkeep.layouts.layout import BUILT_IN, Shelf, find, layouts

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
    assert tuple(layout.id for layout in layouts()) == BUILT_IN
    assert [layout.id for layout in layouts() if layout.refused] == ["drawthings", "kohya", "onetrainer"]


@pytest.mark.parametrize("id", [id for id in BUILT_IN if not find(id).refused])
def test_each_layout_can_place_the_main_kinds(id: str) -> None:
    shelves = find(id).shelves
    for kind in (Kind.CHECKPOINT, Kind.LORA, Kind.LYCORIS, Kind.EMBEDDING, Kind.VAE, Kind.CONTROLNET):
        assert shelves[kind].dirs
        assert shelves[kind].source


@pytest.mark.parametrize("id", BUILT_IN)
def test_safetensors_come_first_wherever_they_are_read(id: str) -> None:
    for shelf in find(id).shelves.values():
        if shelf.extensions and shelf.lists(".safetensors"):
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
    assert all(layout.previews[0] == ".preview.png" for layout in layouts() if layout.previews)
    assert find("sdnext").shelves[Kind.CHECKPOINT].extensions == (".safetensors",)
    assert Kind.HYPERNETWORK not in find("forge-neo").shelves
    assert find("forge-classic").shelves[Kind.EMBEDDING].dirs == ("models/embeddings",)
    assert find("forge-classic").shelves[Kind.LYCORIS].dirs == ("models/Lora",)
    assert not find("fooocus").shelves[Kind.LORA].follows_folders
    assert find("invokeai").share == "register"


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


SPELT = {"forge-classic": "forge_classic", "forge-neo": "forge_neo", "kohya": "kohya_sd_scripts"}
KINDS = {"yolo": Kind.DETECTION, "adetailer": Kind.DETECTION}
# What we say otherwise on purpose: files are registered where they lie, never put into InvokeAI's folder; a LoRA may
# lie in either folder of the A1111 family; one scanner of its ControlNet extension reads all three kinds; and a motion
# module has no place where the extension that reads it is not installed.
OTHERWISE = {
    ("invokeai", "dirs"),
    ("a1111", "lora", "dirs"),
    ("forge", "lora", "dirs"),
    ("reforge", "lora", "dirs"),
    ("a1111", "t2i-adapter", "dirs"),
    ("a1111", "ip-adapter", "dirs"),
    ("a1111", "motion-module", "dirs"),
}


def differences(id: str, facts: dict[str, dict[str, object] | None]) -> Iterator[str]:
    """Each place where our layout says something else than what was read in the WebUI's own source."""
    shelves = find(id).shelves
    for name, fact in facts.items():
        kind = KINDS.get(name, Kind.of(name))
        if kind is Kind.UNKNOWN or (name == "adetailer" and "yolo" in facts):
            continue
        if not fact:
            if kind in shelves:
                yield f"{id} {name}: it has none, we have one"
            continue
        if kind not in shelves:
            yield f"{id} {name}: missing"
            continue
        yield from (f"{id} {name}: {text}" for text in _against(id, shelves[kind], fact))


def _against(id: str, shelf: Shelf, fact: dict[str, Any]) -> Iterator[str]:
    spelt = [extension if extension[:1] in (".", "*", "") else f".{extension}" for extension in fact["extensions"]]
    known = {extension for extension in spelt if not extension.startswith((".folder", "folder"))}
    if (set(shelf.extensions) or {"*"}) != (known or {"*"}):
        yield f"extensions {sorted(shelf.extensions)}, not {sorted(known)}"
    same_dirs = shelf.dirs[0] == fact["dirs"][0] and set(shelf.dirs) == set(fact["dirs"])
    if not {(id, "dirs"), (id, str(shelf.kind), "dirs")} & OTHERWISE and not same_dirs:
        yield f"folders {list(shelf.dirs)}, not {fact['dirs']}"
    if shelf.follows_folders != fact.get("follow_dir_symlinks", True):
        yield f"follows linked folders: {shelf.follows_folders}"
    if fact.get("comfy_key") and fact["comfy_key"] not in shelf.keys:
        yield f"key {fact['comfy_key']} not among {shelf.keys}"
    flags = [flag for flags in shelf.flags for flag in flags]
    if str(fact.get("flag", "")).startswith("--") and fact["flag"].split()[0] not in flags:
        yield f"flag {fact['flag']} not among {flags}"
    if shelf.verified != fact.get("verified", True):
        yield f"verified: {shelf.verified}"


@pytest.mark.corpus
@pytest.mark.parametrize("id", BUILT_IN)
def test_the_layouts_agree_with_what_was_read_in_the_webuis_source(corpus: Path, id: str) -> None:
    facts = json.loads((corpus / "layouts.json").read_text())
    assert list(differences(id, facts[SPELT.get(id, id)])) == []


@pytest.mark.corpus
def test_every_webui_that_was_read_has_a_layout(corpus: Path) -> None:
    known = {SPELT.get(id, id) for id in BUILT_IN}
    assert set(json.loads((corpus / "layouts.json").read_text())) == known
