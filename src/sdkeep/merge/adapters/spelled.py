"""Factors under the keys that readers look for, and what a target's name tells about its layer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from sdkeep.weights.adapters.spelling import Place, place_of
from sdkeep.weights.adapters.targets import shape_of
from sdkeep.weights.adapters.values import Adapter, Naming, Part, Shape
from sdkeep.weights.rounding import rounded

_THREE = re.compile(r"(?:resnets\.\d+\.conv[12]|samplers\.\d+\.conv|(?:^|\.)conv_(?:in|out))$")
_DEEP = re.compile(r"transformer_blocks[._][1-9]")
_CONVOLUTIONS = re.compile(r"\.(?:resnets|downsamplers|upsamplers)\.")
_SDXL_CONTEXT = 2048
_KERNEL = 4


@dataclass(frozen=True, slots=True)
class Spelling:
    """How an adapter is written: whose names, kohya's by the checkpoint's own blocks (`ldm`), in which format."""

    naming: Naming = Naming.KOHYA
    ldm: bool = False
    dtype: str = "F16"

    def target(self, place: Place) -> str:
        """The layer's name."""
        return place.peft() if self.naming is Naming.PEFT else place.kohya(ldm=self.ldm)

    def factors(self, target: str, up: torch.Tensor, down: torch.Tensor) -> dict[str, torch.Tensor]:
        """A LoRA of scale 1: PEFT's readers take a missing alpha for the rank, kohya's are told it."""
        if self.naming is Naming.PEFT:
            return self.cast({f"{target}.lora_A.weight": down, f"{target}.lora_B.weight": up})
        alpha = torch.tensor(float(down.shape[0]))
        return self.cast({f"{target}.alpha": alpha, f"{target}.lora_down.weight": down, f"{target}.lora_up.weight": up})

    def cast(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The tensors in this spelling's format, rounded once."""
        return {name: rounded(tensor.contiguous(), self.dtype) for name, tensor in tensors.items()}


def is_sdxl(adapter: Adapter) -> bool:
    """Whether the layers are those of SDXL: a second text encoder, deep transformers, or its width of context."""
    for part in adapter.parts:
        if place_of(part.target).tower in ("te1", "te2") or _DEEP.search(part.target):
            return True
        shape = shape_of(part) if part.target.endswith(("attn2.to_k", "attn2_to_k")) else None
        if shape and shape[1] == _SDXL_CONTEXT:
            return True
    return False


def spelling_of(adapters: Iterable[Adapter], dtype: str) -> Spelling:
    """How to write what is made of these adapters: as the first one is written."""
    adapters = tuple(adapters)
    first = adapters[0]
    dotted = first.naming in (Naming.PEFT, Naming.DIFFUSERS)
    ldm = any("input_blocks" in part.target for part in first.parts)
    return Spelling(Naming.PEFT if dotted else Naming.KOHYA, ldm, dtype)


def is_convolution(place: Place) -> bool:
    """Whether a layer is one of those that only LoCon changes: in residual blocks and samplers."""
    return bool(_CONVOLUTIONS.search(f".{place.module}."))


def kernel_shape(place: Place, part: Part, matrix: Shape) -> Shape:
    """The shape of a layer's weight: from the part's own factors, else a 3x3 kernel where the layer has one."""
    shape = shape_of(part) or matrix
    if len(shape) == 2 and _THREE.search(place.module) and shape[1] % 9 == 0:
        return (shape[0], shape[1] // 9, 3, 3)
    return shape


def as_convolution(up: torch.Tensor, down: torch.Tensor, shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors of a flattened weight in the shapes of a convolution's: `down` has the kernel, `up` is 1x1."""
    if len(shape) != _KERNEL:
        return up, down
    return up.reshape(*up.shape, 1, 1), down.reshape(down.shape[0], *shape[1:])
