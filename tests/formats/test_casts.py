from __future__ import annotations

import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.casts import cast


def as_bf16(number: float) -> bytes:
    """An independent statement of rounding to bfloat16: the nearer neighbour, the even one on a tie."""
    (bits,) = struct.unpack("<I", struct.pack("<f", number))
    below, rest = bits >> 16, bits & 0xFFFF
    up = rest > 0x8000 or (rest == 0x8000 and below & 1)
    return struct.pack("<H", below + up)


@given(st.floats(width=32, allow_nan=False))
def test_bfloat16_takes_the_nearest_and_the_even_on_a_tie(number: float) -> None:
    assert cast(struct.pack("<f", number), "F32", "BF16").data == as_bf16(number)


@pytest.mark.parametrize("bits", [0x3F808000, 0x3F818000, 0x00008000, 0x7F7F8000, 0x7F7FFFFF, 0xFF800000, 0x80000000])
def test_ties_and_ends_of_the_range(bits: int) -> None:
    raw = struct.pack("<I", bits)
    expected = torch.frombuffer(bytearray(raw), dtype=torch.float32).to(torch.bfloat16).view(torch.uint8)
    assert cast(raw, "F32", "BF16").data == bytes(expected.tolist())


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x7F80FFFF])
@pytest.mark.parametrize("target", ["BF16", "F16"])
def test_not_a_number_stays_none(bits: int, target: str) -> None:
    data = cast(struct.pack("<I", bits), "F32", target).data
    dtype = torch.bfloat16 if target == "BF16" else torch.float16
    assert torch.frombuffer(bytearray(data), dtype=dtype).isnan().all()


@given(st.lists(st.floats(width=32), max_size=20))
def test_half_is_rounded_as_torch_does(numbers: list[float]) -> None:
    single = torch.tensor(numbers, dtype=torch.float32)
    found = cast(single.numpy().tobytes(), "F32", "F16")
    half = torch.frombuffer(bytearray(found.data), dtype=torch.float16) if numbers else torch.zeros(0)
    assert torch.equal(half.nan_to_num(), single.to(torch.float16).nan_to_num().to(half.dtype))
    assert found.overflowed == int((single.half().isinf() & ~single.isinf()).sum())


@pytest.mark.parametrize("source", ["F64", "F32", "F16", "BF16"])
@pytest.mark.parametrize("target", ["F32", "F16", "BF16"])
def test_an_infinity_that_was_there_is_no_overflow(source: str, target: str) -> None:
    raw = {
        "F64": struct.pack("<d", -float("inf")),
        "F32": struct.pack("<f", -float("inf")),
        "F16": b"\0\xfc",
        "BF16": b"\x80\xff",
    }
    assert cast(raw[source], source, target).overflowed == 0


@given(st.integers(0, 0xFFFF))
def test_widening_loses_nothing(bits: int) -> None:
    wide = cast(struct.pack("<H", bits), "BF16", "F32").data
    assert wide[:2] == b"\0\0"
    assert wide[2:] == struct.pack("<H", bits)
