"""Whether an adapter was made for a model, in words."""

from __future__ import annotations

import pytest

from sdkeep.ground.errors import PartialMatch, WrongFamily
from sdkeep.ground.kinds import Family
from sdkeep.weights.adapters.fitting import Asked, Fit, fitted, some, wrong_family
from sdkeep.weights.adapters.targets import Misfit, Resolved
from sdkeep.weights.adapters.values import Algorithm, Part, Slot

PART = Part("lora_unet_x", Algorithm.DIFF, {"diff": "lora_unet_x.diff"}, {"diff": (2, 2)})
MATCH = (PART, Slot("model.diffusion_model.x.weight", (2, 2)))
ASKED = Asked("style.safetensors", "lora", Family.SDXL)


def test_both_families_are_named_with_a_search_for_the_right_one() -> None:
    error = wrong_family(ASKED, Family.SD1, "it does not fit")
    assert error.what == "`style.safetensors` was made for SDXL, and this model is SD 1.x"
    assert error.next == "sdkeep search 'style' --kind lora --base 'SD 1.5'"


@pytest.mark.parametrize("model", [Family.SDXL, Family.UNKNOWN])
def test_a_family_that_is_not_known_to_differ_is_not_named(model: Family) -> None:
    what = wrong_family(Asked("style", "lora"), model, "").what
    assert what.startswith("`style` was made for another kind of model")
    assert ("this model is" in what) == (model is Family.SDXL)


def test_layers_of_another_size_are_another_family() -> None:
    misfit = Misfit("lora_unet_x", (8, 99), "x.weight", (8, 12))
    with pytest.raises(WrongFamily) as caught:
        fitted(ASKED, Family.SD1, Resolved((MATCH,), (), (misfit,)), strict=False)
    assert "8x99" in caught.value.why
    assert "8x12" in caught.value.why


@pytest.mark.parametrize("resolved", [Resolved((), ("a", "b"), ()), Resolved((MATCH,), ("a",), (), foreign=True)])
def test_nothing_matched_is_never_silent(resolved: Resolved) -> None:
    with pytest.raises(WrongFamily, match="made for SDXL"):
        fitted(ASKED, Family.SD1, resolved, strict=False)


def test_what_found_no_place_is_counted_named_and_an_error_when_strict() -> None:
    resolved = Resolved((MATCH,), tuple("abcdefg"), ())
    fit = fitted(ASKED, Family.SDXL, resolved, ("odd.key",), strict=False)
    assert fit.told() == (
        "style.safetensors: 7 layers of 8 without a place in this model: a, b, c, d, e and 2 more",
        "style.safetensors: 1 key that no adapter has: odd.key",
    )
    with pytest.raises(PartialMatch) as caught:
        fitted(ASKED, Family.SDXL, resolved, ("odd.key",), strict=True)
    assert caught.value.names == (*"abcdefg", "odd.key")


def test_a_whole_fit_says_nothing() -> None:
    fit = Fit("style", 3)
    fit.check_whole()
    assert fit.told() == ()


def test_names_from_files_cannot_write_on_the_screen() -> None:
    assert "\x1b" not in some(["a\x1b[31m"])
