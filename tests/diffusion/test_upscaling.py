"""Upscalers by name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.nn import functional

from sdkeep.diffusion.upscaler_networks import by_pieces, open_upscaler, unwrapped
from sdkeep.diffusion.upscaling import LATENT_MODES, built_in_near, is_built_in, upscaler
from sdkeep.ground.errors import NotFoundHere, UsageError


@pytest.mark.parametrize("name", LATENT_MODES)
def test_latent_upscalers_are_torchs_interpolations(name: str) -> None:
    x = torch.randn(1, 4, 8, 8)
    mode = LATENT_MODES[name]
    wanted = functional.interpolate(x, (12, 20), mode=mode.mode, antialias=mode.antialias)
    assert torch.equal(upscaler(name.upper()).latents(x, 12, 20), wanted)


def test_pixel_upscalers_end_at_the_wanted_size() -> None:
    small = Image.new("RGB", (10, 10))
    small.putpixel((0, 0), (255, 255, 255))
    for name in ("Lanczos", "Nearest", "None"):
        assert upscaler(name).picture(small, (25, 30)).size == (25, 30)
    assert upscaler("Nearest").picture(small, (20, 20)).getpixel((1, 1)) != (0, 0, 0)


def test_a_network_that_enlarges_less_than_is_wanted_is_asked_again() -> None:
    sizes: list[tuple[int, int]] = []

    def twice(picture: Image.Image, _scale: float) -> Image.Image:
        sizes.append(picture.size)
        return picture.resize((picture.width * 2, picture.height * 2))

    found = upscaler("twice", {"twice": twice}).picture(Image.new("RGB", (8, 8)), (48, 48))
    assert found.size == (48, 48)
    assert sizes == [(8, 8), (16, 16), (32, 32)]


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotFoundHere) as caught:
        upscaler("Lancos")
    assert "`Lanczos`" in caught.value.why


def test_a_network_by_name_is_told_apart_from_a_misspelling() -> None:
    assert built_in_near("R-ESRGAN 4x+") == []
    assert built_in_near("latent (bicubik)")[0] == "Latent (bicubic)"
    assert is_built_in(" lanczos ")


def test_pieces_of_a_picture_are_joined_without_a_seam() -> None:
    picture = Image.linear_gradient("L").convert("RGB").resize((300, 250))
    found = by_pieces(picture, 2, lambda x: functional.interpolate(x, scale_factor=2, mode="nearest"))
    assert found.size == (600, 500)
    wanted = picture.resize((600, 500), Image.Resampling.NEAREST)
    differences = {abs(a - b) for a, b in zip(found.tobytes(), wanted.tobytes(), strict=True)}
    assert max(differences) <= 1


def test_names_are_freed_of_what_trainers_wrap_around_them() -> None:
    assert list(unwrapped({"params_ema.conv.weight": torch.zeros(1), "params.conv.weight": torch.ones(1)})) == [
        "conv.weight"
    ]


@pytest.mark.skipif(importlib.util.find_spec("spandrel") is not None, reason="spandrel is installed")
def test_a_network_is_refused_where_its_package_is_missing() -> None:
    with pytest.raises(UsageError) as caught:
        open_upscaler(Path("4x.pth"))
    assert "sdkeep[upscale]" in caught.value.next
