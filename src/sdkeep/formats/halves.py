"""16-bit numbers to float32 and back over whole arrays, in as few passes of plain arithmetic as it takes.

numpy's own half goes number by number, and numpy has no bfloat16. Here every pass is one operation on an array that
stays in the processor's cache, which takes a tenth of the time. Nothing allocates, so that a thread can work through
gigabytes in the same few megabytes. Layouts: IEEE 754-2019 section 3.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Singles = NDArray[np.float32]
    Words = NDArray[np.uint16]

CODES = frozenset({"F16", "BF16"})
"""The formats that this module knows."""

_MAGNITUDE, _SIGN, _EXPONENT = np.uint32(0x7FFF_FFFF), np.uint32(0x8000_0000), np.uint32(0x7F80_0000)
_INFINITE = {"F16": np.uint16(0x7C00), "BF16": np.uint16(0x7F80)}
_TOO_LARGE = {"F16": 0x477F_F000, "BF16": 0x7F7F_8000}
"""float32's bits from which on the nearest number of the format is infinite."""

_HALF_PLACE, _NO_COPIES = np.int32(13), np.int32(-0x7000_0001)
_HALF_SCALE = np.float32(2.0**112)  # between the exponents' biases, 127 - 15
_SPREAD = np.uint32((1 << 16) + (1 << 3))
_PUSH = np.uint32((13 << 23) + 2048)
_LEAST = np.full(1 << 10, 113 << 23, np.uint32)  # 2**-14: below it halves are evenly spaced
_UPPER = np.uint32(16)


def all_finite(words: Words, code: str) -> bool:
    """Whether no number of format `code` is infinite or NaN."""
    if not words.size:
        return True
    negative = np.uint16(0x8000) | _INFINITE[code]
    return bool(words.view(np.int16).max() < _INFINITE[code]) and bool(words.max() < negative)


def widen(words: Words, code: str, out: Singles) -> None:
    """Numbers of format `code` as float32, exactly. All must be finite.

    A half's bits, moved to where float32 has them, are the number times 2**-112, subnormal ones included.
    """
    bits = out.view(np.int32)
    if code == "BF16":
        np.copyto(bits, words)
        np.left_shift(bits, np.int32(16), bits)
        return
    np.copyto(bits, words.view(np.int16))  # copies of the sign fill what is above
    np.left_shift(bits, _HALF_PLACE, bits)
    np.bitwise_and(bits, _NO_COPIES, bits)
    np.multiply(out, _HALF_SCALE, out)


def narrow(numbers: Singles, code: str, scratch: tuple[Singles, Singles], out: Words) -> bool:
    """float32 to format `code`, each number to the nearest, ties to even; `numbers` and `scratch` are overwritten.

    False where a number is not finite, or would not be in that format; then nothing has changed but `scratch`.
    """
    sizes = scratch[0].view(np.uint32)
    np.bitwise_and(numbers.view(np.uint32), _MAGNITUDE, sizes)
    if sizes.size and sizes.max() >= _TOO_LARGE[code]:
        return False
    if code == "F16":
        _to_half(numbers.view(np.uint32), scratch[0], scratch[1], out)
    else:
        _to_brain(numbers.view(np.uint32), sizes, out)
    return True


def _to_half(bits: NDArray[np.uint32], sizes: Singles, powers: Singles, out: Words) -> None:
    """Add to each size the power of two 2**13 above it (at least above 2**-14): it is rounded at the half's last place.

    Then the sum's bits are an exponent, 13 too large, and far below it the half's mantissa with its hidden bit, as an
    integer. One multiplication brings both to their places in the upper 16 bits, where the hidden bit counts as one
    more in the exponent; what that is too large by in the end, 2048 in the power's own mantissa makes good.
    """
    power, total = powers.view(np.uint32), sizes.view(np.uint32)
    np.bitwise_and(bits, _EXPONENT, power)
    _at_least(power)
    np.add(power, _PUSH, power)
    np.add(sizes, powers, sizes)
    np.multiply(total, _SPREAD, total)
    np.bitwise_and(bits, _SIGN, bits)
    np.bitwise_or(total, bits, total)
    np.right_shift(total, _UPPER, total)
    np.copyto(out, total, casting="unsafe")


def _at_least(power: NDArray[np.uint32]) -> None:
    """No exponent below that of 2**-14. Row by row, since numpy is six times slower with a single bound."""
    even = len(power) - len(power) % len(_LEAST)
    rows, rest = power[:even].reshape(-1, len(_LEAST)), power[even:]
    np.maximum(rows, _LEAST, out=rows)
    np.maximum(rest, _LEAST[: len(rest)], out=rest)


def _to_brain(bits: NDArray[np.uint32], spare: NDArray[np.uint32], out: Words) -> None:
    """The upper half, after adding just less than half of its last place, and one more where that is odd."""
    np.right_shift(bits, _UPPER, spare)
    np.bitwise_and(spare, np.uint32(1), spare)
    np.add(bits, spare, bits)
    np.add(bits, np.uint32(0x7FFF), bits)
    np.right_shift(bits, _UPPER, bits)
    np.copyto(out, bits, casting="unsafe")
