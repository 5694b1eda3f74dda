"""Adapters baked into a checkpoint: what to do to the tensor under each key, decided from names and shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from sdkeep.ground.errors import FormatError
from sdkeep.ground.kinds import Family
from sdkeep.ground.text import one_line
from sdkeep.weights.adapters.deltas import applied_at
from sdkeep.weights.adapters.fitting import Asked, Fit, fitted
from sdkeep.weights.adapters.strengths import Strength
from sdkeep.weights.adapters.targets import Names, resolve
from sdkeep.weights.adapters.values import Adapter, Part, Shape, Slot

Change = Callable[[torch.Tensor], torch.Tensor]
"""From the tensor under a key, in float32, to what the adapters make of it, in float32."""


@dataclass(frozen=True, slots=True)
class Baking:
    """An adapter to be baked: `tensors` reads those of a part, by role, when they are needed."""

    name: str
    adapter: Adapter
    tensors: Callable[[Part], Mapping[str, torch.Tensor]]
    strength: Strength = field(default_factory=Strength)
    made_for: Family = Family.UNKNOWN


@dataclass(frozen=True, slots=True)
class Baked:
    """What changes, by the checkpoint's key, and how each adapter fits. Keys that are absent stay as they are."""

    changes: Mapping[str, Change]
    fits: tuple[Fit, ...]


def baker(
    bakings: Sequence[Baking], keys: Mapping[str, Shape], model: Family = Family.UNKNOWN, *, strict: bool = False
) -> Baked:
    """Plan the baking of adapters, in this order, into a checkpoint of family `model` whose keys have these shapes.

    Reads no tensor. Raises `WrongFamily` for an adapter that was made for another architecture or of which nothing has
    a place here, and with `strict` `PartialMatch` for one of which something has none.
    """
    names = Names(keys)
    steps: dict[str, list[tuple[Baking, Part, Slot]]] = {}
    fits: list[Fit] = []
    for baking in bakings:
        resolved = resolve(baking.adapter.parts, names)
        asked = Asked(baking.name, "lora", baking.made_for)
        fits.append(fitted(asked, model, resolved, baking.adapter.leftovers, strict=strict))
        for part, slot in resolved.matched:
            if baking.strength.at(slot.key) != 0:
                steps.setdefault(slot.key, []).append((baking, part, slot))
    return Baked({key: _change(found) for key, found in steps.items()}, tuple(fits))


def _change(steps: Sequence[tuple[Baking, Part, Slot]]) -> Change:
    def change(base: torch.Tensor) -> torch.Tensor:
        result = base.to(torch.float32)
        for baking, part, slot in steps:
            result = applied_at(slot, part, _finite(baking, part), result, baking.strength.at(slot.key))
        return result

    return change


def _finite(baking: Baking, part: Part) -> Mapping[str, torch.Tensor]:
    """The tensors of a part; raises `FormatError` where NaN or an infinity is among their numbers."""
    tensors = baking.tensors(part)
    for role, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.to(torch.float32).isfinite().all()):
            raise FormatError(
                f"`{baking.name}` holds numbers that are not finite",
                f"in `{one_line(part.keys.get(role, part.target), 90)}`: pictures would come out black",
                "download it again, or leave it out", rule="non-finite",
            )  # fmt: skip
    return tensors
