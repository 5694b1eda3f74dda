"""Formulas on one number of each model at a time that are more than sums and products; each step rounded by itself.

As in `linear`, nothing is fused, so that they give the same bits on every processor.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from sdkeep.merge.methods.linear import add_difference


def train_difference(a: Tensor, b: Tensor, c: Tensor, *, alpha: float) -> Tensor:
    """a + 1.8 alpha (b - c) |b - a| / (|b - c| + |b - a|), 0 where both distances are"""
    far = b.sub(a).abs_()
    diff = b.sub_(c)
    scale_ = far.div(diff.abs().add_(far)).nan_to_num_(nan=0.0)
    return a.add_(diff.mul_(scale_).mul_(1.8 * alpha))


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
