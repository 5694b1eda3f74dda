"""Models in several files become one, or the error says which file or tensor is not there."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdkeep.formats.convert import plan, write_safetensors
from sdkeep.formats.shards import Joined, opened
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import CannotConvert, FormatError, NotFoundHere

TENSORS = {f"layer.{place}.weight": torch.arange(place * 300, place * 300 + 300.0) for place in range(5)}


def sharded(folder: Path, stem: str = "pytorch_model.bin") -> Path:
    """Five tensors over three shards, as transformers saves them."""
    weights: dict[str, str] = {}
    name, _, suffix = stem.rpartition(".")
    for place in range(3):
        part = {key: TENSORS[key] for key in list(TENSORS)[place * 2 : place * 2 + 2]}
        shard = f"{name}-{place + 1:05}-of-00003.{suffix}"
        if suffix == "bin":
            torch.save(part, folder / shard, _use_new_zipfile_serialization=place != 1)
        else:
            save_file(part, folder / shard, {"format": "pt"})
        weights |= dict.fromkeys(part, shard)
    index = folder / f"{stem}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 6000}, "weight_map": weights}))
    return index


@pytest.mark.parametrize("stem", ["pytorch_model.bin", "diffusion_pytorch_model.safetensors"])
def test_all_shards_become_one_file(tmp_path: Path, stem: str) -> None:
    out = tmp_path / "whole.safetensors"
    with opened(sharded(tmp_path, stem)) as found:
        assert len(found.shards) == 3
        write_safetensors(found.source, plan(found.contents), out)
    tensors = load_file(out)
    assert set(tensors) == set(TENSORS)
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    (tmp_path / "pytorch_model-00002-of-00003.bin").unlink()
    with pytest.raises(NotFoundHere, match="pytorch_model-00002-of-00003"), opened(index):
        pass


def test_a_tensor_that_its_shard_lacks_is_named(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    value = json.loads(index.read_text())
    value["weight_map"]["layer.9.weight"] = "pytorch_model-00001-of-00003.bin"
    index.write_text(json.dumps(value))
    with pytest.raises(CannotConvert, match=r"layer\.9\.weight"), opened(index):
        pass


def test_a_tensor_that_the_index_does_not_list_is_left_out_and_counted(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    value = json.loads(index.read_text())
    del value["weight_map"]["layer.0.weight"]
    index.write_text(json.dumps(value))
    with opened(index) as found:
        assert "layer.0.weight" not in {tensor.name for tensor in found.contents.tensors}
        assert any("1 tensors" in note for note in found.contents.notes)


@pytest.mark.parametrize(
    "text",
    [
        "no json", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 1}}',
        '{"weight_map": {"a": "../evil.bin"}}', '{"weight_map": {"a": "/etc/passwd"}}', '{"weight_map": {"a": ".."}}',
        '{"weight_map": {"a": "b\\\\c"}}', "[" * 100_000,
    ],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_index_is_an_error(tmp_path: Path, text: str) -> None:
    index = tmp_path / "x.index.json"
    index.write_text(text)
    with pytest.raises(FormatError), opened(index):
        pass


def test_joined_files_read_like_one(tmp_path: Path) -> None:
    parts = [b"abc", b"", b"defg", b"h"]
    for place, part in enumerate(parts):
        (tmp_path / str(place)).write_bytes(part)
    whole = b"".join(parts)
    with ExitStack() as stack:
        joined = Joined([stack.enter_context(FileSource(tmp_path / str(place))) for place in range(4)], "x")
        assert joined.size == len(whole)
        for start in range(10):
            for length in range(10):
                assert joined.read_at(start, length) == whole[start : start + length]
