"""Adapters baked into a checkpoint: what to do to the tensor under each key, decided from names and shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from sdkeep.ground.errors import FormatError, PartialMatch, WrongFamily
from sdkeep.ground.text import one_line
from sdkeep.merge.adapters.strengths import Strength
from sdkeep.weights.adapters.deltas import applied_at
from sdkeep.weights.adapters.targets import Names, Resolved, resolve
from sdkeep.weights.adapters.values import Adapter, Part, Shape, Slot

Change = Callable[[torch.Tensor], torch.Tensor]
"""From the tensor under a key, in float32, to what the adapters make of it, in float32."""

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Baking:
    """An adapter to be baked: `tensors` reads those of a part, by role, when they are needed."""

    name: str
    adapter: Adapter
    tensors: Callable[[Part], Mapping[str, torch.Tensor]]
    strength: Strength = field(default_factory=Strength)


@dataclass(frozen=True, slots=True)
class Fit:
    """How an adapter fits a checkpoint: how many parts found their place, which layers and keys did not."""

    name: str
    matched: int
    unmatched: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything in it has a place."""
        return not self.unmatched and not self.leftovers

    def told(self) -> tuple[str, ...]:
        """A warning for each way in which it does not fit whole."""
        found: list[str] = []
        if self.unmatched:
            found.append(f"{self.name}: {_many(self.unmatched, 'layer')} without a place in this model")
        if self.leftovers:
            found.append(f"{self.name}: {_many(self.leftovers, 'key')} that no adapter has")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Baked:
    """What changes, by the checkpoint's key, and how each adapter fits. Keys that are absent stay as they are."""

    changes: Mapping[str, Change]
    fits: tuple[Fit, ...]


def baker(bakings: Sequence[Baking], keys: Mapping[str, Shape], *, strict: bool = False) -> Baked:
    """Plan the baking of adapters, in this order, into a checkpoint whose keys have these shapes.

    Reads no tensor. Raises `WrongFamily` for an adapter that was made for another architecture or of which nothing has
    a place here, and with `strict` `PartialMatch` for one of which something has none.
    """
    names = Names(keys)
    steps: dict[str, list[tuple[Baking, Part, Slot]]] = {}
    fits: list[Fit] = []
    for baking in bakings:
        resolved = resolve(baking.adapter.parts, names)
        check(baking.name, resolved)
        fit = Fit(baking.name, len(resolved.matched), resolved.unmatched, baking.adapter.leftovers)
        if strict and not fit.is_whole:
            raise PartialMatch(
                f"only part of `{baking.name}` fits this model",
                "; ".join(text.partition(": ")[2] for text in fit.told()),
                "leave out `--strict` to use what fits",
                names=fit.unmatched + fit.leftovers,
            )
        fits.append(fit)
        for part, slot in resolved.matched:
            if baking.strength.at(slot.key) != 0:
                steps.setdefault(slot.key, []).append((baking, part, slot))
    return Baked({key: _change(found) for key, found in steps.items()}, tuple(fits))


def check(name: str, resolved: Resolved) -> None:
    """Raise `WrongFamily` when an adapter does not belong to the checkpoint."""
    if resolved.misfits:
        one = resolved.misfits[0]
        raise WrongFamily(
            f"`{name}` was made for another kind of model",
            f"`{one.target}` changes {_size(one.needs)} where this model has {_size(one.has)}",
            f"`sdkeep show {name}` says which family it belongs to",
        )
    if resolved.wrong_family or not resolved.matched:
        raise WrongFamily(
            f"nothing in `{name}` belongs to this model" if not resolved.matched else
            f"`{name}` was made for another kind of model",
            f"none of its layers exists here: {_some(resolved.unmatched)}",
            f"`sdkeep show {name}` says which family it belongs to",
        )  # fmt: skip


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


def _many(names: Sequence[str], word: str) -> str:
    return f"{len(names)} {word}{'' if len(names) == 1 else 's'} ({_some(names)})"


def _some(names: Iterable[str]) -> str:
    names = tuple(names)
    return ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "a single number"
