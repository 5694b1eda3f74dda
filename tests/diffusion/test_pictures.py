"""Pictures as tensors, and at other sizes."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sdkeep.diffusion.jobs import ResizeMode
from sdkeep.diffusion.pictures import flattened, resized, to_picture, to_pixels


def noisy(size: tuple[int, int] = (24, 16)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(2).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))


def test_pixels_go_from_minus_one_to_one_and_back() -> None:
    pixels = to_pixels(noisy())
    assert pixels.shape == (1, 3, 16, 24)
    back = np.asarray(to_picture(pixels[0]), dtype=int)
    assert np.abs(back - np.asarray(noisy(), dtype=int)).max() <= 1  # fractions are dropped, not rounded


def test_what_lies_outside_is_cut_off() -> None:
    assert to_picture(torch.full((3, 1, 1), 7.0)).getpixel((0, 0)) == (255, 255, 255)
    assert to_picture(torch.full((3, 1, 1), -7.0)).getpixel((0, 0)) == (0, 0, 0)


def test_transparency_becomes_white() -> None:
    assert flattened(Image.new("RGBA", (2, 2), (255, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert flattened(Image.new("L", (2, 2), 7)).mode == "RGB"


def test_crop_keeps_the_middle_and_fill_stretches_the_edges() -> None:
    wide = Image.new("RGB", (40, 10), "red")
    wide.paste("blue", (15, 0, 25, 10))
    cropped = resized(wide, (20, 20), ResizeMode.CROP)
    assert all(cropped.getpixel((x, 10))[2] > 250 for x in (4, 10, 15))
    striped = Image.new("RGB", (40, 10), "red")
    striped.paste("blue", (0, 9, 40, 10))
    filled = resized(striped, (40, 40), ResizeMode.FILL)
    assert filled.getpixel((20, 0)) == (255, 0, 0)
    assert filled.getpixel((20, 39)) == (0, 0, 255)


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.sampled_from([ResizeMode.RESIZE, ResizeMode.CROP, ResizeMode.FILL]),
)
def test_a_picture_of_one_colour_stays_so_at_every_size(
    old: tuple[int, int], new: tuple[int, int], mode: ResizeMode
) -> None:
    found = resized(Image.new("RGB", old, (10, 200, 30)), new, mode)
    assert found.size == new
    assert found.getcolors() == [(new[0] * new[1], (10, 200, 30))]
