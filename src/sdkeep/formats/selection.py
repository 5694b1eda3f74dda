"""Which of a checkpoint's tensors a conversion keeps: its parts by their prefixes, its averaged weights or not.

The names are those of single-file checkpoints. CompVis' LDM keeps a moving average of the UNet beside it, and names
each tensor of that with all dots taken out (ldm/modules/ema.py):

    model.diffusion_model.input_blocks.0.0.weight      the weight as trained
    model_ema.diffusion_modelinput_blocks00weight      its average
    model_ema.decay, model_ema.num_updates             how it was taken
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from sdkeep.formats.contents import Tensor
from sdkeep.ground.errors import CannotConvert
from sdkeep.ground.text import one_line


class Ema(StrEnum):
    """What becomes of averaged weights: kept beside the others, used in their place, or dropped."""

    KEEP = "keep"
    USE = "use"
    DROP = "drop"


class Component(StrEnum):
    """A part of a single-file checkpoint."""

    UNET = "unet"
    VAE = "vae"
    TEXT_ENCODER = "text-encoder"


_MODEL, _AVERAGE = "model.", "model_ema."
_COUNTERS = frozenset({"model_ema.decay", "model_ema.num_updates"})
_PREFIXES = {
    Component.UNET: ("model.diffusion_model.", _AVERAGE),
    Component.VAE: ("first_stage_model.", "vae."),
    Component.TEXT_ENCODER: ("cond_stage_model.", "conditioner.embedders.", "text_encoders."),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What to keep; no `components` means all that is there."""

    ema: Ema = Ema.KEEP
    components: frozenset[Component] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is changed by it."""
        return self.ema is Ema.KEEP and not self.components


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Selected:
    """The tensors kept, under the names they are written by, and sentences on what was left out."""

    tensors: tuple[Tensor, ...]
    notes: tuple[str, ...] = ()


def select(tensors: tuple[Tensor, ...], selection: Selection) -> Selected:
    """Apply a selection; raises `CannotConvert`, which names the part or the key that is not there."""
    notes: list[str] = []
    if selection.ema is not Ema.KEEP:
        tensors = _without_average(tensors, selection.ema, notes)
    if selection.components:
        tensors = _parts(tensors, selection.components, notes)
    return Selected(tensors, tuple(notes))


def _without_average(tensors: tuple[Tensor, ...], ema: Ema, notes: list[str]) -> tuple[Tensor, ...]:
    averages = {tensor.name: tensor for tensor in tensors if tensor.name.startswith(_AVERAGE)}
    kept = tuple(tensor for tensor in tensors if tensor.name not in averages)
    if ema is Ema.DROP:
        notes.append(f"{len(averages):,} averaged tensors were dropped")
        return kept
    left = averages.keys() - _COUNTERS
    if not left:
        raise CannotConvert("there are no averaged weights in this file", "no name in it begins with `model_ema.`")
    chosen: list[Tensor] = []
    taken: dict[str, str] = {}
    for tensor in kept:
        name = averaged_name(tensor.name)
        if name not in left:
            chosen.append(tensor)
            continue
        if name in taken:
            why = f"`{taken[name]}` and `{one_line(tensor.name)}` lose their difference without dots"
            raise CannotConvert(f"it is not clear whose average `{one_line(name)}` is", why)
        chosen.append(_averaged(tensor, averages[name]))
        taken[name] = one_line(tensor.name)
    orphans = sorted(left - taken.keys())
    if orphans:
        raise CannotConvert(f"nothing in this file is averaged by `{one_line(orphans[0])}`", "its weight is missing")
    notes.append(f"{len(taken):,} tensors are the averaged ones")
    return tuple(chosen)


def averaged_name(name: str) -> str:
    """What LDM calls the average of a weight, empty for what it takes none of."""
    return _AVERAGE + name.removeprefix(_MODEL).replace(".", "") if name.startswith(_MODEL) else ""


def _averaged(tensor: Tensor, average: Tensor) -> Tensor:
    if tensor.shape != average.shape:
        raise CannotConvert(
            f"the average of `{one_line(tensor.name)}` does not fit it",
            f"it has the shape {list(average.shape)} instead of {list(tensor.shape)}",
        )
    return replace(average, name=tensor.name)


def component_of(name: str) -> Component | None:
    """The part of a checkpoint that a tensor's name belongs to, None for what belongs to none."""
    return next((part for part, prefixes in _PREFIXES.items() if name.startswith(prefixes)), None)


def _parts(tensors: tuple[Tensor, ...], wanted: frozenset[Component], notes: list[str]) -> tuple[Tensor, ...]:
    belonging = [(tensor, component_of(tensor.name)) for tensor in tensors]
    there = {part for _, part in belonging if part}
    for part in sorted(wanted - there):
        why = f"it holds {' and '.join(sorted(there))}" if there else "it is no whole checkpoint"
        raise CannotConvert(f"there is no {part} in this file", why, "leave `--components` out to take everything")
    kept = tuple(tensor for tensor, part in belonging if part in wanted)
    left = len(tensors) - len(kept)
    if left:
        notes.append(f"{left:,} tensors of other parts were left out")
    return _bare_vae(kept, notes) if wanted == {Component.VAE} else kept


def _bare_vae(tensors: tuple[Tensor, ...], notes: list[str]) -> tuple[Tensor, ...]:
    """An autoencoder by itself goes without its prefix: so the WebUIs read it."""
    notes.append("the names are those of a VAE file, without the checkpoint's prefix")
    prefixes = _PREFIXES[Component.VAE]
    prefix = next(prefix for prefix in prefixes if tensors[0].name.startswith(prefix))
    return tuple(replace(tensor, name=tensor.name.removeprefix(prefix)) for tensor in tensors)
