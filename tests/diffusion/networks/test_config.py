"""Sizes are read off the shapes of keys alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.diffusion.assembly import build
from sdkeep.diffusion.networks.config import (
    ClipConfig,
    ModelConfig,
    OpenClipConfig,
    Prediction,
    UNetConfig,
    VaeConfig,
    Variant,
    infer,
)
from sdkeep.ground.errors import FormatError
from sdkeep.ground.kinds import Family

LARGE = {"linear": True, "heads": 0, "head_width": 64}
SDXL = UNetConfig(
    mults=(1, 2, 4),
    res_blocks=(2, 2, 2),
    depths=(0, 0, 2, 2, 10, 10),
    depth_middle=10,
    depths_out=(10, 10, 10, 2, 2, 2, 0, 0, 0),
    context=2048,
    labels=2816,
    **LARGE,
)
REFINER = UNetConfig(
    width=384,
    depths=(0, 0, 4, 4, 4, 4, 0, 0),
    depth_middle=4,
    depths_out=(0, 0, 0, 4, 4, 4, 4, 4, 4, 0, 0, 0),
    context=1280,
    labels=2560,
    **LARGE,
)
CLIP_L = ClipConfig("cond_stage_model.transformer.text_model.")
CLIP_H = OpenClipConfig("cond_stage_model.model.")
LARGE_L = ClipConfig("conditioner.embedders.0.transformer.text_model.")
BIG_G = {"width": 1280, "hidden": 5120, "layers": 32, "heads": 20, "projection": 1280}
SD2 = UNetConfig(context=1024, upcast_attention=True, **LARGE)
VAE = VaeConfig()
KNOWN = {
    "sd 1.5": (ModelConfig(Family.SD1, UNetConfig(), VAE, (CLIP_L,)), 859_520_964),
    "sd 1.5 inpainting": (
        ModelConfig(Family.SD1, UNetConfig(channels_in=9), VAE, (CLIP_L,), variant=Variant.INPAINTING),
        859_535_364,
    ),
    "instruct-pix2pix": (
        ModelConfig(Family.SD1, UNetConfig(channels_in=8), VAE, (CLIP_L,), variant=Variant.PIX2PIX),
        859_532_484,
    ),
    "sd 2.1": (ModelConfig(Family.SD2, SD2, VAE, (CLIP_H,), skip=2), 865_910_724),
    "sdxl": (
        ModelConfig(
            Family.SDXL,
            SDXL,
            VAE,
            (LARGE_L, OpenClipConfig("conditioner.embedders.1.model.", **BIG_G)),
            skip=2,
            final_norm=False,
            scale=0.13025,
        ),
        2_567_463_684,
    ),
    "sdxl refiner": (
        ModelConfig(
            Family.SDXL_REFINER,
            REFINER,
            VAE,
            (OpenClipConfig("conditioner.embedders.0.model.", **BIG_G),),
            skip=2,
            final_norm=False,
            scale=0.13025,
        ),
        2_259_526_660,
    ),
}


def shapes_of(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    return {
        part.prefix + name: tuple(weight.shape)
        for part in build(config)
        for name, weight in part.network.named_parameters()
    }


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_model_is_read_off_its_shapes(name: str) -> None:
    config, _ = KNOWN[name]
    assert infer(shapes_of(config)) == config


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_unet_has_as_many_weights_as_published(name: str) -> None:
    config, weights = KNOWN[name]
    [unet] = (part.network for part in build(config) if part.prefix == "model.diffusion_model.")
    assert sum(weight.numel() for weight in unet.parameters()) == weights


DISTILLED = {
    "ssd-1b": ((0, 0, 2, 2, 4, 4), -1, (4, 4, 10, 2, 1, 1, 0, 0, 0), (2, 2, 2)),
    "vega": ((0, 0, 1, 1, 2, 2), -1, (2, 2, 2, 1, 1, 1, 0, 0, 0), (2, 2, 2)),
    "koala-700m": ((0, 2, 5), -2, (5, 5, 2, 2, 0, 0), (1, 1, 1)),
    "koala-1b": ((0, 2, 6), 6, (6, 6, 2, 2, 0, 0), (1, 1, 1)),
}


@pytest.mark.parametrize("name", DISTILLED)
def test_distilled_sdxl_is_read_off_its_shapes(name: str) -> None:
    depths, middle, out, blocks = DISTILLED[name]
    unet = UNetConfig(
        mults=(1, 2, 4),
        res_blocks=blocks,
        depths=depths,
        depth_middle=middle,
        depths_out=out,
        context=2048,
        labels=2816,
        **LARGE,
    )
    found = infer(shapes_of(ModelConfig(Family.SDXL, unet, None, ())))
    assert (found.unet, found.family, found.size_conditions) == (unet, Family.SDXL, 6)


@st.composite
def unets(draw: st.DrawFn) -> UNetConfig:
    """UNets of all the sizes that the code can build."""
    levels = draw(st.integers(1, 4))

    def numbers(count: int, least: int, most: int) -> Sequence[int]:
        return tuple(draw(st.lists(st.integers(least, most), min_size=count, max_size=count)))

    blocks = numbers(levels, 1, 3)
    depths = numbers(sum(blocks), 0, 2)
    middle = draw(st.sampled_from([-2, -1, 1, 2]))
    out = numbers(sum(blocks) + levels, 0, 2)
    attends = any(depths) or any(out) or middle > 0
    linear = attends and draw(st.booleans())
    return UNetConfig(
        width=32 * draw(st.integers(1, 3)),
        mults=tuple(numbers(levels, 1, 4)),
        res_blocks=tuple(blocks),
        depths=tuple(depths),
        depth_middle=middle,
        depths_out=tuple(out),
        context=draw(st.integers(1, 99)) if attends else 0,
        channels_in=draw(st.sampled_from([4, 8, 9])),
        linear=linear,
        heads=0 if linear else 8,
        head_width=64 if linear else 0,
        upcast_attention=linear,
    )


@settings(max_examples=40)
@given(unets())
def test_any_unet_that_can_be_built_is_read_off_its_shapes(unet: UNetConfig) -> None:
    family = Family.SD2 if unet.linear else Family.SD1
    assert infer(shapes_of(ModelConfig(family, unet, None, ()))).unet == unet


def test_metadata_overrules_the_number_of_heads() -> None:
    unet = UNetConfig(width=64, mults=(1, 2), res_blocks=(1, 1), depths=(1, 1), depths_out=(1, 1, 1, 1), context=64)
    text = ClipConfig(CLIP_L.prefix, 99, 77, 64, 128, 2, 1)
    shapes = shapes_of(ModelConfig(Family.SD1, unet, None, (text,)))
    assert infer(shapes).unet == unet
    found = infer(shapes, {"sdkeep.unet.heads": "2", "sdkeep.text.heads": "4"})
    assert found.unet is not None
    assert (found.unet.heads_of(64), found.unet.heads_of(128), found.text[0].heads) == (2, 2, 4)
    found = infer(shapes, {"sdkeep.unet.head_width": "32"})
    assert found.unet is not None
    assert (found.unet.heads_of(64), found.unet.heads_of(128)) == (2, 4)


def test_heads_that_do_not_divide_a_tower_are_refused() -> None:
    shapes = shapes_of(ModelConfig(Family.SD1, None, None, (ClipConfig(CLIP_L.prefix, 99, 77, 64, 128, 2, 1),)))
    with pytest.raises(FormatError, match="no checkpoint"):
        infer(shapes, {"sdkeep.text.heads": "3"})


@pytest.mark.parametrize(
    ("extra", "metadata", "prediction"),
    [
        ({}, {}, Prediction.EPSILON),
        ({"v_pred": ()}, {}, Prediction.V),
        ({}, {"modelspec.prediction_type": "v"}, Prediction.V),
        ({}, {"modelspec.prediction_type": "v_prediction"}, Prediction.V),
        ({}, {"modelspec.prediction_type": "epsilon"}, Prediction.EPSILON),
        ({"v_pred": ()}, {"modelspec.prediction_type": "epsilon"}, Prediction.V),
        ({"edm_mean": (1, 4, 1, 1), "edm_std": (1, 4, 1, 1)}, {}, Prediction.EDM),
        ({"edm_vpred.sigma_max": ()}, {}, Prediction.EDM_V),
    ],
)
def test_keys_and_metadata_say_what_is_predicted(
    extra: dict[str, tuple[int, ...]], metadata: dict[str, str], prediction: Prediction
) -> None:
    shapes = shapes_of(ModelConfig(Family.SDXL, SDXL, None, ())) | extra
    assert infer(shapes, metadata).prediction is prediction


def test_a_key_asks_for_zero_terminal_signal() -> None:
    shapes = shapes_of(ModelConfig(Family.SDXL, SDXL, None, ()))
    assert not infer(shapes).zero_terminal_snr
    assert infer(shapes | {"ztsnr": ()}).zero_terminal_snr


@pytest.mark.parametrize(
    ("unet", "why"),
    [
        (UNetConfig(channels_in=5), "1 extra channels"),
        (UNetConfig(channels_in=7), "3 extra channels"),
    ],
)
def test_a_unet_with_unknown_inputs_is_refused(unet: UNetConfig, why: str) -> None:
    with pytest.raises(FormatError) as caught:
        infer(shapes_of(ModelConfig(Family.SD2, unet, None, (CLIP_H,))))
    assert why in caught.value.why
    assert caught.value.rule == "unsupported-network"


def test_unclip_is_refused() -> None:
    unet = UNetConfig(context=1024, labels=2048, upcast_attention=True, **LARGE)
    with pytest.raises(FormatError) as caught:
        infer(shapes_of(ModelConfig(Family.SD2, unet, None, (CLIP_H,))))
    assert "unCLIP" in caught.value.why


@pytest.mark.parametrize("width", [0, 1, 33])
def test_a_unet_that_no_groups_divide_is_refused(width: int) -> None:
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": (width, 4, 3, 3),
        "model.diffusion_model.out.2.weight": (4, width, 3, 3),
    }
    with pytest.raises(FormatError):
        infer(shapes)


@pytest.mark.parametrize("shapes", [{}, {"lora_unet_x.lora_down.weight": (4, 320)}])
def test_what_holds_no_network_is_no_checkpoint(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(FormatError) as caught:
        infer(shapes)
    assert caught.value.rule == "not-a-checkpoint"


def test_sd2_that_lost_its_last_layer_is_used_to_its_end() -> None:
    text = OpenClipConfig("cond_stage_model.model.", layers=23)
    with torch.device("meta"):
        found = infer(shapes_of(ModelConfig(Family.SD2, None, None, (text,))))
    assert (found.skip, found.text) == (1, (text,))


_NAMES = st.sampled_from([*sorted(shapes_of(KNOWN["sd 1.5"][0]))[::37], "v_pred", "model.diffusion_model.out.2.weight"])


@given(st.dictionaries(_NAMES, st.lists(st.integers(0, 5000), max_size=5).map(tuple), max_size=12))
def test_shapes_that_make_no_sense_are_refused_and_never_crash(shapes: dict[str, tuple[int, ...]]) -> None:
    try:
        infer(shapes)
    except FormatError:
        pass
