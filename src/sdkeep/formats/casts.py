"""Numbers from one floating-point format to another, rounded to the nearest, ties to even.

Everything goes by way of float32, as in torch, and from there to 16 bits by integer arithmetic on blocks that fit the
processor's cache: several times faster than numpy's own half, which stops at every subnormal number, and numpy has no
bfloat16 at all. Layouts: IEEE 754-2019 section 3.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Singles = NDArray[np.float32]
    Words = NDArray[np.uint32]

_BLOCK = 1 << 16
_SIGN, _MAGNITUDE, _INFINITE = 0x8000_0000, 0x7FFF_FFFF, 0x7F80_0000

_HALF_NORMAL = 0x3880_0000  # the bits of 2**-14: below it a half is subnormal
_HALF_TOO_LARGE = 0x477F_F000  # of 65520: from there on a half is infinite
_HALF_BIAS = (127 - 15) << 23
_HALF_TICK = 0x3F00_0000  # of 0.5, whose last bit is worth 2**-24, the smallest half
_BRAIN_TOO_LARGE = 0x7F7F_8000  # from there on a bfloat16 is infinite


@dataclass(frozen=True, slots=True)
class Cast:
    """Cast numbers as they lie in a file, and how many finite ones became infinite on the way."""

    data: bytes
    overflowed: int


def cast(raw: bytes, source: str, target: str) -> Cast:
    """`raw`, little-endian numbers of format `source`, as `target`; both are among F64, F32, F16 and BF16."""
    import numpy as np  # costs 20 MB and is needed for this alone

    singles, overflowed = _singles(raw, source)
    if target == "F32":
        return Cast(singles.tobytes(), overflowed)
    narrow = _half if target == "F16" else _brain
    result = np.empty(singles.size, "<u2")
    with np.errstate(invalid="ignore"):  # a NaN on its way through a branch that is not taken
        for at in range(0, singles.size, _BLOCK):
            words = singles[at : at + _BLOCK].view("<u4")
            overflowed += narrow(words, result[at : at + _BLOCK])
    return Cast(result.tobytes(), overflowed)


def _singles(raw: bytes, source: str) -> tuple[Singles, int]:
    """The numbers as float32, and how many overflowed, which only those of F64 can."""
    import numpy as np

    if source == "BF16":
        return (np.frombuffer(raw, "<u2").astype("<u4") << np.uint32(16)).view("<f4"), 0
    if source == "F16":
        return np.frombuffer(raw, "<f2").astype("<f4"), 0
    if source == "F32":
        return np.frombuffer(raw, "<f4"), 0
    doubles = np.frombuffer(raw, "<f8")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        singles: Singles = doubles.astype("<f4")
    return singles, int(np.count_nonzero(np.isinf(singles) & np.isfinite(doubles)))


def _half(words: Words, out: NDArray[np.uint16]) -> int:
    """Write float32 `words` as IEEE halves; says how many overflowed."""
    import numpy as np

    size = words & np.uint32(_MAGNITUDE)
    result = (size >> np.uint32(13)) & np.uint32(1)  # the last bit kept: half an odd number goes up
    result += size
    result -= np.uint32(_HALF_BIAS - 0xFFF)
    result >>= np.uint32(13)
    small = size < np.uint32(_HALF_NORMAL)
    if small.any():  # adding 0.5 makes the processor round at the smallest half's place
        tick = np.uint32(_HALF_TICK)
        np.copyto(result, (size.view("<f4") + tick.view("<f4")).view("<u4") - tick, where=small)
    overflowed = 0
    large = size >= np.uint32(_HALF_TOO_LARGE)
    if large.any():
        overflowed = int(np.count_nonzero(large & (size < np.uint32(_INFINITE))))
        np.copyto(result, np.uint32(0x7C00), where=large)
        np.copyto(result, np.uint32(0x7E00), where=size > np.uint32(_INFINITE))
    result |= (words & np.uint32(_SIGN)) >> np.uint32(16)
    out[...] = result
    return overflowed


def _brain(words: Words, out: NDArray[np.uint16]) -> int:
    """Write float32 `words` as bfloat16, their upper halves; says how many overflowed."""
    import numpy as np

    result = (words >> np.uint32(16)) & np.uint32(1)
    result += words
    result += np.uint32(0x7FFF)
    result >>= np.uint32(16)
    size = words & np.uint32(_MAGNITUDE)
    overflowed = 0
    if size.max(initial=0) >= _BRAIN_TOO_LARGE:
        overflowed = int(np.count_nonzero((size >= np.uint32(_BRAIN_TOO_LARGE)) & (size < np.uint32(_INFINITE))))
        quiet = (words >> np.uint32(16)) | np.uint32(0x40)
        np.copyto(result, quiet, where=size > np.uint32(_INFINITE))
    out[...] = result
    return overflowed
