"""Adapters on top of a model in memory: what they change, that it goes away again, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import save_file
from torch import Tensor

from sdkeep.diffusion.adapters.applying import Evenly, Wanted, applied
from sdkeep.diffusion.assembly import Memory
from sdkeep.diffusion.checkpoint import Model, Opening, open_checkpoint
from sdkeep.ground.errors import FormatError, NotFoundHere, PartialMatch, WrongFamily
from tests.makers.tinymodels import VOCAB, Tiny

UNET = "model.diffusion_model."
TO_Q = "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
Q_PROJ = "cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight"


def lora(seed: int = 0, rank: int = 2, *, te: bool = True) -> dict[str, Tensor]:
    """Kohya's keys: one layer of the UNet's way down, one convolution of its way up, one of the text encoder."""
    draw = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw) * 0.2

    found: dict[str, Tensor] = {}
    layers = {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q": (32, 32, ())}
    layers["lora_unet_up_blocks_2_resnets_2_conv2"] = (32, 32, (3, 3))
    if te:
        layers["lora_te_text_model_encoder_layers_0_self_attn_q_proj"] = (64, 64, ())
    for name, (out, inner, kernel) in layers.items():
        found[f"{name}.lora_down.weight"] = noise(rank, inner, *kernel)
        found[f"{name}.lora_up.weight"] = noise(out, rank, *(1 for _ in kernel))
        found[f"{name}.alpha"] = torch.tensor(1.0)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "style.safetensors"
    save_file(lora(), path)
    return path


def said(model: Model) -> Tensor:
    draw = torch.Generator().manual_seed(5)
    words = torch.randint(0, VOCAB, (1, 77), generator=draw)
    with torch.no_grad():
        context = model.text[0](words).last
    return model.predict(torch.randn(1, 4, 8, 8, generator=draw), torch.tensor([500.0]), context)


def weights(model: Model) -> dict[str, Tensor]:
    return {key: parameter.data for key, parameter in model.parameters().items()}


def the_very_same(model: Model, before: dict[str, Tensor]) -> bool:
    now = weights(model)
    return all(now[key].data_ptr() == tensor.data_ptr() and now[key].equal(tensor) for key, tensor in before.items())


# What it does


def test_weights_are_changed_by_the_formula_and_come_back_as_the_very_objects(model: Model, file: Path) -> None:
    before, content = weights(model), lora()
    with applied(model, [Wanted(file, Evenly(text=0.5, unet=2.0))]) as report:
        stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
        product = content[f"{stem}.lora_up.weight"] @ content[f"{stem}.lora_down.weight"] / 2
        now = weights(model)
        torch.testing.assert_close(now[UNET + TO_Q], before[UNET + TO_Q] + 2.0 * product)
        stem = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
        product = content[f"{stem}.lora_up.weight"] @ content[f"{stem}.lora_down.weight"] / 2
        torch.testing.assert_close(now[Q_PROJ], before[Q_PROJ] + 0.5 * product)
        assert sum(not now[key].equal(before[key]) for key in now) == 3
    assert (report.matched, report.unmatched, report.warnings, report.changes_text) == (3, (), (), True)
    assert the_very_same(model, before)


@pytest.mark.parametrize("scale", [0.0, 1.0, -0.7])
def test_the_unet_says_what_diffusers_says_with_the_same_lora(
    model: Model, sd1: Tiny, file: Path, scale: float
) -> None:
    content = lora(te=False)
    draw = torch.Generator().manual_seed(5)
    words = torch.randint(0, VOCAB, (1, 77), generator=draw)
    x = torch.randn(1, 4, 8, 8, generator=draw)
    with torch.no_grad():
        context = model.text[0](words).last
    theirs = copy.deepcopy(sd1.unet)
    places = ["down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "up_blocks.2.resnets.2.conv2"]
    theirs.add_adapter(LoraConfig(r=2, lora_alpha=1, target_modules=places, init_lora_weights=False), "style")
    for place in places:
        layer, stem = theirs.get_submodule(place), "lora_unet_" + place.replace(".", "_")
        layer.lora_A["style"].weight.data = content[f"{stem}.lora_down.weight"]
        layer.lora_B["style"].weight.data = content[f"{stem}.lora_up.weight"]
    theirs.set_adapters(["style"], [scale])
    with torch.no_grad():
        expected = theirs(x, torch.tensor([500.0]), context).sample
    with applied(model, [Wanted(file, Evenly(text=0.0, unet=scale))]):
        found = model.predict(x, torch.tensor([500.0]), context)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_at_strength_nought_nothing_is_touched(model: Model, file: Path) -> None:
    before = weights(model)
    with applied(model, [Wanted(file, Evenly(0.0, 0.0))]) as report:
        assert the_very_same(model, before)
    assert not report.changes_text
    assert report.matched == 3


def test_a_strength_by_block_is_asked_for_each_weight(model: Model, file: Path) -> None:
    class OnlyDown:
        def at(self, key: str) -> float:
            return 1.0 if "input_blocks" in key else 0.0

    before = weights(model)
    with applied(model, [Wanted(file, OnlyDown())]) as report:
        now = weights(model)
        assert [key for key in now if not now[key].equal(before[key])] == [UNET + TO_Q]
    assert not report.changes_text


def test_several_adapters_add_up_in_one_context(model: Model, tmp_path: Path) -> None:
    save_file(lora(1), tmp_path / "one.safetensors")
    save_file(lora(2), tmp_path / "two.safetensors")
    wanted = [Wanted(tmp_path / "one.safetensors"), Wanted(tmp_path / "two.safetensors", Evenly(-1.0, -1.0))]
    before = weights(model)[UNET + TO_Q].clone()

    def delta(chosen: list[Wanted]) -> Tensor:
        with applied(model, chosen):
            return weights(model)[UNET + TO_Q] - before

    torch.testing.assert_close(delta(wanted), delta(wanted[:1]) + delta(wanted[1:]), atol=1e-6, rtol=1e-5)


# That it goes away


def test_weights_come_back_after_an_exception(model: Model, file: Path) -> None:
    before = weights(model)
    with pytest.raises(KeyboardInterrupt), applied(model, [Wanted(file)]):
        raise KeyboardInterrupt
    assert the_very_same(model, before)


def test_a_context_within_another_does_not_add_up_and_the_outer_one_holds_again_behind_it(
    model: Model, file: Path
) -> None:
    before = weights(model)
    with applied(model, [Wanted(file)]):
        outer = weights(model)
        with applied(model, [Wanted(file)]):
            assert all(weights(model)[key].equal(tensor) for key, tensor in outer.items())
        with applied(model, []):
            assert the_very_same(model, before)
        assert the_very_same(model, outer)
    assert the_very_same(model, before)


def test_a_refusal_within_a_context_leaves_it_as_it_is(model: Model, file: Path, tmp_path: Path) -> None:
    with applied(model, [Wanted(file)]):
        outer = weights(model)
        with pytest.raises(NotFoundHere), applied(model, [Wanted(tmp_path / "gone.safetensors")]):
            pass
        assert the_very_same(model, outer)


def test_the_file_of_the_checkpoint_is_never_written_to(sd1_file: Path, file: Path) -> None:
    model = open_checkpoint(sd1_file)
    model.parameters()
    before = sd1_file.read_bytes()
    with applied(model, [Wanted(file)]):
        said(model)
    del model
    assert sd1_file.read_bytes() == before


# Precision and memory


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_computed_in_full_and_rounded_once(
    sd1_file: Path, file: Path, model: Model, dtype: torch.dtype
) -> None:
    half = open_checkpoint(sd1_file, Opening(dtype=dtype))
    before = weights(half)
    stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    product = lora()[f"{stem}.lora_up.weight"] @ lora()[f"{stem}.lora_down.weight"] / 2
    with applied(half, [Wanted(file)]):
        found = weights(half)[UNET + TO_Q]
        assert found.dtype is dtype
        assert found.equal((before[UNET + TO_Q].float() + product).to(dtype))
    assert the_very_same(half, before)


@pytest.mark.parametrize("memory", list(Memory))
def test_low_memory_modes_say_the_same(sd1_file: Path, file: Path, model: Model, memory: Memory) -> None:
    small = open_checkpoint(sd1_file, Opening(memory=memory))
    plain = said(small)
    with applied(model, [Wanted(file)]):
        expected = said(model)
    with applied(small, [Wanted(file)]):
        found = said(small)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found, plain, atol=1e-3)
    torch.testing.assert_close(said(small), plain)


def test_eight_bit_weights_that_stay_so_in_the_lowest_memory_mode_become_halves(
    sd1: Tiny, tmp_path: Path, file: Path
) -> None:
    packed = {
        key: weight.to(torch.float8_e4m3fn) if key.startswith(UNET) and weight.ndim > 1 else weight
        for key, weight in sd1.weights().items()
    }
    save_file(packed, tmp_path / "eight.safetensors")
    model = open_checkpoint(tmp_path / "eight.safetensors", Opening(memory=Memory.LAYERS))
    before = weights(model)
    assert before[UNET + TO_Q].dtype is torch.float8_e4m3fn
    with applied(model, [Wanted(file)]):
        assert weights(model)[UNET + TO_Q].dtype is torch.float16
        assert said(model).isfinite().all()
    assert weights(model)[UNET + TO_Q].data_ptr() == before[UNET + TO_Q].data_ptr()


# What is refused


def test_an_adapter_for_another_family_is_named_with_how_to_get_the_right_one(large: Model, file: Path) -> None:
    before = weights(large)
    with pytest.raises(WrongFamily) as caught, applied(large, [Wanted(file, name="castle style")]):
        pass
    assert "castle style" in caught.value.what
    assert "SDXL" in caught.value.what
    assert caught.value.next == "sdkeep search 'castle style' --kind lora --base 'SDXL 1.0'"
    assert the_very_same(large, before)


def test_layers_of_another_width_are_another_family(model: Model, tmp_path: Path) -> None:
    stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    wide = {f"{stem}.lora_down.weight": torch.ones(2, 2048), f"{stem}.lora_up.weight": torch.ones(32, 2)}
    save_file(wide, tmp_path / "wide.safetensors")
    with pytest.raises(WrongFamily, match="wide") as caught, applied(model, [Wanted(tmp_path / "wide.safetensors")]):
        pass
    assert "2048" in caught.value.why


def test_a_partial_match_is_a_warning_with_count_and_names(model: Model, tmp_path: Path) -> None:
    odd = {"lora_unet_down_blocks_7_attentions_0_proj_in.lora_down.weight": torch.ones(2, 32)}
    odd["lora_unet_down_blocks_7_attentions_0_proj_in.lora_up.weight"] = torch.ones(32, 2)
    save_file(lora() | odd, tmp_path / "odd.safetensors")
    wanted = [Wanted(tmp_path / "odd.safetensors")]
    with applied(model, wanted) as report:
        pass
    (warning,) = report.warnings
    assert report.unmatched == ("lora_unet_down_blocks_7_attentions_0_proj_in",)
    assert warning.startswith("odd: 1 layer of 4 without a place in this model: lora_unet_down_blocks_7")
    with pytest.raises(PartialMatch) as caught, applied(model, wanted, strict=True):
        pass
    assert caught.value.names == report.unmatched


def test_a_checkpoint_is_no_adapter(model: Model, sd1_file: Path) -> None:
    with pytest.raises(FormatError, match="is no LoRA"), applied(model, [Wanted(sd1_file)]):
        pass


def test_a_damaged_file_is_said_to_be_so(model: Model, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(FormatError), applied(model, [Wanted(file)]):
        pass
