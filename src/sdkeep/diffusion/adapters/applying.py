"""LoRA and its kin on top of a model in memory, for the time of a job.

The weights of a model may be the mapped file itself, so none is ever written to: each that changes is given another
tensor, computed in float32 and rounded once, and later its own back, to the very object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from sdkeep.diffusion.adapters.opened import Opened
from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.networks.config import UNET
from sdkeep.ground.errors import FormatError
from sdkeep.weights.adapters import deltas
from sdkeep.weights.adapters.fitting import Asked, fitted
from sdkeep.weights.adapters.parsing import adapters_of
from sdkeep.weights.adapters.targets import Names, resolve
from sdkeep.weights.adapters.values import Part, Slot


class Strength(Protocol):
    """How strongly an adapter acts where. By block, it is `weights.adapters.strengths.Strength`."""

    def at(self, key: str) -> float:
        """The multiplier for the weight that a checkpoint keeps under `key`."""
        ...


@dataclass(frozen=True, slots=True)
class Evenly:
    """One multiplier for the text encoders, one for the UNet."""

    text: float = 1.0
    unet: float = 1.0

    def at(self, key: str) -> float:
        """As `Strength.at`."""
        return self.unet if key.startswith(UNET) else self.text


@dataclass(frozen=True, slots=True)
class Wanted:
    """An adapter to apply. `name` is what a person calls it; without one it is the file's stem."""

    file: Path
    strength: Strength = field(default_factory=Evenly)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it: how many parts found their weight, the layers that did not, a warning for each partial match.

    `changes_text` says that a text tower is another now: prompts have to be read anew, and once more afterwards.
    """

    matched: int = 0
    unmatched: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    changes_text: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """One part of an adapter at one weight."""

    part: Part
    slot: Slot
    file: Opened
    multiplier: float


_Plan = dict[str, list[_Step]]

_originals: WeakKeyDictionary[Model, dict[str, Tensor]] = WeakKeyDictionary()
"""The tensors that changed weights had as loaded, so that adapters always start from the checkpoint."""


@contextmanager
def applied(model: Model, wanted: Sequence[Wanted], *, strict: bool = False) -> Iterator[Report]:
    """The model with these adapters and no others, in this order, until the context ends.

    Everything starts from the checkpoint's own weights, so nothing adds up: within another such context the inner one
    holds alone, and behind it the outer one again. Raises, before anything changes, `WrongFamily` for an adapter of
    another architecture, `FormatError` for what is no adapter, and with `strict` `PartialMatch`.
    """
    with ExitStack() as files:
        parameters = model.parameters()
        plan, report = _planned(model, parameters, wanted, files, strict=strict)
        originals = _originals.setdefault(model, {})
        outer = {key: parameters[key].data for key in originals}
        known = set(originals)
        try:
            for key, original in originals.items():
                if key not in plan:
                    _put(parameters[key], original)
            for key, steps in plan.items():
                original = originals.setdefault(key, parameters[key].data)
                _put(parameters[key], _changed(original, steps))
            yield report
        finally:
            for key in list(originals):
                _put(parameters[key], outer[key] if key in known else originals.pop(key))


def check_fits(model: Model, wanted: Wanted) -> None:
    """Raise as `applied` does for an adapter that does not belong to the model; nothing is changed."""
    with ExitStack() as files:
        _planned(model, model.parameters(), [wanted], files, strict=False)


def _planned(
    model: Model, parameters: Mapping[str, nn.Parameter], wanted: Sequence[Wanted], files: ExitStack, *, strict: bool
) -> tuple[_Plan, Report]:
    """What to do to which weight."""
    names = Names({key: tuple(parameter.shape) for key, parameter in parameters.items()})
    plan: _Plan = {}
    matched, unmatched, warnings = 0, list[str](), list[str]()
    for one in wanted:
        file = files.enter_context(Opened(one.file, one.name))
        adapter = adapters_of(file.contents.tensors, file.contents.metadata)
        if not adapter.parts:
            raise _no_adapter(file)
        asked = Asked(file.name, "lora", file.identity.family)
        resolved = resolve(adapter.parts, names)
        fit = fitted(asked, model.config.family, resolved, adapter.leftovers, strict=strict)
        warnings += fit.told()
        matched, unmatched = matched + fit.matched, [*unmatched, *fit.lost]
        for part, slot in resolved.matched:
            multiplier = one.strength.at(slot.key)
            if multiplier:
                plan.setdefault(slot.key, []).append(_Step(part, slot, file, multiplier))
    changes_text = any(not key.startswith(UNET) for key in plan)
    return plan, Report(matched, tuple(unmatched), tuple(warnings), changes_text)


def _no_adapter(file: Opened) -> FormatError:
    return FormatError(
        f"`{file.name}` is no LoRA, nor one of its kin",
        f"its structure is that of: {file.identity.kind}",
        f"sdkeep show '{file.path}'",
        rule="not-an-adapter",
    )


def _put(parameter: nn.Parameter, tensor: Tensor) -> None:
    """Give a weight another tensor, where the weight is now: a model in parts moves its networks about."""
    parameter.data = tensor.to(parameter.device)


@torch.no_grad()
def _changed(original: Tensor, steps: Sequence[_Step]) -> Tensor:
    """The weight as all its parts make it one after another; 8-bit weights become halves, which can hold the change."""
    weight = original.to(torch.float32)
    for step in steps:
        weight = _stepped(weight, step)
    return weight.to(original.dtype if original.dtype.itemsize > 1 else torch.float16)


def _stepped(weight: Tensor, step: _Step) -> Tensor:
    """One part at its rows of a weight, the other rows as they are."""
    tensors = {role: step.file.tensor(key).to(weight.device) for role, key in step.part.keys.items()}
    return deltas.applied_at(step.slot, step.part, tensors, weight, step.multiplier)
