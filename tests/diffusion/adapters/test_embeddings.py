"""Textual inversions of every form they are shared in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sdkeep.diffusion.adapters.embeddings import load_embedding
from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.networks.config import ClipConfig, OpenClipConfig
from sdkeep.ground.errors import FormatError, WrongFamily
from sdkeep.ground.kinds import Family
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


def test_a_tensor_without_a_name_is_no_embedding(model: Model, tmp_path: Path) -> None:
    """Vectors of the aesthetic gradients extension look so."""
    with pytest.raises(FormatError, match="is no embedding"):
        load_embedding(saved(tmp_path / "aesthetic.pt", VECTORS[:1]), model)


def test_vectors_that_are_no_numbers_are_refused(model: Model, tmp_path: Path) -> None:
    save_file({"emb_params": VECTORS * float("nan")}, tmp_path / "nan.safetensors")
    with pytest.raises(FormatError, match="cannot be used"):
        load_embedding(tmp_path / "nan.safetensors", model)


# Real files


@dataclass(frozen=True)
class Towers:
    """What a loader asks of a model: the widths of its text towers, and its family."""

    family: Family
    text: tuple[ClipConfig | OpenClipConfig, ...]

    @property
    def config(self) -> Towers:
        return self


CLIP_L = ClipConfig("", width=768, hidden=3072, layers=12, heads=12)
FULL = {
    "sd1": Towers(Family.SD1, (CLIP_L,)),
    "sd2": Towers(Family.SD2, (OpenClipConfig("", width=1024, hidden=4096, layers=24, heads=16),)),
    "sdxl": Towers(Family.SDXL, (CLIP_L, OpenClipConfig("", width=1280, hidden=5120, layers=32, heads=20))),
}


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("file", "family", "counts"),
    [
        ("ti_a1111_FastNegativeEmbedding.pt", "sd1", [52]),
        ("ti_a1111_bad-hands-5.pt", "sd1", [2]),
        ("ti_a1111_sd2_flora.pt", "sd2", [4]),
        ("ti_cloneofsimo_kiriko2.ti.pt", "sd1", [1]),
        ("ti_diffusers_frida10_learned_embeds.bin", "sd1", [10]),
        ("ti_emb_params_EasyNegative_found_in_models_Lora.safetensors", "sd1", [8]),
        ("ti_ldm_mps_numpy_embeddings.pt", "sd1", [1]),
        ("ti_sdxl_emb_emb2_myPuppet.pt", "sdxl", [1, 1]),
    ],
)
def test_real_embeddings_are_read(corpus: Path, file: str, family: str, counts: list[int]) -> None:
    for name, towers in FULL.items():
        if name == family:
            found = load_embedding(corpus / "models" / file, towers)  # type: ignore[arg-type]
            assert [len(vector) for vector in found.vectors] == counts
        else:
            with pytest.raises(WrongFamily):
                load_embedding(corpus / "models" / file, towers)  # type: ignore[arg-type]
