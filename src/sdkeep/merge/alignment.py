"""How alike two models are, block by block, before they are merged: badly aligned parents make muddy children."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch

from sdkeep.formats.dtypes import count
from sdkeep.formats.selection import component_of
from sdkeep.ground.events import Report, Stop, stage
from sdkeep.ground.kinds import Kind
from sdkeep.merge.blocks import Compat
from sdkeep.merge.parents import Opened, check_alike
from sdkeep.merge.plan import block_map
from sdkeep.weights.dtypes import TORCH, is_float, item_size
from sdkeep.weights.reading import fill
from sdkeep.weights.rounding import to_bytes

FAR = 0.7
"""The cosine below which the weights of a block have little to do with each other."""

_ELEMENTS = 1 << 20


@dataclass(frozen=True, slots=True)
class Alignment:
    """One block of two models: the cosine between their weights, and how far apart they are for their length."""

    block: str
    cosine: float
    distance: float
    tensors: int
    numbers: int

    @property
    def is_far(self) -> bool:
        """Whether averaging this block would rather destroy than blend."""
        return self.cosine < FAR


@dataclass(slots=True)
class _Sums:
    product: float = 0.0
    ours: float = 0.0
    theirs: float = 0.0
    apart: float = 0.0
    tensors: int = 0
    numbers: int = 0

    def told(self, block: str) -> Alignment:
        lengths = sqrt(self.ours * self.theirs)
        return Alignment(
            block, self.product / lengths if lengths else 1.0, sqrt(self.apart / self.ours) if self.ours else 0.0,
            self.tensors, self.numbers,
        )  # fmt: skip


def aligned(parents: Sequence[Opened], report: Report, stop: Stop) -> tuple[Alignment, ...]:
    """The blocks of two models side by side; raises `UsageError` for models that cannot be merged."""
    ours, theirs = parents
    check_alike(parents)
    blocks = block_map(ours, Compat.SDKEEP)
    whole = ours.identity.kind is Kind.CHECKPOINT
    names = [
        key
        for key, entry in ours.tensors.items()
        if key in theirs.tensors
        and theirs.tensors[key].shape == entry.shape
        and is_float(entry.dtype)
        and is_float(theirs.tensors[key].dtype)
        and (not whole or component_of(key) is not None)
    ]
    sums: dict[str, _Sums] = {}
    total = sum(count(ours.tensors[key].shape) for key in names)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with stage(report, "merge:check", "compare the models", total, "numbers") as moved, torch.inference_mode():
            done = 0
            for key in names:
                stop.check()
                block = blocks.block_of(key)
                one = sums.setdefault(block, _Sums())
                one.tensors += 1
                _compare(ours, theirs, key, one)
                done += count(ours.tensors[key].shape)
                moved(done)
    finally:
        torch.set_num_threads(before)
    order = {name: place for place, name in enumerate((*blocks.names, "VAE"))}
    return tuple(sums[block].told(block) for block in sorted(sums, key=lambda name: order.get(name, len(order))))


def _compare(ours: Opened, theirs: Opened, key: str, sums: _Sums) -> None:
    length = count(ours.tensors[key].shape)
    sums.numbers += length
    for first in range(0, length, _ELEMENTS):
        a, b = (_numbers(one, key, first, min(_ELEMENTS, length - first)) for one in (ours, theirs))
        sums.product += float(torch.dot(a, b))
        sums.ours += float(torch.dot(a, a))
        sums.theirs += float(torch.dot(b, b))
        gap = a.sub_(b)
        sums.apart += float(torch.dot(gap, gap))


def _numbers(parent: Opened, key: str, first: int, length: int) -> torch.Tensor:
    entry = parent.tensors[key]
    assert entry.span is not None  # noqa: S101  checked when the parent was opened
    width = item_size(entry.dtype)
    buffer = torch.empty(length * width, dtype=torch.uint8)
    fill(parent.source, entry.span.offset + first * width, to_bytes(buffer))
    return buffer.view(TORCH[entry.dtype]).to(torch.float32)
