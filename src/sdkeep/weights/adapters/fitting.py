"""Whether something made for a model was made for this one, in words that say how to get the right one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sdkeep.ground.errors import PartialMatch, WrongFamily
from sdkeep.ground.kinds import Family
from sdkeep.ground.text import one_line
from sdkeep.weights.adapters.targets import Resolved
from sdkeep.weights.adapters.values import Shape

FAMILIES = {
    Family.SD1: "SD 1.x", Family.SD2: "SD 2.x", Family.SDXL: "SDXL", Family.SDXL_REFINER: "SDXL's refiner",
    Family.SD3: "SD 3", Family.FLUX1: "FLUX.1", Family.FLUX2: "FLUX.2",
}  # fmt: skip
"""Families as people write them."""

_BASES = {Family.SD1: "SD 1.5", Family.SD2: "SD 2.1", Family.SDXL: "SDXL 1.0", Family.SDXL_REFINER: "SDXL 1.0"}
"""How hubs call the base models, for a search."""

_SUFFIX = re.compile(r"\.(?:safetensors|ckpt|pth?|bin)$", re.IGNORECASE)
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was asked for: its name, its kind as `sdkeep search --kind` takes it, and what its file is for."""

    name: str
    kind: str
    made_for: Family = Family.UNKNOWN


@dataclass(frozen=True, slots=True)
class Fit:
    """How something fits a model: how many parts found their place, which layers have none, which keys are no part."""

    name: str
    matched: int
    unmatched: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[str, ...]:
        """Everything in it that has no place."""
        return (*self.unmatched, *self.leftovers)

    def told(self) -> tuple[str, ...]:
        """A warning for each way in which it does not fit whole, with count and names."""
        found: list[str] = []
        if self.unmatched:
            count = f"{_many(self.unmatched, 'layer')} of {self.matched + len(self.unmatched)}"
            found.append(f"{self.name}: {count} without a place in this model: {some(self.unmatched)}")
        if self.leftovers:
            found.append(f"{self.name}: {_many(self.leftovers, 'key')} that no adapter has: {some(self.leftovers)}")
        return tuple(found)

    def check_whole(self) -> None:
        """Raise `PartialMatch` when something of it has no place."""
        if self.lost:
            raise PartialMatch(
                f"only part of `{self.name}` fits this model",
                "; ".join(text.removeprefix(f"{self.name}: ") for text in self.told()),
                "leave out `--strict` to use what fits",
                names=self.lost,
            )


def fitted(asked: Asked, model: Family, resolved: Resolved, leftovers: tuple[str, ...] = (), *, strict: bool) -> Fit:
    """How an adapter fits a model; raises `WrongFamily` when it does not belong to it at all.

    With `strict` it has to fit whole; else raises `PartialMatch`.
    """
    if resolved.misfits:
        one = resolved.misfits[0]
        why = f"`{one_line(one.target)}` changes {_size(one.needs)} numbers where this model has {_size(one.has)}"
        raise wrong_family(asked, model, why)
    if resolved.foreign or not resolved.matched:
        raise wrong_family(asked, model, f"none of its layers exists here: {some(resolved.unmatched)}")
    fit = Fit(asked.name, len(resolved.matched), resolved.unmatched, leftovers)
    if strict:
        fit.check_whole()
    return fit


def wrong_family(asked: Asked, model: Family, why: str) -> WrongFamily:
    """The error for something made for another kind of model; `why` is what does not fit."""
    theirs, ours = FAMILIES.get(asked.made_for, ""), FAMILIES.get(model, "")
    known = bool(theirs) and asked.made_for is not model
    what = f"`{asked.name}` was made for {theirs if known else 'another kind of model'}"
    what += f", and this model is {ours}" if ours else ""
    base = f" --base '{_BASES[model]}'" if model in _BASES else ""
    title = _SUFFIX.sub("", one_line(asked.name))
    return WrongFamily(what, why, f"sdkeep search '{title}' --kind {asked.kind}{base}")


def some(names: Iterable[str]) -> str:
    """The first few of many names."""
    names = [one_line(name) for name in names]
    return ", ".join(names[:_MOST_NAMED]) + (
        f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    )


def _many(names: tuple[str, ...], word: str) -> str:
    return f"{len(names)} {word}{'' if len(names) == 1 else 's'}"


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "single"
