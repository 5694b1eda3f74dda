from __future__ import annotations

from pathlib import Path

from sdkeep.ground.kinds import Kind
from sdkeep.layouts.layout import find
from sdkeep.layouts.shelf import stems
from sdkeep.store.names import stem_key

LORA = find("a1111").shelves[Kind.LORA]
VAE = find("forge").shelves[Kind.VAE]


def test_listed_files_are_found_in_every_sub_folder_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("One.safetensors", "a/two.PT", "a/b/one.ckpt", "a/one.preview.png", "one.json"):
        (tmp_path / name).touch()
    found = stems([tmp_path], LORA, stem_key)
    assert {name: len(paths) for name, paths in found.items()} == {"one": 2, "two": 1}


def test_a_broken_link_still_takes_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").symlink_to(tmp_path / "gone")
    assert list(stems([tmp_path], LORA, stem_key)) == ["x"]


def test_linked_folders_are_read_where_the_webui_reads_them_and_a_cycle_ends(tmp_path: Path) -> None:
    shelf, outside = tmp_path / "shelf", tmp_path / "outside"
    shelf.mkdir()
    outside.mkdir()
    (outside / "x.safetensors").touch()
    (shelf / "linked").symlink_to(outside)
    (outside / "back").symlink_to(shelf)
    assert list(stems([shelf], LORA, stem_key)) == ["x"]
    assert stems([shelf], VAE, stem_key) == {}


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert stems([tmp_path / "none"], LORA, stem_key) == {}
