"""Adapters of every algorithm in memory: tensors by key, as the training tools would write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from sdkeep.weights.adapters.parsing import adapters_of
from sdkeep.weights.adapters.values import Adapter, Part

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Entry:
    name: str
    shape: tuple[int, ...]


def parsed(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> Adapter:
    return adapters_of([Entry(name, tuple(tensor.shape)) for name, tensor in tensors.items()], metadata)


def only(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> tuple[Part, Tensors]:
    """The single part that tensors make, with its tensors by role."""
    adapter = parsed(tensors, metadata)
    assert not adapter.leftovers
    (part,) = adapter.parts
    return part, roles(part, tensors)


def roles(part: Part, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    return {role: tensors[key] for role, key in part.keys.items()}


def lora(target: str, out: int, inner: int, rank: int, *, kernel: int = 1, alpha: float | None = None) -> Tensors:
    """A LoRA of a matrix, or of a convolution where there is a kernel."""
    tail = (kernel, kernel) if kernel > 1 else ()
    made = {
        f"{target}.lora_down.weight": torch.randn(rank, inner, *tail),
        f"{target}.lora_up.weight": torch.randn(out, rank, *([1] * len(tail))),
    }
    return made if alpha is None else made | {f"{target}.alpha": torch.tensor(alpha)}
