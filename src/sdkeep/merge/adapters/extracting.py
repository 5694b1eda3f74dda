"""An adapter out of two checkpoints: the difference of each layer, factored."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from sdkeep.ground.errors import UsageError, WrongFamily
from sdkeep.ground.events import Report, Stop, silent, stage
from sdkeep.ground.kinds import Family
from sdkeep.merge.adapters.opened import Opened
from sdkeep.merge.adapters.ranks import Rule, clamped, factors_of
from sdkeep.merge.adapters.saving import Made, Origin, described
from sdkeep.merge.adapters.spelled import Spelling, as_convolution, is_convolution
from sdkeep.weights.adapters.names import Layer, layers
from sdkeep.weights.adapters.spelling import Place
from sdkeep.weights.adapters.values import Naming, Slot


@dataclass(frozen=True, slots=True)
class Extraction:
    """What to extract. `conv` is the rule for convolutions of residual blocks, which are left out without one.

    `clamp` holds the largest entries of the factors to a quantile (1: none). Layers that differ by no more than
    `min_diff` anywhere are left out. `rest` adds norms, biases and layers outside the blocks as whole differences.
    """

    linear: Rule = field(default_factory=Rule)
    conv: Rule | None = None
    unet: bool = True
    text: bool = True
    rest: bool = False
    clamp: float = 1.0
    min_diff: float = 0.0
    dtype: str = "F16"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.clamp <= 1:
            raise UsageError(
                f"`{self.clamp:g}` is no quantile to clamp at", "it has to be above 0, at most 1", "`--clamp 0.99`"
            )
        if self.min_diff < 0:
            raise UsageError(
                f"`{self.min_diff:g}` is no least difference", "it has to be 0 or more", "`--min-diff 0.01`"
            )


def extract(
    tuned: Opened,
    original: Opened,
    options: Extraction,
    origin: Origin,
    *,
    report: Report = silent,
    stop: Stop | None = None,
) -> Made:
    """What was added to `original` to make `tuned`, as an adapter in kohya's names.

    Raises `WrongFamily` when the two are not of one architecture, and `UsageError` when nothing differs.
    """
    found = _layers(tuned, original, options)
    ldm = any(layer.network.towers[0] in ("te1", "te2") for layer in found) or origin.family is Family.SDXL
    spelling = Spelling(Naming.KOHYA, ldm, options.dtype)
    work = _Work(tuned, original, options, spelling, {}, {})
    with stage(report, f"extract:{tuned.path}", f"extract from {tuned.name}", len(found), "layers") as moved:
        for done, layer in enumerate(found, 1):
            if stop:
                stop.check()
            work.take(layer)
            moved(done)
    if not work.tensors:
        raise UsageError(
            f"`{tuned.name}` and `{original.name}` do not differ",
            "no layer that was looked at changed by more than the least difference",
            "`--conv-rank` and `--rest` look at more layers",
        )
    metadata = described(origin, work.ranks)
    return Made(work.tensors, metadata, work.ranks, _root(work.lost, work.whole))


def _layers(tuned: Opened, original: Opened, options: Extraction) -> list[Layer]:
    shapes, others = tuned.shapes, original.shapes
    found = [layer for layer in layers(shapes) if layer.diffusers and _is_wanted(layer, options)]
    common = [layer for layer in found if layer.slot.key in others]
    misfit = next((layer for layer in common if others[layer.slot.key] != layer.slot.shape), None)
    if misfit is not None or not common:
        why = "they share no layer of Stable Diffusion"
        if misfit is not None:
            key = misfit.slot.key
            why = f"`{key}` is {list(shapes[key])} in one and {list(others[key])} in the other"
        raise WrongFamily(
            f"`{tuned.name}` and `{original.name}` are not of one kind", why, "name the model that it was made from"
        )
    return common


def _is_wanted(layer: Layer, options: Extraction) -> bool:
    unet = layer.network.layout == "unet"
    if not (options.unet if unet else options.text):
        return False
    if options.rest:
        return True
    if layer.parameter != "weight" or layer.slot.transposed or len(layer.slot.shape) < 2:
        return False
    place = Place(layer.network.towers[0], layer.diffusers)
    if unet:
        return (is_convolution(place) and options.conv is not None) or ".attentions." in f".{place.module}"
    return ".self_attn." in place.module or ".mlp." in place.module


@dataclass(slots=True)
class _Work:
    """The adapter as it grows; `lost` and `whole` are squared Frobenius norms."""

    tuned: Opened
    original: Opened
    options: Extraction
    spelling: Spelling
    tensors: dict[str, torch.Tensor]
    ranks: dict[str, int]
    lost: float = 0.0
    whole: float = 0.0

    def take(self, layer: Layer) -> None:
        """Add what one parameter changed by, if it did."""
        difference = _at(self.tuned, layer.slot) - _at(self.original, layer.slot)
        if not bool(difference.isfinite().all()):
            raise UsageError(
                f"`{layer.slot.key}` is broken",
                "it holds numbers that are infinite or not numbers in one of the models",
                f"`sdkeep show '{self.tuned.path}'`",
            )
        if float(difference.abs().max()) <= self.options.min_diff:
            return
        place = Place(layer.network.towers[0], layer.diffusers)
        target = self.spelling.target(place)
        if self.spelling.ldm and place.tower == "unet":  # its own numbers rather than those of a usual SDXL
            target = f"lora_unet_{layer.module.replace('.', '_')}"
        rule = self._rule(layer, place)
        if rule is None:
            self.tensors |= self.spelling.cast({f"{target}.{_whole(layer, place)}": difference})
            return
        factors = clamped(
            factors_of(difference.flatten(1), rule, seed=self.options.seed, name=target), self.options.clamp
        )
        up, down = as_convolution(factors.up, factors.down, tuple(difference.shape))
        self.tensors |= self.spelling.factors(target, up, down)
        self.ranks[target] = factors.rank
        energy = float(difference.pow(2).sum())
        self.whole += energy
        self.lost += factors.lost**2 * energy

    def _rule(self, layer: Layer, place: Place) -> Rule | None:
        """How to factor a layer; None for what is kept whole."""
        if layer.parameter != "weight" or len(layer.slot.shape) < 2 or layer.slot.transposed:
            return None
        if layer.network.layout == "unet":
            if is_convolution(place):
                return self.options.conv
            return self.options.linear if ".attentions." in f".{place.module}" else None
        return self.options.linear if ".self_attn." in place.module or ".mlp." in place.module else None


def _whole(layer: Layer, place: Place) -> str:
    """The key's end for a whole difference; norms have names of their own."""
    last = place.module.rpartition(".")[2]
    norm = "norm" in last
    if layer.parameter == "bias":
        return "b_norm" if norm else "diff_b"
    return "w_norm" if norm else "diff"


def _at(file: Opened, slot: Slot) -> torch.Tensor:
    tensor = file.tensor(slot.key).to(torch.float32)
    if slot.rows:
        tensor = tensor[slot.rows[0] : slot.rows[1]]
    return tensor.T if slot.transposed else tensor


def _root(lost: float, whole: float) -> float:
    return (lost / whole) ** 0.5 if whole > 0 else 0.0
