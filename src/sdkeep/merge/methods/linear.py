"""Formulas that are nothing but sums and products in the working format, each rounded as IEEE 754 says.

They overwrite what they are given, and are written for any array that can be: torch's tensors and numpy's arrays give
the same bits. No `lerp`, `addcmul`, `add(alpha=)` or other fused operation: those round differently from one processor
to the next.
"""

from __future__ import annotations

from math import asin, sin
from typing import TYPE_CHECKING, TypeVar

from sdkeep.merge.methods.method import Numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    A = TypeVar("A", Tensor, NDArray[np.float32])


def nothing(a: A) -> A:
    """a"""
    return a


def weighted_sum(a: A, b: A, *, alpha: float) -> A:
    """(1 - alpha) a + alpha b"""
    a *= 1 - alpha
    b *= alpha
    a += b
    return a


def sigmoid(a: A, b: A, *, alpha: float) -> A:
    """(1 - t) a + t b, t = alpha² (3 - 2 alpha)"""
    return weighted_sum(a, b, alpha=alpha * alpha * (3 - 2 * alpha))


def inverse_sigmoid(a: A, b: A, *, alpha: float) -> A:
    """(1 - t) a + t b, t = 1/2 - sin(asin(1 - 2 alpha) / 3)"""
    return weighted_sum(a, b, alpha=0.5 - sin(asin(1 - 2 * alpha) / 3))


def difference(a: A, b: A) -> A:
    """a - b"""
    a -= b
    return a


def add(a: A, delta: A, *, alpha: float) -> A:
    """a + alpha delta"""
    delta *= alpha
    a += delta
    return a


def scale(delta: A, *, alpha: float) -> A:
    """alpha delta"""
    delta *= alpha
    return delta


def add_difference(a: A, b: A, c: A, *, alpha: float) -> A:
    """a + alpha (b - c)"""
    return add(a, difference(b, c), alpha=alpha)


def triple_sum(a: A, b: A, c: A, *, alpha: float, beta: float) -> A:
    """(1 - alpha - beta) a + alpha b + beta c"""
    a *= 1 - alpha - beta
    b *= alpha
    c *= beta
    a += b
    a += c
    return a


def sum_twice(a: A, b: A, c: A, *, alpha: float, beta: float) -> A:
    """(1 - beta) ((1 - alpha) a + alpha b) + beta c"""
    return weighted_sum(weighted_sum(a, b, alpha=alpha), c, alpha=beta)


def average(first: A, *others: A) -> A:
    """The sum of all, divided by their number"""
    for one in others:
        first += one
    first /= 1 + len(others)
    return first


def ends(numbers: Numbers) -> int | None:
    """Interpolations are their first model at alpha 0 and their second at 1."""
    return {0.0: 0, 1.0: 1}.get(numbers["alpha"])


def start(numbers: Numbers) -> int | None:
    """Additions are their first model at alpha 0."""
    return 0 if numbers["alpha"] == 0 else None


def three_ends(numbers: Numbers) -> int | None:
    """Triple sums are one of the three models at their corners."""
    corners = {(0.0, 0.0): 0, (1.0, 0.0): 1, (0.0, 1.0): 2}
    return corners.get((numbers["alpha"], numbers["beta"]))


def twice_ends(numbers: Numbers) -> int | None:
    """Two sums in turn: the third model at beta 1, at beta 0 what the first sum is."""
    return {0.0: ends(numbers), 1.0: 2}.get(numbers["beta"])


def whole(numbers: Numbers) -> int | None:
    """The first model, always."""
    del numbers
    return 0
