"""Element-wise formulas: separate sums, products and quotients in the working format, each rounded as IEEE 754 says.

No `lerp`, `addcmul`, `add(alpha=)` or other fused operation: those round differently from one processor to the next.
"""

from __future__ import annotations

from functools import reduce
from math import asin, sin

import torch
from torch import Tensor

from sdkeep.merge.methods.method import Numbers


def nothing(a: Tensor) -> Tensor:
    """a"""
    return a


def weighted_sum(a: Tensor, b: Tensor, *, alpha: float) -> Tensor:
    """(1 - alpha) a + alpha b"""
    return a.mul_(1 - alpha).add_(b.mul_(alpha))


def sigmoid(a: Tensor, b: Tensor, *, alpha: float) -> Tensor:
    """(1 - t) a + t b, t = alpha² (3 - 2 alpha)"""
    return weighted_sum(a, b, alpha=alpha * alpha * (3 - 2 * alpha))


def inverse_sigmoid(a: Tensor, b: Tensor, *, alpha: float) -> Tensor:
    """(1 - t) a + t b, t = 1/2 - sin(asin(1 - 2 alpha) / 3)"""
    return weighted_sum(a, b, alpha=0.5 - sin(asin(1 - 2 * alpha) / 3))


def difference(a: Tensor, b: Tensor) -> Tensor:
    """a - b"""
    return a.sub_(b)


def add(a: Tensor, delta: Tensor, *, alpha: float) -> Tensor:
    """a + alpha delta"""
    return a.add_(delta.mul_(alpha))


def scale(delta: Tensor, *, alpha: float) -> Tensor:
    """alpha delta"""
    return delta.mul_(alpha)


def add_difference(a: Tensor, b: Tensor, c: Tensor, *, alpha: float) -> Tensor:
    """a + alpha (b - c)"""
    return a.add_(b.sub_(c).mul_(alpha))


def train_difference(a: Tensor, b: Tensor, c: Tensor, *, alpha: float) -> Tensor:
    """a + 1.8 alpha (b - c) |b - a| / (|b - c| + |b - a|), 0 where both distances are"""
    far = b.sub(a).abs_()
    diff = b.sub_(c)
    scale_ = far.div(diff.abs().add_(far)).nan_to_num_(nan=0.0)
    return a.add_(diff.mul_(scale_).mul_(1.8 * alpha))


def triple_sum(a: Tensor, b: Tensor, c: Tensor, *, alpha: float, beta: float) -> Tensor:
    """(1 - alpha - beta) a + alpha b + beta c"""
    return a.mul_(1 - alpha - beta).add_(b.mul_(alpha)).add_(c.mul_(beta))


def sum_twice(a: Tensor, b: Tensor, c: Tensor, *, alpha: float, beta: float) -> Tensor:
    """(1 - beta) ((1 - alpha) a + alpha b) + beta c"""
    return weighted_sum(weighted_sum(a, b, alpha=alpha), c, alpha=beta)


def average(*models: Tensor) -> Tensor:
    """The sum of all, divided by their number"""
    return reduce(torch.Tensor.add_, models).div_(len(models))


def similarity_add(a: Tensor, b: Tensor, c: Tensor, *, alpha: float, beta: float) -> Tensor:
    """(1 - s) (a + alpha (b - c)) + s ((1 - alpha/2) a + alpha/2 b), s = beta (a b / max(|a|, |b|)² + 1) / 2"""
    widest = torch.maximum(a.abs(), b.abs())
    alike = a.mul(b).div_(widest.mul_(widest)).add_(1).div_(2).mul_(beta).nan_to_num_(nan=beta)
    summed = a.mul(1 - alpha / 2).add_(b.mul(alpha / 2)).mul_(alike)
    return add_difference(a, b, c, alpha=alpha).mul_(alike.neg_().add_(1)).add_(summed)


def clamp(a: Tensor, *bounds: Tensor) -> Tensor:
    """a, kept between the least and the greatest of the bounds"""
    least, most = reduce(torch.minimum, bounds), reduce(torch.maximum, bounds)
    return torch.minimum(torch.maximum(a, least), most)


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
