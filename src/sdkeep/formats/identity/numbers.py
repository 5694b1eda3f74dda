"""Number formats and sizes of a file's weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod

from sdkeep.formats.contents import Tensor
from sdkeep.ground.kinds import Precision

_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "C64": 64,
    "C128": 128, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
_PRECISIONS = {
    "F64": Precision.FP64, "F32": Precision.FP32, "F16": Precision.FP16, "BF16": Precision.BF16,
    "F8_E4M3": Precision.FP8, "F8_E5M2": Precision.FP8, "I8": Precision.INT8, "F4": Precision.INT4,
}  # fmt: skip
_WORDS = (
    ("float8", Precision.FP8), ("f8", Precision.FP8), ("bfloat16", Precision.BF16), ("float16", Precision.FP16),
    ("half", Precision.FP16), ("float32", Precision.FP32), ("float64", Precision.FP64), ("qint8", Precision.INT8),
    ("q8", Precision.INT8), ("q4", Precision.INT4), ("iq4", Precision.INT4), ("int8", Precision.INT8),
)  # fmt: skip
_GGML = {f"ggml-{code}": Precision.INT4 for code in (2, 3, 12, 20, 23)} | {"ggml-8": Precision.INT8}
_COUNTERS = frozenset({"I64", "I32", "I16", "U16", "U32", "U64", "BOOL"})
_NOT_WEIGHTS = ("model_ema.", "optimizer")
_MOST = 0.6


def tally(tensors: Sequence[Tensor]) -> tuple[Precision, int]:
    """The precision that most bytes of weights have, and how many numbers the weights are.

    Indices and counters (integers wider than a byte), averaged copies and optimizer states do not count.
    """
    groups = Counter((t.dtype, t.shape) for t in tensors if not t.name.startswith(_NOT_WEIGHTS))
    sizes: Counter[str] = Counter()
    for (dtype, shape), count in groups.items():
        if dtype not in _COUNTERS:
            sizes[dtype] += count * prod(shape)
    return _precision(sizes), sum(sizes.values())


def _precision(sizes: Counter[str]) -> Precision:
    weights: Counter[Precision] = Counter()
    for dtype, size in sizes.items():
        weights[_named(dtype)] += size * _BITS.get(dtype, 8)
    weights.pop(Precision.UNKNOWN, None)
    total = weights.total()
    if not total:
        return Precision.UNKNOWN
    best, size = weights.most_common(1)[0]
    return best if size >= _MOST * total else Precision.MIXED


def _named(dtype: str) -> Precision:
    exact = _PRECISIONS.get(dtype) or _GGML.get(dtype)
    if exact:
        return exact
    word = dtype.lower()
    return next((precision for text, precision in _WORDS if word.startswith(text)), Precision.UNKNOWN)
