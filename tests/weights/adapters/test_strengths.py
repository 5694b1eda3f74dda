"""How strongly an adapter acts where."""

from __future__ import annotations

import pytest

from sdkeep.ground.errors import UsageError
from sdkeep.weights.adapters.strengths import Strength, block_of, block_weights, strength_of

UNET = "model.diffusion_model."


@pytest.mark.parametrize(
    ("text", "unet", "text_encoder"),
    [("", 1, 1), ("0.8", 0.8, 0.8), ("0.8:0.5", 0.8, 0.5), ("te=0.3:unet=0.9", 0.9, 0.3), ("-1:lbw=INS", -1, -1)],
)
def test_strengths_are_read(text: str, unet: float, text_encoder: float) -> None:
    found = strength_of(text)
    assert (found.unet, found.text) == (unet, text_encoder)


@pytest.mark.parametrize("text", ["much", "1:2:3", "lbw=1,2,3", "nan", "inf", "lbw=WRONG"])
def test_what_is_no_strength_is_told(text: str) -> None:
    with pytest.raises(UsageError):
        strength_of(text)


def test_keys_have_blocks() -> None:
    names = {
        "input_blocks.4.1.x": "IN04",
        "middle_block.1.x": "M00",
        "output_blocks.11.0.x": "OUT11",
        "time_embed.0": "",
    }
    assert {key: block_of(UNET + key) for key in names} == names
    assert block_of("cond_stage_model.x") == "BASE"


@pytest.mark.parametrize("length", [12, 17, 20, 26])
def test_a_vector_of_each_known_length_is_read_block_by_block(length: int) -> None:
    found = block_weights(",".join(str(place) for place in range(length)))
    assert list(found.values()) == list(map(float, range(length)))
    assert next(iter(found)) == "BASE"


def test_a_block_that_a_vector_leaves_out_gets_nothing_and_the_rest_of_the_unet_stays() -> None:
    strength = Strength(0.5, 0.25, block_weights("OUTALL"))
    assert strength.at(f"{UNET}output_blocks.5.1.proj_in.weight") == 0.5
    assert strength.at(f"{UNET}input_blocks.1.1.proj_in.weight") == 0
    assert strength.at(f"{UNET}time_embed.0.weight") == 0.5
    assert strength.at("cond_stage_model.transformer.x") == 0.25


def test_presets_are_named_where_one_is_not_known() -> None:
    with pytest.raises(UsageError) as caught:
        block_weights("1,2,3")
    assert "OUTALL" in caught.value.next
