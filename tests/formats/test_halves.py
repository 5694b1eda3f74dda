"""16-bit numbers over whole arrays, against torch and against numpy's own half, number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.halves import all_finite, narrow, widen

TORCH = {"F16": torch.float16, "BF16": torch.bfloat16}
EVERY = np.arange(1 << 16, dtype=np.uint16)


def as_torch(words: np.ndarray, code: str) -> torch.Tensor:
    return torch.from_numpy(words.view(np.int16).copy()).view(TORCH[code])


def finite(code: str) -> np.ndarray:
    return EVERY[as_torch(EVERY, code).isfinite().numpy()]


def narrowed(numbers: np.ndarray, code: str) -> np.ndarray | None:
    numbers = numbers.astype(np.float32)
    out = np.empty(numbers.size, np.uint16)
    scratch = np.empty_like(numbers), np.empty_like(numbers)
    return out if narrow(numbers.copy(), code, scratch, out) else None


@pytest.mark.parametrize("code", ["F16", "BF16"])
def test_every_number_is_widened_as_torch_does(code: str) -> None:
    words = finite(code)
    out = np.empty(words.size, np.float32)
    widen(words, code, out)
    assert np.array_equal(out.view(np.uint32), as_torch(words, code).float().numpy().view(np.uint32))


@pytest.mark.parametrize("code", ["F16", "BF16"])
def test_every_number_comes_back_from_float32(code: str) -> None:
    words = finite(code)
    wide = np.empty(words.size, np.float32)
    widen(words, code, wide)
    assert np.array_equal(narrowed(wide, code), words)


@pytest.mark.parametrize("code", ["F16", "BF16"])
def test_midpoints_go_to_the_even_neighbour_and_their_neighbours_to_the_nearer(code: str) -> None:
    words = finite(code)
    ordered = np.sort(as_torch(words, code).double().numpy())
    middle = ((ordered[:-1] + ordered[1:]) / 2).astype(np.float32)
    for numbers in (middle, np.nextafter(middle, np.float32(np.inf)), np.nextafter(middle, -np.float32(np.inf))):
        expected = torch.from_numpy(numbers).to(TORCH[code])
        assert np.array_equal(narrowed(numbers, code), expected.view(torch.int16).numpy().view(np.uint16))


@pytest.mark.parametrize("code", ["F16", "BF16"])
def test_a_million_bit_patterns_are_rounded_as_torch_rounds(code: str) -> None:
    bits = np.random.default_rng(3).integers(0, 1 << 32, 1 << 20, dtype=np.uint32)
    numbers = bits.view(np.float32)
    expected = torch.from_numpy(numbers.copy()).to(TORCH[code])
    kept = expected.isfinite().numpy()
    assert kept.sum() > 1 << 18
    assert np.array_equal(narrowed(numbers[kept], code), expected[kept].view(torch.int16).numpy().view(np.uint16))


@given(st.lists(st.floats(-65504, 65504, width=32), min_size=1, max_size=3000))
def test_a_half_is_what_numpy_says(numbers: list[float]) -> None:
    single = np.array(numbers, np.float32)
    assert np.array_equal(narrowed(single, "F16"), single.astype(np.float16).view(np.uint16))


@pytest.mark.parametrize("bad", [65520.0, -65520.0, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("size", [1, 1023, 1024, 5000])
def test_what_has_no_finite_half_is_refused_and_left_alone(bad: float, size: int) -> None:
    numbers = np.zeros(size, np.float32)
    numbers[size // 2] = bad
    before = numbers.copy()
    scratch = np.empty_like(numbers), np.empty_like(numbers)
    assert not narrow(numbers, "F16", scratch, np.empty(size, np.uint16))
    assert np.array_equal(numbers, before, equal_nan=True)
    assert narrowed(np.array([65519.996], np.float32), "F16") is not None


@pytest.mark.parametrize("code", ["F16", "BF16"])
def test_infinities_and_nan_are_seen(code: str) -> None:
    seen = [all_finite(EVERY[place : place + 1], code) for place in range(1 << 16)]
    assert np.array_equal(seen, as_torch(EVERY, code).isfinite().numpy())
    assert all_finite(EVERY[:0], code)
    assert all_finite(finite(code), code)
