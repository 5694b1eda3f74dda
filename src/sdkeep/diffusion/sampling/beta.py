"""Quantiles of the beta distribution, for the schedule of that name; scipy would be a heavy way to one function."""

from __future__ import annotations

import math

_TINY = 1e-300
_MOST_TERMS = 500


def beta_quantile(share: float, a: float, b: float) -> float:
    """The x below which `share` of a beta(a, b) distribution lies: bisection to the last bit on the distribution."""
    if share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        low, high = (middle, high) if beta_share(middle, a, b) < share else (low, middle)


def beta_share(x: float, a: float, b: float) -> float:
    """The share of a beta(a, b) distribution below x: the regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_share(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of I_x(a, b) by Lentz's method (Abramowitz and Stegun 26.5.8)."""
    c = 1.0
    d = 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return value


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
