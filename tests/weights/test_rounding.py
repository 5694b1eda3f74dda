from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.weights.dtypes import TORCH, code_of, is_float, item_size
from sdkeep.weights.rounding import rounded, to_bytes

NARROW = ["F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"]


def grid(code: str) -> list[float]:
    """Every finite number of a format, ascending, zero once."""
    kind = TORCH[code]
    patterns = torch.arange(1 << (8 * kind.itemsize), dtype=torch.int32)
    whole = patterns.to(torch.uint8 if kind.itemsize == 1 else torch.uint16).view(kind).to(torch.float64)
    return sorted(set(whole[whole.isfinite()].tolist()))


GRIDS = {code: np.array(grid(code)) for code in NARROW}


def nearest(value: float, code: str) -> float:
    """The number of a format that is nearest to `value`; of two, the one with an even last bit. Exact fractions."""
    numbers = GRIDS[code]
    place = int(np.searchsorted(numbers, value))
    near = [float(n) for n in numbers[max(place - 1, 0) : place + 1]]
    distances = [abs(Fraction(n) - Fraction(value)) for n in near]
    best = [n for n, distance in zip(near, distances, strict=True) if distance == min(distances)]
    even = [n for n in best if not to_bytes(torch.tensor([n]).to(TORCH[code]))[0] & 1]
    return (even or best)[0]


@given(st.floats(allow_nan=False, allow_infinity=False, width=64), st.sampled_from(NARROW))
def test_a_double_is_rounded_once_to_the_nearest(value: float, code: str) -> None:
    found = float(rounded(torch.tensor([value], dtype=torch.float64), code).to(torch.float64))
    largest = GRIDS[code][-1]
    if abs(value) > largest and code in ("F16", "BF16"):
        step = largest - GRIDS[code][-2]
        wanted = float("inf") if Fraction(abs(value)) >= Fraction(largest) + Fraction(step) / 2 else largest
        assert abs(found) == wanted
    else:
        assert found == nearest(value, code)


@given(st.integers(0, 2**32 - 1), st.sampled_from(NARROW))
def test_a_single_is_rounded_once_to_the_nearest(pattern: int, code: str) -> None:
    (value,) = struct.unpack("<f", struct.pack("<I", pattern))
    single = torch.tensor([value], dtype=torch.float32)
    if not np.isfinite(value) or abs(value) > GRIDS[code][-1]:
        return
    assert float(rounded(single, code).to(torch.float64)) == nearest(value, code)


@given(st.sampled_from(NARROW), st.integers(0, 10_000), st.sampled_from([-1, 0, 1]))
def test_a_double_beside_the_middle_of_two_halves_goes_to_its_own_side(code: str, place: int, side: int) -> None:
    """Where rounding twice goes wrong: a hair off a tie, which a single cannot tell from the tie."""
    numbers = GRIDS[code]
    place = place % (len(numbers) - 1)
    middle = (numbers[place] + numbers[place + 1]) / 2
    value = float(np.nextafter(middle, side * np.inf)) if side else float(middle)
    assert float(rounded(torch.tensor([value], dtype=torch.float64), code).to(torch.float64)) == nearest(value, code)


@pytest.mark.parametrize("code", ["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"])
def test_eight_bits_saturate_and_keep_what_is_broken_visible(code: str) -> None:
    found = rounded(torch.tensor([1e9, -1e9, float("inf"), float("nan")]), code).to(torch.float64)
    assert found[0] == GRIDS[code][-1]
    assert found[1] == -GRIDS[code][-1]
    assert not found[2].isfinite()
    assert found[3].isnan()


def test_sixteen_bits_overflow_to_infinity() -> None:
    assert rounded(torch.tensor([1e9, -1e9]), "F16").tolist() == [float("inf"), float("-inf")]


def test_what_is_in_its_format_already_is_not_touched() -> None:
    tensor = torch.randn(3).half()
    assert rounded(tensor, "F16") is tensor


def test_bytes_are_those_of_a_file_whatever_the_strides() -> None:
    tensor = torch.arange(6, dtype=torch.int16).reshape(2, 3)
    assert bytes(to_bytes(tensor)) == struct.pack("<6h", *range(6))
    assert bytes(to_bytes(tensor.T)) == struct.pack("<6h", 0, 3, 1, 4, 2, 5)
    assert bytes(to_bytes(torch.tensor(1.5))) == struct.pack("<f", 1.5)
    assert bytes(to_bytes(torch.tensor([True, False]))) == b"\x01\x00"
    assert bytes(to_bytes(torch.empty(0))) == b""


@pytest.mark.parametrize("code", TORCH)
def test_every_code_has_one_dtype_and_back(code: str) -> None:
    assert code_of(TORCH[code]) == code
    assert item_size(code) == TORCH[code].itemsize
    assert is_float(code) is (code[0] in "FB" and code != "BOOL")


def test_codes_that_no_tensor_has_are_refused() -> None:
    assert not is_float("F4")
    with pytest.raises(ValueError, match="F6_E2M3"):
        item_size("F6_E2M3")
    with pytest.raises(ValueError, match="complex128"):
        code_of(torch.complex128)
