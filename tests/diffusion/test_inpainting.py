"""Masks made ready, and the original laid on top."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from sdkeep.diffusion.inpainting import blurred, prepared
from sdkeep.diffusion.jobs import Inpaint, MaskedContent, ResizeMode, Start
from sdkeep.ground.errors import UsageError


def picture(size: tuple[int, int] = (64, 48)) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)


def mask(box: tuple[int, int, int, int], size: tuple[int, int] = (64, 48)) -> Image.Image:
    made = Image.new("L", size)
    ImageDraw.Draw(made).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=255)
    return made


def start(box: tuple[int, int, int, int], **how: object) -> Start:
    return Start(picture(), inpaint=Inpaint(mask(box), **({"blur": 0} | how)))  # type: ignore[arg-type]


def test_blur_is_the_gaussian_of_its_deviation_on_either_axis() -> None:
    point = Image.new("L", (41, 41))
    point.putpixel((20, 20), 255)
    wide = np.asarray(blurred(mask((20, 0, 64, 48)), 4), dtype=float)
    reach = np.arange(-10, 11)
    weights = np.exp(-(reach**2) / 32)
    share = np.cumsum(weights / weights.sum())
    assert np.abs(wide[24, 10:31] - 255 * share).max() <= 1
    assert np.abs(wide - wide[24]).max() <= 1
    assert np.asarray(blurred(point, 2)).sum() < 255 * 2


def test_no_blur_leaves_the_mask() -> None:
    assert ImageChops.difference(blurred(mask((3, 3, 9, 9)), 0), mask((3, 3, 9, 9))).getbbox() is None


def test_a_drawn_mask_is_read_from_its_transparency() -> None:
    drawn = Image.new("RGBA", (64, 48), (9, 9, 9, 0))
    ImageDraw.Draw(drawn).rectangle((10, 10, 19, 19), fill=(255, 255, 255, 255))
    found = prepared(Start(picture(), inpaint=Inpaint(drawn, blur=0)), (64, 48))
    assert found.mask is not None
    assert found.mask.getbbox() == (10, 10, 20, 20)


def test_an_inverted_mask_changes_the_rest() -> None:
    found = prepared(start((0, 0, 32, 48), invert=True), (64, 48))
    assert found.mask is not None
    assert found.mask.getbbox() == (32, 0, 64, 48)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(UsageError, match="mask is empty"):
        prepared(Start(picture(), inpaint=Inpaint(Image.new("L", (64, 48)))), (64, 48))


def test_a_mask_of_another_size_is_stretched_to_the_picture() -> None:
    found = prepared(Start(picture(), inpaint=Inpaint(mask((0, 0, 16, 24), (32, 24)), blur=0)), (64, 48))
    assert found.mask is not None
    assert found.mask.size == (64, 48)


def test_latents_are_free_or_not_and_nothing_between() -> None:
    found = prepared(start((30, 0, 64, 48), blur=4), (64, 48))
    free = found.free(6, 8)
    assert free is not None
    assert set(free.flatten().tolist()) == {0.0, 1.0}
    assert free[0, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_the_original_comes_back_where_nothing_was_masked() -> None:
    found = prepared(start((16, 16, 32, 32)), (64, 48))
    whole = found.finished(Image.new("RGB", (64, 48), "red"))
    changed = ImageChops.difference(whole, picture()).getbbox()
    assert changed == (16, 16, 32, 32)
    assert whole.getpixel((20, 20)) == (255, 0, 0)


def test_a_blurred_mask_blends_the_two() -> None:
    found = prepared(start((16, 0, 64, 48), blur=4), (64, 48))
    row = np.asarray(found.finished(Image.new("RGB", (64, 48), "black")).convert("L"), dtype=float)[24]
    original = np.asarray(picture().convert("L"), dtype=float)[24]
    assert np.abs(row[:6] - original[:6]).max() <= 1
    assert row[20:].max() == 0
    assert 0 < row[12] < original[12]


@pytest.mark.parametrize(
    ("box", "size", "padding", "wanted"),
    [
        ((20, 20, 28, 24), (64, 64), 0, (20, 18, 28, 26)),
        ((20, 20, 24, 28), (64, 64), 2, (16, 18, 28, 30)),
        ((0, 0, 8, 4), (64, 64), 0, (0, 0, 8, 8)),
        ((56, 44, 64, 48), (64, 64), 0, (56, 40, 64, 48)),
        ((0, 20, 64, 24), (64, 64), 0, (0, 0, 64, 48)),
    ],
)
def test_only_masked_takes_the_mask_with_its_padding_in_the_jobs_shape(
    box: tuple[int, int, int, int], size: tuple[int, int], padding: int, wanted: tuple[int, int, int, int]
) -> None:
    found = prepared(start(box, only_masked=True, padding=padding), size)
    assert found.box == wanted
    assert found.picture.size == size
    whole = found.finished(Image.new("RGB", size, "red"))
    assert whole.size == (64, 48)
    assert ImageChops.difference(whole, picture()).getbbox() == box


@given(
    st.tuples(st.integers(0, 63), st.integers(0, 47), st.integers(1, 64), st.integers(1, 48)),
    st.integers(0, 40),
    st.sampled_from([(64, 64), (128, 32), (32, 96)]),
)
def test_the_part_that_is_worked_on_lies_in_the_picture_and_holds_the_mask(
    corner: tuple[int, int, int, int], padding: int, size: tuple[int, int]
) -> None:
    left, top, width, height = corner
    box = (left, top, min(left + width, 64), min(top + height, 48))
    found = prepared(start(box, only_masked=True, padding=padding), size).box
    assert found is not None
    assert 0 <= found[0] <= box[0] and 0 <= found[1] <= box[1]
    assert box[2] <= found[2] <= 64 and box[3] <= found[3] <= 48


def test_fill_takes_colours_from_around_the_hole() -> None:
    plain = Image.new("RGB", (64, 48), (200, 30, 30))
    ImageDraw.Draw(plain).rectangle((20, 16, 39, 31), fill=(0, 255, 0))
    how = Inpaint(mask((20, 16, 40, 32)), blur=0, content=MaskedContent.FILL)
    found = prepared(Start(plain, inpaint=how), (64, 48)).picture
    red, green, _ = found.getpixel((30, 24))
    assert red > 150 and green < 60
    assert found.getpixel((2, 2)) == (200, 30, 30)


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_mask_and_overlay_follow_the_picture_to_another_size(mode: ResizeMode) -> None:
    begun = Start(picture(), resize=mode, inpaint=Inpaint(mask((16, 16, 32, 32)), blur=0))
    found = prepared(begun, (96, 96))
    assert found.mask is not None
    assert found.mask.size == (96, 96)
    assert found.finished(Image.new("RGB", (96, 96))).size == (96, 96)
