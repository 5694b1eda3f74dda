"""The random numbers that torch draws on an NVIDIA card, made in software.

Seeds of posted pictures work on any machine.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") as cuRAND runs it, then Box and
Muller's transform. The numbers agree with a card's to the rounding of its sine, cosine and logarithm; no more is
promised.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_TO_UNIT = np.float32(2.3283064e-10)
_TO_CIRCLE = np.float32(2.3283064e-10 * 6.2831855)

Words = NDArray[np.uint64]


class Philox:
    """A stream of normal numbers for a seed. Every call of `normal` moves on by one, whatever its size."""

    def __init__(self, seed: int) -> None:
        self.seed = seed & 0xFFFFFFFFFFFFFFFF
        self.offset = 0

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Numbers of mean 0 and deviation 1."""
        count = int(np.prod(shape))
        zeros = np.zeros(count, np.uint64)
        words = [zeros + np.uint64(self.offset), zeros, np.arange(count, dtype=np.uint64), zeros]
        self.offset += 1
        first, second = _rounds(words, self.seed)[:2]
        return _box_muller(first, second).reshape(shape)


def _rounds(words: list[Words], seed: int, rounds: int = 10) -> list[Words]:
    """Ten times: two wide products, their halves crossed with the key, and the key moved on."""
    low, high = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(rounds):
        left, right = words[0] * _MULTIPLIERS[0], words[2] * _MULTIPLIERS[1]
        words = [
            (right >> _HALF) ^ words[1] ^ np.uint64(low), right & _LOW,
            (left >> _HALF) ^ words[3] ^ np.uint64(high), left & _LOW,
        ]  # fmt: skip
        low, high = (low + _WEYL[0]) & 0xFFFFFFFF, (high + _WEYL[1]) & 0xFFFFFFFF
    return words


def _box_muller(first: Words, second: Words) -> NDArray[np.float32]:
    """The sine half of the transform, in double precision from constants that a card holds in single."""
    unit, circle = float(_TO_UNIT), float(_TO_CIRCLE)
    radius, angle = first * unit + unit / 2, second * circle + circle / 2
    normal: NDArray[np.float32] = (np.sqrt(-2.0 * np.log(radius)) * np.sin(angle)).astype(np.float32)
    return normal
