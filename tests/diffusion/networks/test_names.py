"""Historic names become today's; what is no weight is told apart."""

from __future__ import annotations

import pytest

from sdkeep.diffusion.networks.names import canonical, component_of, is_extra
from sdkeep.formats.selection import Component

TODAY = {
    "cond_stage_model.transformer.embeddings.token_embedding.weight": (
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    ),
    "cond_stage_model.transformer.final_layer_norm.bias": (
        "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    ),
    "state_dict.model.diffusion_model.out.2.bias": "model.diffusion_model.out.2.bias",
    "module.model.diffusion_model.out.2.bias": "model.diffusion_model.out.2.bias",
    "model.model.diffusion_model.out.2.bias": "model.diffusion_model.out.2.bias",
    "diffusion_model.out.2.bias": "model.diffusion_model.out.2.bias",
    "vae.decoder.conv_in.bias": "first_stage_model.decoder.conv_in.bias",
    "model.diffusion_model.out.2.bias": "model.diffusion_model.out.2.bias",
    "first_stage_model.decoder.conv_in.bias": "first_stage_model.decoder.conv_in.bias",
}


@pytest.mark.parametrize("name", TODAY)
def test_a_historic_name_becomes_todays(name: str) -> None:
    assert canonical([name]) == {name: TODAY[name]}


def test_a_part_saved_by_itself_gets_its_place() -> None:
    assert (
        canonical(["decoder.conv_in.weight", "quant_conv.bias"])["quant_conv.bias"]
        == "first_stage_model.quant_conv.bias"
    )
    assert canonical(["input_blocks.0.0.weight", "out.2.bias"])["out.2.bias"] == "model.diffusion_model.out.2.bias"


@pytest.mark.parametrize("name", TODAY)
def test_todays_names_stay_as_they_are(name: str) -> None:
    today = TODAY[name]
    assert canonical([today]) == {today: today}


@pytest.mark.parametrize(
    "key",
    [
        "model_ema.decay",
        "model_ema.diffusion_modelout2bias",
        "alphas_cumprod",
        "alphas_cumprod_prev",
        "sqrt_recipm1_alphas_cumprod",
        "posterior_mean_coef1",
        "cond_stage_model.transformer.text_model.embeddings.position_ids",
        "conditioner.embedders.1.model.logit_scale",
        "first_stage_model.loss.discriminator.main.0.weight",
        "v_pred",
        "edm_mean",
        "optimizer_states",
        "denoiser.sigmas",
    ],
)
def test_what_is_no_weight_is_an_extra(key: str) -> None:
    assert is_extra(key)
    assert component_of(key) is None


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("model.diffusion_model.out.2.bias", Component.UNET),
        ("first_stage_model.quant_conv.bias", Component.VAE),
        ("cond_stage_model.model.ln_final.bias", Component.TEXT_ENCODER),
        ("conditioner.embedders.0.transformer.text_model.final_layer_norm.bias", Component.TEXT_ENCODER),
        ("control_model.zero_convs.0.0.bias", None),
    ],
)
def test_a_key_belongs_to_a_part(key: str, part: Component | None) -> None:
    assert component_of(key) is part
    assert not is_extra(key)
