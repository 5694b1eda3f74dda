"""Textual inversions of every form they are shared in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sdkeep.diffusion.adapters.embeddings import load_embedding
from sdkeep.diffusion.checkpoint import Model
from sdkeep.ground.errors import FormatError, WrongFamily
from tests.makers.picture_embeddings import embedding, in_pixels, with_text

VECTORS = torch.arange(128).reshape(2, 64) / 128


def a1111(vectors: Tensor) -> object:
    names = {"string_to_token": {"*": 265}, "name": "inner name", "step": 7, "sd_checkpoint": None}
    return {"string_to_param": {"*": vectors}, **names}


def saved(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


FORMS = {
    "webui.pt": lambda path: saved(path, a1111(VECTORS)),
    "parameter.pt": lambda path: saved(path, a1111(torch.nn.Parameter(VECTORS))),
    "concept.bin": lambda path: saved(path, {"<cat-toy>": VECTORS}),
    "kohya.safetensors": lambda path: save_file({"emb_params": VECTORS}, path) or path,
    "concept.safetensors": lambda path: save_file({"<cat-toy>": VECTORS}, path) or path,
    "text.png": lambda path: path.write_bytes(with_text(embedding(VECTORS.tolist()))) and path,
    "pixels.png": lambda path: path.write_bytes(in_pixels(embedding(VECTORS.tolist()))) and path,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_vectors(model: Model, tmp_path: Path, form: str) -> None:
    found = load_embedding(FORMS[form](tmp_path / form), model)
    assert found.name == Path(form).stem
    (vectors,) = found.vectors
    torch.testing.assert_close(vectors, VECTORS)


def test_a_lone_vector_may_lie_flat_and_in_half_precision(model: Model, tmp_path: Path) -> None:
    found = load_embedding(saved(tmp_path / "flat.bin", {"<x>": VECTORS[0].half()}), model, "other")
    assert found.name == "other"
    torch.testing.assert_close(found.vectors[0], VECTORS[:1])


def test_pairs_go_to_their_text_towers_in_order(large: Model, tmp_path: Path) -> None:
    pair = {"clip_g": torch.ones(3, 128), "clip_l": torch.zeros(3, 64)}
    save_file(pair, tmp_path / "pair.safetensors")
    found = load_embedding(tmp_path / "pair.safetensors", large)
    assert [tuple(vector.shape) for vector in found.vectors] == [(3, 64), (3, 128)]


# What is refused


def test_vectors_of_another_width_are_refused_by_family(model: Model, tmp_path: Path) -> None:
    save_file({"emb_params": torch.ones(2, 1024)}, tmp_path / "two.safetensors")
    with pytest.raises(WrongFamily) as caught:
        load_embedding(tmp_path / "two.safetensors", model)
    assert caught.value.what == "`two` was made for SD 2.x, and this model is SD 1.x"
    assert caught.value.why == "its vectors have 1024 numbers, the text encoder takes 64"
    assert caught.value.next == "sdkeep search 'two' --kind embedding --base 'SD 1.5'"


def test_a_pair_is_for_sdxl_alone(model: Model, tmp_path: Path) -> None:
    save_file({"clip_g": torch.ones(1, 1280), "clip_l": torch.ones(1, 64)}, tmp_path / "pair.safetensors")
    with pytest.raises(WrongFamily, match="SDXL, and this model is SD 1"):
        load_embedding(tmp_path / "pair.safetensors", model)


def test_half_a_pair_is_refused(large: Model, tmp_path: Path) -> None:
    save_file({"clip_g": torch.ones(1, 128)}, tmp_path / "half.safetensors")
    with pytest.raises(WrongFamily):
        load_embedding(tmp_path / "half.safetensors", large)


def test_a_pair_of_unequal_lengths_is_refused(large: Model, tmp_path: Path) -> None:
    save_file({"clip_g": torch.ones(1, 128), "clip_l": torch.ones(2, 64)}, tmp_path / "odd.safetensors")
    with pytest.raises(WrongFamily) as caught:
        load_embedding(tmp_path / "odd.safetensors", large)
    assert "1 and 2 vectors" in caught.value.why


def test_several_tensors_are_no_embedding(model: Model, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is no embedding"):
        load_embedding(saved(tmp_path / "many.pt", {"a": VECTORS, "b": VECTORS}), model)


def test_vectors_that_are_no_numbers_are_refused(model: Model, tmp_path: Path) -> None:
    save_file({"emb_params": VECTORS * float("nan")}, tmp_path / "nan.safetensors")
    with pytest.raises(FormatError, match="cannot be used"):
        load_embedding(tmp_path / "nan.safetensors", model)
