"""Whether something made for a checkpoint was made for this one, in words that say how to get the right one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sdkeep.ground.errors import PartialMatch, WrongFamily
from sdkeep.ground.kinds import Family
from sdkeep.ground.text import one_line
from sdkeep.weights.adapters.targets import Resolved

FAMILIES = {
    Family.SD1: "SD 1.x", Family.SD2: "SD 2.x", Family.SDXL: "SDXL", Family.SDXL_REFINER: "SDXL's refiner",
    Family.SD3: "SD 3", Family.FLUX1: "FLUX.1", Family.FLUX2: "FLUX.2",
}  # fmt: skip
"""Families as people write them."""

_BASES = {Family.SD1: "SD 1.5", Family.SD2: "SD 2.1", Family.SDXL: "SDXL 1.0", Family.SDXL_REFINER: "SDXL 1.0"}
"""How hubs call the base models, for a search."""

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was asked for: its name, its kind as `sdkeep search --kind` takes it, and what its file is for."""

    name: str
    kind: str
    made_for: Family = Family.UNKNOWN


def wrong_family(asked: Asked, model: Family, why: str) -> WrongFamily:
    """The error for something made for another kind of model; `why` is what does not fit."""
    theirs, ours = FAMILIES.get(asked.made_for, ""), FAMILIES.get(model, "another family")
    known = bool(theirs) and asked.made_for is not model
    what = f"`{asked.name}` was made for {theirs if known else 'another kind of model'}, and this model is {ours}"
    base = f" --base '{_BASES[model]}'" if model in _BASES else ""
    return WrongFamily(what, why, f"sdkeep search '{one_line(asked.name)}' --kind {asked.kind}{base}")


def check(asked: Asked, model: Family, resolved: Resolved) -> None:
    """Raise `WrongFamily` when an adapter does not belong to the model at all."""
    if resolved.misfits:
        one = resolved.misfits[0]
        why = f"`{one_line(one.target)}` changes {_size(one.needs)} numbers where this model has {_size(one.has)}"
        raise wrong_family(asked, model, why)
    if resolved.foreign or not resolved.matched:
        raise wrong_family(asked, model, f"none of its layers exists here: {some(resolved.unmatched)}")


def partial(asked: Asked, count: int, unmatched: Sequence[str], strict: bool) -> str:
    """The warning for an adapter of which something has no place here; with `strict` `PartialMatch`, which says it."""
    layers = f"{len(unmatched)} layer{'' if len(unmatched) == 1 else 's'}"
    if strict:
        raise PartialMatch(
            f"only part of `{asked.name}` fits this model",
            f"{count} layers do, {layers} have no place in it: {some(unmatched)}",
            "leave out `--strict` to use what fits",
            names=tuple(unmatched),
        )
    return f"{asked.name}: {layers} of {count + len(unmatched)} without a place in this model: {some(unmatched)}"


def some(names: Iterable[str]) -> str:
    """The first few of many names."""
    names = [one_line(name) for name in names]
    return ", ".join(names[:_MOST_NAMED]) + (
        f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    )


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "single"
