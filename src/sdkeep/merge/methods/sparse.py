"""Formulas on differences from a base of which only a part is kept: TIES, DARE, DELLA, and top-k."""

from __future__ import annotations

from math import fmod

import torch
from torch import Tensor


def ties_delta(*deltas: Tensor, density: float, votes: float = 0.0) -> Tensor:
    """Trim each difference to its largest `density`, elect a sign, average those that agree

    `votes` 0 elects by the sum of the values, as the paper does; 1 by counting signs.
    """
    kept = torch.stack([_largest(delta, density) for delta in deltas])  # [n, ...]
    signs = kept.sign()
    elected = (signs if votes else kept).sum(0).sign()
    agree = (signs == elected) & (kept != 0)
    total = torch.where(agree, kept, 0.0).sum(0)
    return total.div_(agree.sum(0).clamp_(min=1))


def ties(base: Tensor, *models: Tensor, alpha: float, density: float, votes: float = 0.0) -> Tensor:
    """base + alpha TIES(model - base, ...)"""
    return base + ties_delta(*(model - base for model in models), density=density, votes=votes).mul_(alpha)


def dare_delta(*deltas: Tensor, density: float, seed: int) -> Tensor:
    """The sum of the differences, each number kept with probability `density` and divided by it"""
    return torch.stack([_dropped(delta, density, 0.0, seed + place) for place, delta in enumerate(deltas)]).sum(0)


def dare(base: Tensor, *models: Tensor, alpha: float, density: float, seed: int) -> Tensor:
    """base + alpha DARE(model - base, ...)"""
    return base + dare_delta(*(model - base for model in models), density=density, seed=seed).mul_(alpha)


def dare_ties(base: Tensor, *models: Tensor, alpha: float, density: float, seed: int) -> Tensor:
    """base + alpha TIES(DARE(model - base), ...)"""
    dropped = [_dropped(model - base, density, 0.0, seed + place) for place, model in enumerate(models)]
    return base + ties_delta(*dropped, density=1.0).mul_(alpha)


def della_delta(*deltas: Tensor, density: float, epsilon: float, seed: int) -> Tensor:
    """As DARE, larger numbers kept more often (`epsilon` from the smallest's chance to the largest's); then TIES"""
    dropped = [_dropped(delta, density, epsilon, seed + place) for place, delta in enumerate(deltas)]
    return ties_delta(*dropped, density=1.0)


def della(base: Tensor, *models: Tensor, alpha: float, density: float, epsilon: float, seed: int) -> Tensor:
    """base + alpha DELLA(model - base, ...)"""
    deltas = (model - base for model in models)
    return base + della_delta(*deltas, density=density, epsilon=epsilon, seed=seed).mul_(alpha)


def top_k(a: Tensor, b: Tensor, *, alpha: float, beta: float) -> Tensor:
    """The values of a in the order of b, for the band of magnitudes that begins at `beta` and is `alpha` wide"""
    flat = a.flatten()
    ordered = flat.msort()
    places = torch.argsort(torch.argsort(b.flatten(), stable=True))  # the rank of each number of b
    first, last, inverted = _region(alpha, beta, flat.numel())
    magnitudes = ordered.abs()
    band = (_kth(magnitudes, first) <= magnitudes) & (magnitudes <= _kth(magnitudes, last))
    chosen = torch.gather(band ^ inverted, 0, places)
    return torch.where(chosen, torch.gather(ordered, 0, places), flat).reshape(a.shape)


def _largest(delta: Tensor, density: float) -> Tensor:
    if density >= 1 or not delta.numel():
        return delta
    place = max(int((1 - density) * delta.numel()), 1)
    threshold = delta.flatten().abs().kthvalue(place).values
    return torch.where(delta.abs() >= threshold, delta, 0.0)


def _dropped(delta: Tensor, density: float, epsilon: float, seed: int) -> Tensor:
    """Each number kept by chance and divided by its chance, so that the expectation stays."""
    if density >= 1:
        return delta
    draw = torch.Generator().manual_seed(seed % (1 << 63))
    chance = torch.rand(delta.shape, generator=draw, dtype=torch.float32)  # drawn on the CPU, for any device
    keep: Tensor | float = density
    if epsilon:
        ranks = torch.argsort(torch.argsort(delta.flatten().abs(), stable=True)).reshape(delta.shape)
        spread = ranks.to(delta.dtype).div_(max(delta.numel() - 1, 1)).sub_(0.5)  # [-1/2, 1/2]
        keep = spread.mul_(epsilon).add_(density).clamp_(1e-6, 1.0)
    return torch.where(chance.to(delta.device) < keep, delta / keep, 0.0)


def _kth(magnitudes: Tensor, place: int) -> float:
    return -1.0 if place <= 0 else float(magnitudes.kthvalue(place).values)


def _region(width: float, offset: float, length: int) -> tuple[int, int, bool]:
    """Where a band begins and ends among `length` places; one that runs over the end is told by its gap."""
    width, offset = min(width, 1.0), fmod(offset, 1.0)
    if width + offset <= 1:
        return round(offset * length), round((width + offset) * length), False
    return round((width + offset - 1) * length), round(offset * length), True
