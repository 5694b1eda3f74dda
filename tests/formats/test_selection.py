"""What of a checkpoint is kept: its parts, and its averaged weights."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open

from sdkeep.formats.convert import ConvertOptions
from sdkeep.formats.selection import Component, Ema, Selection, averaged_name, component_of
from sdkeep.ground.errors import CannotConvert
from tests.makers.looking import Convert, Loaded
from tests.makers.torchfiles import saved

UNET, VAE, TEXT = Component.UNET, Component.VAE, Component.TEXT_ENCODER


def lit_ema(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """LDM's own statement of the names (ldm/modules/ema.py, LitEma over `self.model`)."""
    averages = {}
    for name, weight in weights.items():
        if name.startswith("model."):
            averages["model_ema." + name[len("model.") :].replace(".", "")] = weight + 100
    decay = {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(70_000, dtype=torch.int32)}
    return averages | decay


WEIGHTS = {
    "model.diffusion_model.input_blocks.0.0.weight": torch.arange(6.0).reshape(2, 3),
    "model.diffusion_model.input_blocks.0.0.bias": torch.ones(2),
    "model.diffusion_model.out.2.weight": torch.full((3,), 3.0),
    "first_stage_model.decoder.conv_in.weight": torch.zeros(4),
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": torch.ones(5),
    "betas": torch.ones(2),
}
FULL = saved({"state_dict": {**WEIGHTS, **lit_ema(WEIGHTS)}, "epoch": 3})
PRUNED = saved({"state_dict": WEIGHTS})


def choosing(ema: Ema = Ema.KEEP, *components: Component) -> ConvertOptions:
    return ConvertOptions(selection=Selection(ema, frozenset(components)))


def test_the_name_of_an_average_is_ldm_s() -> None:
    expected = "model_ema.diffusion_modelinput_blocks00weight"
    assert averaged_name("model.diffusion_model.input_blocks.0.0.weight") == expected
    assert averaged_name("first_stage_model.x") == ""


def test_averages_are_kept_unless_asked(loaded: Loaded) -> None:
    assert set(loaded(FULL)) == {*WEIGHTS, *lit_ema(WEIGHTS)}


def test_averages_are_dropped(loaded: Loaded) -> None:
    tensors = loaded(FULL, choosing(Ema.DROP))
    assert set(tensors) == set(WEIGHTS)
    assert all(torch.equal(tensors[name], weight) for name, weight in WEIGHTS.items())


def test_averages_take_the_place_of_what_they_average(loaded: Loaded) -> None:
    tensors = loaded(FULL, choosing(Ema.USE))
    assert set(tensors) == set(WEIGHTS)
    for name, weight in WEIGHTS.items():
        assert torch.equal(tensors[name], weight + 100 if name.startswith("model.") else weight), name


def test_dropping_averages_from_a_file_without_them_changes_nothing(loaded: Loaded) -> None:
    assert set(loaded(PRUNED, choosing(Ema.DROP))) == set(WEIGHTS)


def refused(data: bytes, options: ConvertOptions, convert: Convert) -> str:
    with pytest.raises(CannotConvert) as caught:
        convert(data, options)
    return f"{caught.value.what}: {caught.value.why}"


def test_using_averages_that_are_not_there_is_refused(convert: Convert) -> None:
    assert "no averaged weights" in refused(PRUNED, choosing(Ema.USE), convert)


BROKEN = {
    "an average of nothing": ({"model_ema.nowhere": torch.ones(1)}, "`model_ema.nowhere`"),
    "another shape": ({"model_ema.diffusion_modelout2weight": torch.ones(9)}, "`model.diffusion_model.out.2.weight`"),
    "two of one name": ({"model.diffusion_model.out2.weight": torch.ones(3)}, "`model_ema.diffusion_modelout2weight`"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_averages_that_do_not_fit_are_refused_by_name(case: str, convert: Convert) -> None:
    more, words = BROKEN[case]
    assert words in refused(saved({**WEIGHTS, **lit_ema(WEIGHTS), **more}), choosing(Ema.USE), convert)


PARTS = {
    "model.diffusion_model.x": UNET, "model_ema.diffusion_modelx": UNET, "first_stage_model.x": VAE,
    "cond_stage_model.x": TEXT, "conditioner.embedders.1.model.x": TEXT, "text_encoders.clip_l.x": TEXT, "betas": None,
    "diffusion_model.x": None, "vae.decoder.x": VAE,
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_a_name_belongs_to_a_part(name: str) -> None:
    assert component_of(name) is PARTS[name]


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ((UNET,), {name for name in WEIGHTS if name.startswith("model.")}),
        ((TEXT,), {name for name in WEIGHTS if name.startswith("cond_")}),
        ((VAE,), {"decoder.conv_in.weight"}),
        ((VAE, UNET), {name for name in WEIGHTS if name.startswith(("model.", "first_"))}),
        ((VAE, UNET, TEXT), set(WEIGHTS) - {"betas"}),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, tuple) else "",
)
def test_only_the_wanted_parts_are_written(parts: tuple[Component, ...], names: set[str], loaded: Loaded) -> None:
    assert set(loaded(FULL, choosing(Ema.DROP, *parts))) == names


def test_a_part_that_is_not_there_is_named(convert: Convert) -> None:
    words = refused(saved({"first_stage_model.x": torch.ones(1)}), choosing(Ema.KEEP, UNET), convert)
    assert "there is no unet" in words
    assert "it holds vae" in words


def test_the_file_says_what_was_kept_and_its_old_payload_digest_goes(convert: Convert) -> None:
    from safetensors.torch import save

    data = save(WEIGHTS, {"sshs_model_hash": "abc", "ss_note": "x"})
    metadata = convert(data, choosing(Ema.DROP, UNET, VAE)).metadata
    assert metadata["sdkeep.components"] == "unet,vae"
    assert metadata["sdkeep.ema"] == "drop"
    assert (metadata["ss_note"], metadata.get("sshs_model_hash")) == ("x", None)


def test_extracted_parts_read_as_what_they_are(convert: Convert) -> None:
    with safe_open(convert(FULL, choosing(Ema.USE, UNET)).path, "pt") as file:
        assert all(name.startswith("model.diffusion_model.") for name in file.keys())  # noqa: SIM118
