"""Number formats: safetensors' codes and torch's dtypes for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch

TORCH: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
        "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
        "F8_E4M3FNUZ": torch.float8_e4m3fnuz, "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
        "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
        "U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16, "U8": torch.uint8,
        "BOOL": torch.bool, "C64": torch.complex64,
    }
)  # fmt: skip
"""Every safetensors code whose numbers torch holds one by one; packed formats (F4, F6) and bare scales are absent."""

_CODES = {dtype: code for code, dtype in TORCH.items()}


def code_of(dtype: torch.dtype) -> str:
    """The safetensors code of a torch dtype; raises `ValueError` for one that the format cannot store."""
    try:
        return _CODES[dtype]
    except KeyError:
        raise ValueError(f"{dtype} has no place in a safetensors file") from None


def is_float(code: str) -> bool:
    """Whether the numbers of this code are real and floating, 8-bit ones included: what weights are made of."""
    return code in TORCH and TORCH[code].is_floating_point


def item_size(code: str) -> int:
    """Bytes of one number; raises `ValueError` for a code that is not in `TORCH`."""
    if code not in TORCH:
        raise ValueError(f"no tensor can be made of {code}")
    return TORCH[code].itemsize
