"""Numbers from one floating-point format to another, rounded to the nearest, ties to even.

bfloat16 has no numpy type: it is the upper half of a float32, made by integer arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


@dataclass(frozen=True, slots=True)
class Cast:
    """Cast numbers as they lie in a file, and how many finite ones became infinite on the way."""

    data: bytes
    overflowed: int


def cast(raw: bytes, source: str, target: str) -> Cast:
    """`raw`, little-endian numbers of format `source`, as `target`; both are among F64, F32, F16 and BF16."""
    import numpy as np  # costs 20 MB and is needed for this alone

    with np.errstate(over="ignore", invalid="ignore"):
        if target == "BF16":
            singles = _widened(raw, source).astype("<f4", copy=False)
            result = _bfloat16(singles)
            infinite = (result & 0x7FFF) == 0x7F80
        else:
            numbers = _widened(raw, source)
            result = numbers.astype(_NUMPY[target])
            infinite = np.isinf(result)
        overflowed = int(np.count_nonzero(infinite))
        if overflowed:
            overflowed -= int(np.count_nonzero(np.isinf(_widened(raw, source))))
    return Cast(result.tobytes(), overflowed)


def _widened(raw: bytes, source: str) -> NDArray[np.floating]:
    import numpy as np

    if source != "BF16":
        return np.frombuffer(raw, _NUMPY[source])
    return (np.frombuffer(raw, "<u2").astype("<u4") << np.uint32(16)).view("<f4")


def _bfloat16(singles: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Add half of the last kept bit, less one when that bit is even, and drop the lower half; NaN stays NaN."""
    import numpy as np

    bits = singles.view("<u4")
    nan = np.isnan(singles)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded: NDArray[np.uint16] = ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype("<u2")
    if nan.any():
        rounded[nan] = (bits[nan] >> np.uint32(16)).astype("<u2") | np.uint16(0x40)
    return rounded
