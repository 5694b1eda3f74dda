"""Tensors out of pickles."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from tests.makers import models
from tests.world import World, sha256


@pytest.fixture
def pickle(world: World) -> Path:
    """An old checkpoint on the disk."""
    path = world.root / "old.ckpt"
    path.write_bytes(models.checkpoint_pickle())
    return path


def test_it_is_written_beside_the_source_and_holds_the_same_tensors(world: World, pickle: Path) -> None:
    (made,) = world.good("convert", str(pickle)).data
    assert Path(made["path"]) == pickle.with_suffix(".safetensors")
    loaded = safetensors.torch.load_file(made["path"])
    assert {name: tuple(tensor.shape) for name, tensor in loaded.items()} == dict(models.small_checkpoint())
    assert pickle.read_bytes() == models.checkpoint_pickle()


def test_out_names_a_file_or_a_folder(world: World, pickle: Path) -> None:
    folder = world.root / "out"
    folder.mkdir()
    (made,) = world.good("convert", str(pickle), "-o", str(folder)).data
    assert Path(made["path"]) == folder / "old.safetensors"
    (named,) = world.good("convert", str(pickle), "-o", str(folder / "new.safetensors")).data
    assert (folder / "new.safetensors").read_bytes() == (folder / "old.safetensors").read_bytes()
    assert named["tensors"] == made["tensors"]


def test_nothing_is_overwritten(world: World, pickle: Path) -> None:
    target = pickle.with_suffix(".safetensors")
    target.write_bytes(b"mine")
    result = world.json("convert", str(pickle))
    assert (result.status, result.codes) == (2, ["would-overwrite"])
    assert target.read_bytes() == b"mine"


def test_precision_is_cast(world: World, pickle: Path) -> None:
    (made,) = world.good("convert", str(pickle), "--precision", "fp32").data
    assert {tensor.dtype for tensor in safetensors.torch.load_file(made["path"]).values()} == {torch.float32}
    assert world.json("convert", str(pickle), "--precision", "fp1").codes == ["usage"]


def test_a_trojan_gives_its_tensors_and_a_warning(world: World) -> None:
    path = world.root / "gift.ckpt"
    path.write_bytes(models.trojan())
    (made,) = world.good("convert", str(path)).data
    assert made["disarmed"] is True
    assert world.good("scan", made["path"])


def test_a_clean_pickle_can_be_written_for_uis_that_read_no_other(world: World) -> None:
    path = world.root / "net.pt"
    path.write_bytes(models.hypernetwork_pt("net"))
    (made,) = world.good("convert", str(path), "--to", "clean-pt", "-o", str(world.root / "clean.pt")).data
    assert set(torch.load(made["path"], weights_only=True)) >= {320, 768}
    assert world.json("convert", str(path), "--to", "onnx").codes == ["usage"]


def test_dry_run_writes_nothing(world: World, pickle: Path) -> None:
    world.good("convert", "--dry-run", str(pickle))
    assert not pickle.with_suffix(".safetensors").exists()


def test_what_holds_no_tensors_is_an_error(world: World) -> None:
    path = world.root / "words.pt"
    path.write_bytes(models.saved({"a": 1}))
    result = world.json("convert", str(path))
    assert (result.status, result.codes) == (2, ["cannot-convert"])


def test_several_files_need_a_folder(world: World, pickle: Path) -> None:
    other = world.root / "other.ckpt"
    other.write_bytes(models.checkpoint_pickle(2.0))
    assert world.json("convert", str(pickle), str(other), "-o", str(world.root / "one.safetensors")).codes == ["usage"]
    assert len(world.good("convert", str(pickle), str(other)).data) == 2


def test_a_catalogued_pickle_is_converted_inside_the_store(world: World) -> None:
    world.good("get", f"civitai:{1008}", "--allow-unsafe")
    (made,) = world.good("convert", "gift").data
    assert made["disarmed"] is True
    (shown,) = world.good("show", f"name:{made['name']}").data
    assert sha256(world.file(71)) in [edge["parent"]["value"] for edge in shown["parents"]]
    assert shown["artifact"]["sha256"] in world.blobs()
    assert world.staged() == []


def test_flags_that_a_catalogued_name_cannot_follow_are_refused(world: World, tmp_path: Path) -> None:
    world.good("get", "civitai:1003", "--keep-original")
    name = f"sha256:{sha256(world.file(21))}"
    before = world.blobs()
    world.good("convert", name, "--dry-run")
    assert world.blobs() == before
    (made,) = world.good("convert", name, "-o", str(tmp_path / "out.safetensors"), "--precision", "fp32").data
    assert Path(made["path"]) == tmp_path / "out.safetensors"
    assert {t.dtype for t in safetensors.torch.load_file(made["path"]).values()} == {torch.float32}


def test_a_stored_trojan_keeps_its_bytes_once_and_nowhere_else(world: World) -> None:
    path = world.root / "gift.ckpt"
    path.write_bytes(models.trojan())
    world.good("add", str(path), "--allow-unsafe")
    before = world.blobs()
    (made,) = world.good("convert", "name:gift").data
    assert made["disarmed"] is True
    assert world.blobs() > before
    assert world.trash() == [] and world.staged() == []
