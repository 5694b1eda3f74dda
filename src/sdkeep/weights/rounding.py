"""One rounding on the way out: wide results to the format they are stored in, and tensors to bytes."""

from __future__ import annotations

import torch

from sdkeep.weights.dtypes import TORCH

_LARGEST = {code: torch.finfo(TORCH[code]).max for code in ("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ")}

_WITH_INFINITY = frozenset({"F8_E5M2"})


def rounded(tensor: torch.Tensor, code: str) -> torch.Tensor:
    """`tensor` in the format `code`, each number rounded once: to the nearest, ties to even (IEEE 754-2019, 4.3.1).

    float64 goes to 16 and 8 bits without torch's detour by way of a rounded float32. 16-bit formats overflow to
    infinity. 8-bit formats saturate: a finite number beyond the range becomes the largest finite one ("saturating
    mode" of the OCP 8-bit floating point specification, 1.0), since one NaN there would cost the whole picture;
    infinities and NaN stay what they are, or become NaN where the format has no infinity.
    """
    target = TORCH[code]
    if tensor.dtype == target:
        return tensor
    if not target.is_floating_point or not tensor.is_floating_point():
        return tensor.to(target)
    if tensor.dtype == torch.float64 and target.itemsize < 4:
        tensor = _to_odd(tensor)
    if code in _LARGEST:
        largest = _LARGEST[code]
        infinite = tensor if code in _WITH_INFINITY else torch.full_like(tensor, torch.nan)
        tensor = torch.where(tensor.isinf(), infinite, tensor.clamp(-largest, largest))
    return tensor.to(target)


def _to_odd(tensor: torch.Tensor) -> torch.Tensor:
    """float64 to float32, rounded to odd: the last bit says that something was cut off.

    A second rounding to a format with at least two bits less is then as good as one (Boldo and Melquiond, "When
    double rounding is odd", 2005).
    """
    near = tensor.to(torch.float32)
    bits = near.view(torch.int32)
    inexact = (near.to(torch.float64) != tensor) & ~tensor.isnan()
    above = near.abs().to(torch.float64) > tensor.abs()
    return torch.where(inexact, (bits - above.to(torch.int32)) | 1, bits).view(torch.float32)


def to_bytes(tensor: torch.Tensor) -> memoryview:
    """The numbers of a CPU tensor as they lie in a file, row after row, without a copy where they lie so already."""
    flat = tensor.detach().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
