"""Formulas that need a whole tensor: norms, directions, rows, spectra."""

from __future__ import annotations

from itertools import pairwise
from math import pi

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from sdkeep.merge.methods import linear
from sdkeep.merge.methods.smoothing import smoothed


def slerp(a: Tensor, b: Tensor, *, alpha: float) -> Tensor:
    """Along the arc between the directions of a and b, at the length between theirs

    Where the two are parallel there is no arc, and the weighted sum stands.
    """
    lengths = a.norm(), b.norm()
    angle = torch.arccos((a / lengths[0]).mul_(b / lengths[1]).sum().clamp(-1, 1))
    sine = torch.sin(angle)
    if not bool(sine > 1e-3):  # parallel, opposite, or a tensor of zeros
        return linear.weighted_sum(a, b, alpha=alpha)
    arc = a.mul(torch.sin((1 - alpha) * angle) / lengths[0]).add_(b.mul(torch.sin(alpha * angle) / lengths[1]))
    return arc.mul_((lengths[0] * (1 - alpha) + lengths[1] * alpha) / sine)


def geometric(a: Tensor, b: Tensor, *, alpha: float) -> Tensor:
    """The real part of a^(1 - alpha) b^alpha, powers of negative numbers being complex"""
    turns = (a < 0).to(a.dtype).mul_(1 - alpha).add_((b < 0).to(a.dtype).mul_(alpha))
    return a.abs().pow_(1 - alpha).mul_(b.abs().pow_(alpha)).mul_(turns.mul_(pi).cos_())


def tensor_sum(a: Tensor, b: Tensor, *, alpha: float, beta: float) -> Tensor:
    """a, with `alpha` of its rows from `beta` on taken from b"""
    if not a.dim():
        return b if alpha > 0.5 else a
    rows = a.shape[0]
    if alpha + beta <= 1:
        first, last = int(rows * beta), int(rows * (alpha + beta))
        a[first:last] = b[first:last]
        return a
    first, last = int(rows * (alpha + beta - 1)), int(rows * beta)
    b[first:last] = a[first:last]
    return b


def smooth_add(a: Tensor, b: Tensor, c: Tensor, *, alpha: float) -> Tensor:
    """a + alpha smooth(b - c): a median of 3 along each axis at once, then a Gaussian of deviation 1"""
    return linear.add(a, smoothed(b.sub_(c)), alpha=alpha)


def likeness_a(a: Tensor, b: Tensor) -> Tensor:
    """How alike a and b are, column by column: the cosine of the angle between them"""
    return cosine_similarity(normalize(_rows(a), dim=0), normalize(_rows(b), dim=0), dim=0)


def likeness_b(a: Tensor, b: Tensor) -> Tensor:
    """The same, averaged with that of the whole tensors"""
    overall = a.mul(b).sum() / (a.norm() * b.norm())
    return cosine_similarity(_rows(a), _rows(b), dim=0).add_(overall).div_(2)


def cosine_a(a: Tensor, b: Tensor, *, alpha: float, low: float, high: float) -> Tensor:
    """(1 - k) b + k a, k = likeness of a and b, spread to 0..1 over the whole model, less alpha: a's structure"""
    turned = normalize(_rows(a), dim=0), normalize(_rows(b), dim=0)
    overall = turned[0].mul(turned[1]).sum() / (turned[0].norm() * turned[1].norm())
    alike = cosine_similarity(*turned, dim=0).add_(overall).div_(2)
    return _by_likeness(a, b, alike, alpha, low, high)


def cosine_b(a: Tensor, b: Tensor, *, alpha: float, low: float, high: float) -> Tensor:
    """The same with the likeness of unnormalised tensors: b's structure"""
    return _by_likeness(a, b, likeness_b(a, b), alpha, low, high)


def extract(a: Tensor, b: Tensor, c: Tensor, *, alpha: float, beta: float, gamma: float) -> Tensor:
    """a + ((1 - alpha) p + alpha q) ((1 - beta) d + beta (1 - d)), p = b - a, q = c - a

    d = ((cos(p, q) + 1) / 2)^gamma, row by row: what the differences of b and c from a have in common (beta 0), or
    what they have not (beta 1).
    """
    p, q = b.sub_(a), c.sub_(a)
    cosine = cosine_similarity(p, q, dim=-1).clamp_(-1, 1).unsqueeze(-1) if a.dim() else torch.sign(p * q)
    d = cosine.add_(1).div_(2).pow_(gamma)
    factor = d.mul(1 - beta).add_(d.neg().add_(1).mul_(beta))
    return a + linear.weighted_sum(p, q, alpha=alpha).mul_(factor)


def stock_delta(*deltas: Tensor) -> Tensor:
    """t times the mean difference, t = n c / (1 + (n - 1) c), c the mean cosine of neighbouring differences, by rows"""
    count = len(deltas)
    if not deltas[0].dim():  # a single number has no direction
        return torch.stack(deltas).mean(0)
    pairs = [cosine_similarity(one, two, dim=-1) for one, two in pairwise(deltas)]
    cosine = torch.stack(pairs).mean(0)
    t = (count * cosine / (1 + (count - 1) * cosine)).unsqueeze(-1)
    return torch.stack(deltas).mean(0).mul_(t).nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)


def model_stock(base: Tensor, *models: Tensor) -> Tensor:
    """base + STOCK(model - base, ...)"""
    return base + stock_delta(*(model - base for model in models))


def crossover(a: Tensor, b: Tensor, c: Tensor, *, alpha: float, beta: float) -> Tensor:
    """The slow changes of a and the fast ones of b, both read in the order of c's values

    The cut lies at `alpha` of the spectrum; `beta` is how soft it is.
    """
    if not a.dim():
        return linear.weighted_sum(b, a, alpha=alpha)
    order = torch.argsort(c.flatten(), stable=True)
    spectra = (torch.fft.rfft(one.flatten()[order]) for one in (a, b))
    slow, fast = spectra
    ramp = torch.arange(slow.numel(), device=a.device, dtype=a.dtype).div_(slow.numel())
    cut = ((ramp - alpha) / beta + 0.5).clamp_(0, 1) if beta > 1e-10 else (ramp >= alpha).to(a.dtype)
    mixed = torch.fft.irfft((1 - cut) * slow + cut * fast, order.numel())
    return torch.empty_like(mixed).scatter_(0, order, mixed).reshape(a.shape)


def rotate(a: Tensor, b: Tensor, *, alpha: float) -> Tensor:
    """a turned as near to b as an orthogonal matrix can (Procrustes), then `alpha` of the way to b itself

    Rows are centred first. Vectors have no rows to turn, and take the weighted sum.
    """
    if a.dim() < 2:
        return linear.weighted_sum(a, b, alpha=alpha)
    kernel = a.dim() == 4 and a.shape[2:].numel() != 1
    rows = a.shape[:2].numel() if kernel else a.shape[0]
    p, q = a.reshape(rows, -1), b.reshape(rows, -1)
    means = p.mean(0), q.mean(0)
    p, q = p - means[0], q - means[1]
    u, _, v = torch.linalg.svd(p.mT @ q, full_matrices=False)
    rotated: Tensor = p @ (u @ v)
    turned = linear.weighted_sum(rotated, q.clone(), alpha=alpha)
    return turned.add_(means[1]).reshape(a.shape)


def _rows(a: Tensor) -> Tensor:
    return a if a.dim() else a.reshape(1)


def _by_likeness(a: Tensor, b: Tensor, alike: Tensor, alpha: float, low: float, high: float) -> Tensor:
    k = alike.sub_(low).div_((high - low) or 1.0).sub_(alpha).clamp_(0, 1).nan_to_num_(nan=0.0)
    return b.mul_(1 - k).add_(a.mul_(k)) if a.dim() else b.mul_(1 - k.squeeze()).add_(a.mul_(k.squeeze()))
