"""A median of three and a Gaussian of deviation one along every axis of a tensor, edges mirrored.

What `scipy.ndimage.median_filter(size=3)` and `gaussian_filter(sigma=1)` compute, in slabs of bounded memory.
"""

from __future__ import annotations

from math import exp

import torch
from torch import Tensor

_SLAB = 1 << 22
_REACH = 4
_TAPS = [exp(-(place**2) / 2) for place in range(-_REACH, _REACH + 1)]
GAUSSIAN = tuple(tap / sum(_TAPS) for tap in _TAPS)
"""The weights of the nine nearest places, 1 in all."""


def smoothed(tensor: Tensor) -> Tensor:
    """Both filters, one after the other."""
    if not tensor.dim() or not tensor.numel():
        return tensor
    return _gaussian(_median(tensor))


def _median(tensor: Tensor) -> Tensor:
    """The middle of the 3^n numbers around each."""
    rows, taps = tensor.shape[0], 3 ** tensor.dim()
    height = max(1, _SLAB // max(1, taps * tensor[0].numel()))
    around = _mirrored(rows, tensor.device)
    result = torch.empty_like(tensor)
    for first in range(0, rows, height):
        last = min(rows, first + height)
        window = tensor[around[first : last + 2]]
        for axis in range(1, tensor.dim()):
            window = window.index_select(axis, _mirrored(tensor.shape[axis], tensor.device))
        for axis in range(tensor.dim()):
            window = window.unfold(axis, 3, 1)
        result[first:last] = window.reshape(*tensor[first:last].shape, taps).median(-1).values
    return result


def _mirrored(length: int, device: torch.device) -> Tensor:
    """Indices -1 .. length, the edges standing for what lies beyond them."""
    return torch.arange(-1, length + 1, device=device).clamp_(0, length - 1)


def _gaussian(tensor: Tensor) -> Tensor:
    for axis in range(tensor.dim()):
        length = tensor.shape[axis]
        places = torch.arange(length, device=tensor.device)
        total = torch.zeros_like(tensor)
        for step, tap in zip(range(-_REACH, _REACH + 1), GAUSSIAN, strict=True):
            shifted = (places + step).remainder(2 * length)  # d c b a | a b c d | d c b a
            shifted = torch.where(shifted < length, shifted, 2 * length - 1 - shifted)
            total.add_(tensor.index_select(axis, shifted).mul_(tap))
        tensor = total
    return tensor
