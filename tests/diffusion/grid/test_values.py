"""The text of grids and its ranges."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.diffusion.grid.values import Written, read_axes, real_numbers, whole_numbers
from sdkeep.ground.errors import KeepError, UsageError


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1, 2, 3", (1, 2, 3)),
        ("1-5", (1, 2, 3, 4, 5)),
        ("10-20 (+5)", (10, 15, 20)),
        ("10-24 (+5)", (10, 15, 20)),
        ("20-10 (-5)", (20, 15, 10)),
        ("3-1", (3, 2, 1)),
        ("1-10 [5]", (1, 3, 5, 7, 10)),
        ("0-100 [2]", (0, 100)),
        ("7-9 [1]", (7,)),
        ("-3 - -1", (-3, -2, -1)),
        ("1-2, 9", (1, 2, 9)),
    ],
)
def test_whole_numbers_and_their_ranges(text: str, numbers: tuple[int, ...]) -> None:
    (axis,) = read_axes(f"Steps: {text}")
    assert whole_numbers(axis.values) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1, 2.5, .5", (1.0, 2.5, 0.5)),
        ("1-2 (+0.5)", (1.0, 1.5, 2.0)),
        ("0-1 (+0.3)", (0.0, 0.3, 0.6, 0.9)),
        ("0-1 [5]", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("1.5-0.5 (-0.5)", (1.5, 1.0, 0.5)),
        ("0-0.7 (+0.1)", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),
    ],
)
def test_real_numbers_and_their_ranges(text: str, numbers: tuple[float, ...]) -> None:
    (axis,) = read_axes(f"CFG: {text}")
    assert real_numbers(axis.values) == numbers


def test_axes_names_and_quotes() -> None:
    found = read_axes('Sampler: Euler, DPM++ 2M; Prompt S/R: "a; b", "c, d", <lora:x:1> ; CFG: 3')
    assert found == (
        Written("Sampler", ("Euler", "DPM++ 2M")),
        Written("Prompt S/R", ("a; b", "c, d", "<lora:x:1>")),
        Written("CFG", ("3",)),
    )


@pytest.mark.parametrize("text", ["", ";;", "Steps", "Steps:", "a:1;b:1;c:1;d:1", 'Steps: "1'])
def test_what_is_no_grid_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_axes(text)


@pytest.mark.parametrize("value", ["x", "1-5 (+0)", "1.5", "1-99999999999", "1-5 [0]", "1-5 [9999999]"])
def test_what_is_no_whole_number_is_refused(value: str) -> None:
    with pytest.raises(UsageError):
        whole_numbers((value,))


@given(st.text('S:;,"1-9 [](+)', max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    try:
        for axis in read_axes(text):
            whole_numbers(axis.values)
            real_numbers(axis.values)
    except KeepError:
        pass


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(1, 50))
def test_a_range_goes_from_its_first_number_in_even_steps_and_never_beyond_its_last(a: int, b: int, step: int) -> None:
    found = whole_numbers((f"{a}-{b} (+{step})" if b >= a else f"{a} - {b} (-{step})",))
    assert found[0] == a
    assert {abs(y - x) for x, y in pairwise(found)} <= {step}
    assert min(a, b) <= min(found) <= max(found) <= max(a, b)
    assert abs(b - found[-1]) < step
