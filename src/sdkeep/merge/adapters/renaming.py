"""An adapter in other names: kohya's, or those of diffusers and PEFT. The numbers stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import torch

from sdkeep.ground.errors import CannotConvert
from sdkeep.merge.adapters.saving import Made
from sdkeep.merge.adapters.spelled import is_sdxl
from sdkeep.weights.adapters.deltas import strength
from sdkeep.weights.adapters.spelling import Place, place_of
from sdkeep.weights.adapters.values import Adapter, Algorithm, Part
from sdkeep.weights.dtypes import code_of
from sdkeep.weights.rounding import rounded

Tensor = Callable[[str], torch.Tensor]

_PEFT_ROLES = {"up": "lora_B.weight", "down": "lora_A.weight", "up_bias": "lora_B.bias"}
_KOHYA_ROLES = {
    "up": "lora_up.weight", "down": "lora_down.weight", "mid": "lora_mid.weight", "up_bias": "diff_b",
    "magnitude": "dora_scale", "sparse_indices": "bias_indices", "sparse_values": "bias_values",
    "sparse_size": "bias_size", "a1": "a1.weight", "a2": "a2.weight", "b1": "b1.weight", "b2": "b2.weight",
    "bm": "bm.weight",
}  # fmt: skip


class Target(StrEnum):
    """The names to write. `kohya` spells SDXL's UNet by the checkpoint's blocks, as sd-scripts does."""

    KOHYA = "kohya"
    KOHYA_DIFFUSERS = "kohya-diffusers"
    PEFT = "peft"


@dataclass(frozen=True, slots=True)
class _Namer:
    to: Target
    ldm: bool
    sdxl: bool

    def target(self, part: Part) -> str:
        place: Place = place_of(part.target, sdxl=self.sdxl)
        return place.peft() if self.to is Target.PEFT else place.kohya(ldm=self.ldm)


def rename(adapter: Adapter, tensor: Tensor, metadata: Mapping[str, str], to: Target) -> Made:
    """The adapter with every layer in the names of `to`; keys of no part keep theirs.

    PEFT's names have no alpha: the scale goes into the upper factor, rounded where it is no power of two. Raises
    `CannotConvert` for what those names cannot say, and when two layers would get one name.
    """
    sdxl = is_sdxl(adapter)
    namer = _Namer(to, to is Target.KOHYA and sdxl, sdxl)
    tensors: dict[str, torch.Tensor] = {}
    notes: list[str] = []
    scaled = 0
    for part in adapter.parts:
        target = namer.target(part)
        if to is Target.PEFT:
            made, inexact = _peft(part, target, tensor)
            scaled += inexact
        else:
            made = _kohya(part, target, tensor)
        twice = made.keys() & tensors.keys() - {f"{target}.alpha"}
        if twice:
            raise CannotConvert(f"two layers would be called `{target}`", f"one of them is `{part.target}` now")
        tensors |= made
    for key in adapter.leftovers:
        tensors[key] = tensor(key)
    if adapter.leftovers:
        notes.append(f"{len(adapter.leftovers)} keys are no adapter's and keep their names")
    if scaled:
        notes.append(f"{scaled} layers have a scale that is no power of two: their upper factors were rounded once")
    ranks = {part.target: part.rank for part in adapter.parts if part.rank}
    kept = {key: value for key, value in metadata.items() if key != "lora_adapter_metadata"}
    return Made(tensors, kept, ranks, notes=tuple(notes))


def _peft(part: Part, target: str, tensor: Tensor) -> tuple[dict[str, torch.Tensor], bool]:
    """A part in PEFT's names, and whether its upper factor had to be rounded."""
    extra = part.keys.keys() - {"up", "down", "up_bias", "alpha", "scale", "scalar", "magnitude", "dora_scale"}
    if extra or (part.algorithm is not Algorithm.LORA and "up_bias" not in part.keys):
        raise CannotConvert(
            f"`{part.target}` cannot be written in PEFT's names",
            f"diffusers reads plain LoRA and DoRA in them; this is {part.algorithm}"
            + (f" with {', '.join(sorted(extra))}" if part.algorithm is Algorithm.LORA else ""),
            "`sdkeep lora resize` makes a plain LoRA of it",
        )
    tensors = {role: tensor(key) for role, key in part.keys.items()}
    factor = strength(part, tensors)
    made: dict[str, torch.Tensor] = {}
    for role, name in _PEFT_ROLES.items():
        if role in tensors:
            scaled = tensors[role]
            if role != "down" and factor != 1:
                scaled = rounded(scaled.to(torch.float32) * factor, code_of(scaled.dtype))
            made[f"{target}.{name}"] = scaled
    magnitude = tensors.get("magnitude", tensors.get("dora_scale"))
    if magnitude is not None:
        if "dora_scale" in tensors and magnitude.shape[0] != part.shapes["up"][0]:
            raise CannotConvert(
                f"`{part.target}` cannot be written in PEFT's names",
                "its weight decomposition is by input channels; PEFT's is by output channels",
                "bake it with `sdkeep merge MODEL --lora`, then `sdkeep lora extract`",
            )
        made[f"{target}.lora_magnitude_vector"] = magnitude.reshape(-1)
    return made, not _is_power_of_two(factor)


def _is_power_of_two(number: float) -> bool:
    return number != 0 and abs(number).hex().startswith("0x1.0000000000000p")


def _kohya(part: Part, target: str, tensor: Tensor) -> dict[str, torch.Tensor]:
    """A part in kohya's names, its alpha as it was, or equal to the rank where it had none."""
    made = {f"{target}.{_KOHYA_ROLES.get(role, role)}": tensor(key) for role, key in part.keys.items()}
    if "magnitude" in part.keys:
        name = f"{target}.dora_scale"
        made[name] = made[name].reshape(-1, *[1] * (len(part.shapes["down"]) - 1))
    if part.algorithm is Algorithm.LORA and "alpha" not in part.keys and "scale" not in part.keys:
        rank = part.rank or 1
        alpha = strength(part, {}) * rank
        made[f"{target}.alpha"] = torch.tensor(alpha).to(tensor(part.keys["down"]).dtype)
    return made
