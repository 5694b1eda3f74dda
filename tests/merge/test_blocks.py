"""Blocks and their weights: every key of each architecture in its block, every way to write a weight."""

from __future__ import annotations

import pytest

from sdkeep.ground.errors import UsageError
from sdkeep.merge.blocks import Compat, Map, Weighting, weighting
from sdkeep.merge.presets import preset, presets

UNET = "model.diffusion_model."
SD1, SDXL = Map(12), Map(9)


@pytest.mark.parametrize(
    ("key", "block"),
    [
        ("input_blocks.0.0.weight", "IN00"), ("input_blocks.11.0.in_layers.0.bias", "IN11"),
        ("middle_block.2.out_layers.3.weight", "M00"), ("output_blocks.4.1.proj_in.weight", "OUT04"),
        ("out.0.weight", "OUT11"), ("time_embed.2.bias", "IN00"),
        ("output_blocks.4.1.transformer_blocks.0.attn1.to_out.0.weight", "OUT04"),
    ],
)  # fmt: skip
def test_a_tensor_of_the_unet_has_its_block(key: str, block: str) -> None:
    assert SD1.block_of(UNET + key) == block


def test_what_tools_disagree_on_is_placed_as_asked() -> None:
    assert SD1.names[:2] == ("BASE", "IN00")
    assert (len(SD1.names), len(SDXL.names)) == (26, 20)
    assert SDXL.block_of(UNET + "label_emb.0.0.weight") == "IN00"
    mecha = Map(9, Compat.SD_MECHA)
    assert mecha.block_of(UNET + "label_emb.0.0.weight") == "BASE"
    assert mecha.block_of(UNET + "time_embed.0.weight") == "BASE"
    assert SDXL.block_of(UNET + "out.2.weight") == "OUT08"
    assert SD1.block_of("cond_stage_model.transformer.text_model.final_layer_norm.weight") == "BASE"


def test_the_vae_takes_the_base_unless_it_has_its_own() -> None:
    key = "first_stage_model.encoder.conv_in.weight"
    assert Weighting(0.3, {"IN00": 1.0}).at(key, SD1) == 0.3
    assert Weighting(0.3, {"VAE": 1.0}).at(key, SD1) == 1.0
    twenty = weighting(",".join(["0.2"] + ["0.5"] * 19), 0.0, SDXL)
    assert twenty.at(key, SDXL) == 0.2
    assert weighting(",".join(["0.2"] + ["0.5"] * 19 + ["0.9"]), 0.0, SDXL).at(key, SDXL) == 0.9


def test_a_list_of_26_means_the_same_blocks_for_sdxl() -> None:
    numbers = [place / 100 for place in range(26)]
    found = weighting(",".join(map(str, numbers)), 0.0, SDXL)
    assert found.base == 0.0
    assert [found.blocks[name] for name in SDXL.names[1:]] == numbers[1:10] + numbers[13:23]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IN03=0.7", {"IN03": 0.7}),
        ("in00-in02=0..1", {"IN00": 0.0, "IN01": 0.5, "IN02": 1.0}),
        ("OUT01-OUT00=0..1", {"OUT01": 0.0, "OUT00": 1.0}),
        ("M=0.5, vae=1", {"M00": 0.5, "VAE": 1.0}),
        ("unet=0,text-encoder=1", {"unet": 0.0, "text-encoder": 1.0}),
    ],
)
def test_weights_are_named(text: str, expected: dict[str, float]) -> None:
    assert dict(weighting(text, 0.4, SD1).blocks) == expected
    assert weighting(text, 0.4, SD1).base == 0.4


def test_a_side_is_all_its_blocks() -> None:
    assert list(weighting("IN=0.1,BASE=0.9", 0.0, SD1).blocks) == [f"IN{place:02}" for place in range(12)]
    assert weighting("IN=0.1,BASE=0.9", 0.0, SD1).base == 0.9


@pytest.mark.parametrize("text", ["0.1,0.2", "NO_SUCH", "IN44=1", "IN00=x", "foo=1", "IN00-X=1"])
def test_weights_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        weighting(text, 0.5, SD1)
    assert caught.value.why
    assert caught.value.next


@pytest.mark.parametrize("name", presets())
def test_every_preset_has_26_numbers_between_0_and_1(name: str) -> None:
    numbers = preset(name)
    assert len(numbers) == 26
    assert all(-1e-9 <= number <= 1 + 1e-9 for number in numbers)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("GRAD_V", 1, 1.0), ("GRAD_V", 13, 0.0), ("GRAD_V", 14, 0.0833333333), ("GRAD_A", 2, 0.0833333333),
        ("SMOOTHSTEP", 2, 0.00506365740740741), ("SMOOTHSTEP*2", 3, 0.0393518518518519),
        ("SMOOTHSTEP*3", 13, 0.5), ("R_SMOOTHSTEP*4", 13, 1.0), ("SMOOTHSTEP/2", 2, 0.0196759259259259),
        ("SMOOTHSTEP/3", 3, 0.15625), ("SMOOTHSTEP/4", 25, 0.0), ("COSINE", 2, 0.995722430686905),
        ("REVERSE_COSINE", 5, 0.0669872981077808), ("WRAP08", 22, 1.0), ("WRAP08", 21, 0.0), ("MID12_50", 6, 0.5),
        ("RING08_SOFT", 6, 0.5), ("OUT07", 19, 1.0), ("OUT12_5", 13, 0.5), ("ALL_B", 0, 1.0),
    ],
)  # fmt: skip
def test_presets_have_the_numbers_that_people_share(name: str, place: int, value: float) -> None:
    assert preset(name)[place] == pytest.approx(value, abs=1e-9)


def test_patterns_go_before_blocks_and_the_last_one_counts() -> None:
    key = UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    given = Weighting(0.1, {"IN01": 0.2, "unet": 0.3}, (("attn2", 0.4), (r"to_k\.", 0.5), ("nothing", 0.6)))
    assert given.at(key, SD1) == 0.5
    assert given.at(UNET + "input_blocks.1.0.in_layers.0.weight", SD1) == 0.2
    assert given.at(UNET + "input_blocks.2.0.in_layers.0.weight", SD1) == 0.3
    assert given.at("cond_stage_model.x", SD1) == 0.1
