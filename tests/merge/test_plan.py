"""Bad input, refused from the headers alone and in words that a person understands."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sdkeep.ground.errors import FormatError, KeepError, UsageError
from sdkeep.merge.blocks import Weighting
from sdkeep.merge.recipe import Model, Output, Parent, Recipe, Step, checked
from tests.makers import checkpoints, headers, models
from tests.merge.conftest import merge_files

UNET = "model.diffusion_model.input_blocks.5.0.in_layers.2.weight"


def family(folder: Path, name: str, **more: int) -> Path:
    return checkpoints.write(folder / f"{name}.safetensors", checkpoints.tensors(name, **more))


def refused(folder: Path, *files: Path, method: str = "weighted-sum") -> KeepError:
    with pytest.raises(KeepError) as caught:
        merge_files(files, method, folder / "o.safetensors")
    assert not list(folder.glob("*o.safetensors*"))
    error = caught.value
    assert error.why
    assert error.next
    return error


@pytest.mark.parametrize(("one", "two"), [("sd1", "sdxl"), ("sd1", "sd2"), ("sdxl", "sd2")])
def test_models_of_two_families(tmp_path: Path, one: str, two: str) -> None:
    error = refused(tmp_path, family(tmp_path, one), family(tmp_path, two))
    assert f"is {one.upper()}" in error.what
    assert f"is {two.upper()}" in error.what


def test_a_lora_in_the_place_of_a_model(tmp_path: Path) -> None:
    lora = tmp_path / "style.safetensors"
    lora.write_bytes(models.safetensors(models.small_lora()))
    error = refused(tmp_path, family(tmp_path, "sd1"), lora)
    assert error.what == "`style.safetensors` is a lora, not a model"
    assert "--lora 'style.safetensors:0.8'" in error.next


def test_a_vae_in_the_place_of_a_model(tmp_path: Path) -> None:
    vae = checkpoints.write(tmp_path / "vae.safetensors", {k: torch.zeros(s) for k, s in headers.vae().items()})
    assert "is a vae" in refused(tmp_path, family(tmp_path, "sd1"), vae).what


def test_a_model_that_lacks_tensors(tmp_path: Path) -> None:
    a, content = family(tmp_path, "sd1"), checkpoints.tensors(seed=1)
    del content[UNET]
    b = checkpoints.write(tmp_path / "b.safetensors", content)
    error = refused(tmp_path, a, b)
    assert error.what == "`b.safetensors` lacks 1 tensors that `sd1.safetensors` has"
    assert UNET in error.why
    done = merge_files((a, b), "weighted-sum", tmp_path / "o.safetensors", missing=True)
    assert torch.equal(checkpoints.read(done.path)[UNET], checkpoints.read(a)[UNET])


def test_a_model_without_a_vae_takes_none_away(tmp_path: Path) -> None:
    a, content = family(tmp_path, "sd1"), checkpoints.tensors(seed=1)
    bare = {key: value for key, value in content.items() if not key.startswith("first_stage_model.")}
    done = merge_files(
        (a, checkpoints.write(tmp_path / "b.safetensors", bare)), "weighted-sum", tmp_path / "o.safetensors"
    )
    ours, before = checkpoints.read(done.path), checkpoints.read(a)
    assert all(torch.equal(ours[key], before[key]) for key in before if key.startswith("first_stage_model."))


def test_a_tensor_of_another_size(tmp_path: Path) -> None:
    content = checkpoints.tensors(seed=1)
    content[UNET] = torch.zeros(6, 5, 3, 3).half()
    error = refused(tmp_path, family(tmp_path, "sd1"), checkpoints.write(tmp_path / "b.safetensors", content))
    assert "[6, 4, 3, 3]" in error.why
    assert "[6, 5, 3, 3]" in error.why


def test_integers_where_weights_belong(tmp_path: Path) -> None:
    content = checkpoints.tensors(seed=1)
    content[UNET] = content[UNET].to(torch.int8)
    error = refused(tmp_path, family(tmp_path, "sd1"), checkpoints.write(tmp_path / "b.safetensors", content))
    assert "holds integers" in error.what


@pytest.mark.parametrize("cut", [1, 4000])
def test_a_file_cut_short(tmp_path: Path, cut: int) -> None:
    a, b = family(tmp_path, "sd1"), checkpoints.write(tmp_path / "b.safetensors", checkpoints.tensors(seed=1))
    b.write_bytes(b.read_bytes()[:-cut])
    error = refused(tmp_path, a, b)
    assert error.what == "`b.safetensors` is cut short"
    assert isinstance(error, FormatError)


def test_a_file_of_another_form(tmp_path: Path) -> None:
    pickle = tmp_path / "b.ckpt"
    pickle.write_bytes(models.checkpoint_pickle())
    assert "is no safetensors file" in refused(tmp_path, family(tmp_path, "sd1"), pickle).what


def test_a_vae_of_another_architecture(tmp_path: Path) -> None:
    vae = {k: torch.zeros(s) for k, s in headers.vae().items()} | {"decoder.more.weight": torch.zeros(2)}
    files = (family(tmp_path, "sd1"), checkpoints.write(tmp_path / "vae.safetensors", vae))
    with pytest.raises(UsageError, match="not of the model's architecture"):
        merge_files(files, "no-interpolation", tmp_path / "o.safetensors", output=Output(vae=1))


def test_the_first_checkpoints_name_their_text_encoder_otherwise(tmp_path: Path) -> None:
    a = family(tmp_path, "sd1")
    new, old = "cond_stage_model.transformer.text_model.", "cond_stage_model.transformer."
    content = {
        old + key.removeprefix(new) if key.startswith(new) else key: value
        for key, value in checkpoints.tensors(seed=1).items()
    }
    done = merge_files(
        (a, checkpoints.write(tmp_path / "nai.safetensors", content)), "weighted-sum", tmp_path / "o.safetensors"
    )
    key = next(key for key in checkpoints.read(a) if key.startswith(new) and "position_ids" not in key)
    assert not torch.equal(checkpoints.read(done.path)[key], checkpoints.read(a)[key])


P = tuple(Parent(name, digit * 64) for name, digit in (("a", "1"), ("b", "2")))
LOADS = (Model(0), Model(1))


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        ((Step("weighted-sum", (0,)),), "takes 2 models, and 1 is given"),
        ((Step("weighted-summ", (0, 1)),), "no merge method"),
        ((Step("weighted-sum", (0, 1), {"alpha": Weighting(1.5)}),), "cannot be 1.5"),
        ((Step("weighted-sum", (0, 1), {"alpha": Weighting(float("nan"))}),), "cannot be nan"),
        ((Step("weighted-sum", (0, 1), {"gamma": Weighting(0.5)}),), "takes no `gamma`"),
        ((Step("weighted-sum", (0, 1), {"alpha": Weighting(0, {}, (("(", 1.0),))}),), "is no pattern"),
        ((Step("difference", (0, 1)),), "the result would be a difference"),
        ((Step("difference", (0, 1)), Step("weighted-sum", (0, 2))), "is a delta where a weight belongs"),
        ((Step("add", (0, 1)),), "is a weight where a delta belongs"),
        ((Step("weighted-sum", (0, 5)),), "uses a step that comes after it"),
    ],
)
def test_a_recipe_that_makes_no_sense(steps: tuple[Step, ...], what: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(Recipe(P, (*LOADS, *steps)))
    assert what in caught.value.what


def test_a_misspelt_method_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        checked(Recipe(P, (*LOADS, Step("wieghted_sum", (0, 1)))))
    assert "weighted-sum" in caught.value.why
