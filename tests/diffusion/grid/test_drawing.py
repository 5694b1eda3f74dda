"""Grids as pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from sdkeep.diffusion.grid.axes import Labels
from sdkeep.diffusion.grid.drawing import LARGEST, PAPER, SMALLEST, draw_grid, wrapped

RED, BLUE = (250, 0, 0), (0, 0, 250)


def flat(colour: tuple[int, int, int], size: tuple[int, int] = (200, 150)) -> Image.Image:
    return Image.new("RGB", size, colour)


def places(whole: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what has this colour."""
    same = (np.asarray(whole) == colour).all(axis=2)
    rows, columns = np.flatnonzero(same.any(1)), np.flatnonzero(same.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def test_pictures_stand_where_their_labels_are_whole_and_untouched() -> None:
    labels = Labels(("Steps: 1", "Steps: 2"), ("CFG Scale: 3", "CFG Scale: 7"))
    whole = draw_grid([flat(RED), flat(PAPER), flat(PAPER), flat(BLUE)], labels)
    red, blue = places(whole, RED), places(whole, BLUE)
    assert (red[2] - red[0] + 1, red[3] - red[1] + 1) == (200, 150)
    assert blue[0] > red[2] and blue[1] > red[3]
    assert red[0] > 60 and red[1] > 20  # room for labels
    assert (np.asarray(whole.crop((0, 0, whole.width, red[1]))) < 100).any()  # and something written there


def test_tables_stand_one_below_the_other() -> None:
    whole = draw_grid([flat(RED), flat(BLUE)], Labels(tables=("Seed: 1", "Seed: 2")))
    red, blue = places(whole, RED), places(whole, BLUE)
    assert blue[1] > red[3] and blue[0] == red[0]


def test_tiny_pictures_are_enlarged_without_blur() -> None:
    small = flat(RED, (32, 32))
    small.putpixel((0, 0), BLUE)
    whole = draw_grid([small], Labels(("Steps: 1",)))
    blue, red = places(whole, BLUE), places(whole, RED)
    assert (blue[2] - blue[0] + 1, blue[3] - blue[1] + 1) == (4, 4)
    assert red[2] - red[0] + 1 == SMALLEST


def test_a_picture_that_is_missing_leaves_its_place_empty() -> None:
    labels = Labels(("a", "b"))
    assert draw_grid([flat(RED), None], labels).size == draw_grid([flat(RED), flat(BLUE)], labels).size
    assert draw_grid([None, None], labels).size


def test_pictures_of_several_sizes_share_cells_of_the_largest() -> None:
    whole = draw_grid([flat(RED, (100, 150)), flat(BLUE, (200, 50))], Labels(("Size: a", "Size: b")))
    red, blue = places(whole, RED), places(whole, BLUE)
    assert (red[1] + red[3]) // 2 == (blue[1] + blue[3]) // 2


def test_a_very_large_grid_stays_within_what_viewers_open() -> None:
    whole = draw_grid([flat(RED, (3000, 10))] * 6, Labels(tuple("abcdef")))
    assert max(whole.size) == LARGEST


@pytest.mark.parametrize("label", ["", "x", "a very long label of a prompt that goes on and on", "W" * 400])
def test_labels_of_any_length_are_wrapped(label: str) -> None:
    font = ImageFont.load_default(15)
    lines = wrapped(label, font, 100)
    assert "".join(lines).replace(" ", "") == label.replace(" ", "")
    assert all(font.getlength(line) <= 101 for line in lines)
    assert draw_grid([flat(RED)], Labels((label,), (label,), (label,))).size


@given(st.lists(st.text(max_size=30), min_size=1, max_size=3), st.lists(st.text(max_size=30), min_size=1, max_size=2))
@settings(max_examples=25, deadline=None)
def test_no_label_breaks_it(columns: list[str], rows: list[str]) -> None:
    pictures = [flat(RED, (64, 64))] * (len(columns) * len(rows))
    assert draw_grid(pictures, Labels(tuple(columns), tuple(rows))).size
