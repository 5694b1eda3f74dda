"""AUTOMATIC1111's Checkpoint Merger, bit for bit: its keys, its arithmetic in storage format, its two special cases.

Restated from `modules/extras.py` as the WebUI and Forge carry it. What it does that the default does not:

- every number is rounded after each operation, in the format that the file stores;
- a key is merged when it contains "model", so averaged weights are, and SDXL's `position_ids` become fractions;
- a tensor that C lacks counts as a difference of nothing; one that B lacks is kept;
- "save as float16" touches merged tensors only, and only those that are float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sdkeep.formats.contents import Tensor as Entry
from sdkeep.formats.safetensors import Slot
from sdkeep.ground.errors import UsageError
from sdkeep.ground.text import one_line
from sdkeep.merge.expression import Leaf, Load, Program
from sdkeep.merge.parents import Opened
from sdkeep.merge.recipe import Model, Recipe, Step
from sdkeep.merge.target import Target
from sdkeep.weights.dtypes import TORCH, code_of

_SKIPPED = frozenset({"cond_stage_model.transformer.text_model.embeddings.position_ids"})
_VAE = "first_stage_model."


@dataclass(frozen=True, slots=True)
class WebuiFormula:
    """What the merger computes for one tensor. `differs` says that C has it too; `stored` is A's format where a part
    of A's tensor is overwritten, which keeps it.
    """

    method: str
    multiplier: float
    half: bool
    differs: bool = False
    stored: str = ""

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        """`(1 - m) a + m b`, or `a + m (b - c)`, as torch rounds them in the tensors' own format."""
        a, b = tensors[0], tensors[1]
        if self.method == "weighted-sum":
            result = ((1 - self.multiplier) * a) + (self.multiplier * b)
        else:
            difference = b - tensors[2] if self.differs else torch.zeros_like(b)
            result = a + (self.multiplier * difference)
        if self.stored:
            result = result.to(TORCH[self.stored])
        return result.half() if self.half and result.dtype is torch.float32 else result


def webui_targets(recipe: Recipe, parents: Mapping[int, Opened]) -> list[Target]:
    """Every tensor of the result, in AUTOMATIC1111's way."""
    last = recipe.steps[-1]
    step = last if isinstance(last, Step) else Step("no-interpolation", (len(recipe.steps) - 1,))
    places = [one.parent for one in (recipe.steps[place] for place in step.inputs) if isinstance(one, Model)]
    half = recipe.output.precision == "fp16"
    alpha = step.numbers.get("alpha")
    multiplier = alpha.base if alpha else 1.0 if step.method == "add-difference" else 0.5
    formula = WebuiFormula(step.method, multiplier, half)
    found = {key: _target(key, entry, places, parents, formula) for key, entry in parents[places[0]].tensors.items()}
    if recipe.output.vae is not None:
        for key, entry in parents[recipe.output.vae].tensors.items():
            name = _VAE + key.removeprefix(_VAE)
            if name in found:
                found[name] = _kept(name, Leaf(recipe.output.vae, entry), half)
    return list(found.values())


def _target(
    key: str, entry: Entry, places: Sequence[int], parents: Mapping[int, Opened], formula: WebuiFormula
) -> Target:
    own = Leaf(places[0], entry)
    if len(places) == 1:
        return _kept(key, own, formula.half)
    other = parents[places[1]].tensors.get(key)
    if "model" not in key or other is None or key in _SKIPPED:
        return _kept(key, own, False)
    leaves = [own, Leaf(places[1], other)]
    if len(places) > 2 and (third := parents[places[2]].tensors.get(key)) is not None:
        leaves.append(Leaf(places[2], third))
        formula = replace(formula, differs=True)
        if third.shape != other.shape:
            raise _differ(key, other.shape, third.shape, parents[places[2]].name)
    if entry.shape == other.shape:
        return _made(key, entry, leaves, formula)
    if entry.shape[:1] + entry.shape[2:] != other.shape[:1] + other.shape[2:]:
        raise _differ(key, entry.shape, other.shape, parents[places[1]].name)
    if entry.shape[1] == 4 and other.shape[1] in (8, 9):
        sort = "inpainting" if other.shape[1] == 9 else "instruct-pix2pix"
        raise UsageError(
            f"`{parents[places[1]].name}` is an {sort} model and the first model is not",
            f"when merging an {sort} model with a normal one, A must be the {sort} model",
            f"name `{parents[places[1]].name}` first",
        )
    if entry.shape[1] not in (8, 9) or other.shape[1] != 4:
        raise _differ(key, entry.shape, other.shape, parents[places[1]].name)
    leaves[0] = replace(own, channels=4)
    made = _made(key, entry, leaves, replace(formula, stored=entry.dtype))
    return replace(made, rest=own)


def _kept(key: str, leaf: Leaf, half: bool) -> Target:
    dtype = "F16" if half and leaf.entry.dtype == "F32" else leaf.entry.dtype
    return Target(Slot(key, dtype, leaf.entry.shape), copied=leaf)


def _made(key: str, entry: Entry, leaves: Sequence[Leaf], formula: WebuiFormula) -> Target:
    empty = [torch.empty(0, dtype=TORCH[leaf.entry.dtype]) for leaf in leaves]
    slot = Slot(key, code_of(formula(empty).dtype), entry.shape)
    return Target(slot, program=Program(tuple(leaves), tuple(map(Load, range(len(leaves))))), formula=formula)


def _differ(key: str, ours: tuple[int, ...], theirs: tuple[int, ...], name: str) -> UsageError:
    return UsageError(
        f"the models differ in `{one_line(key, 90)}`", f"it is {list(ours)} in one and {list(theirs)} in `{name}`",
        "`sdkeep show FILE` tells what each of them is",
    )  # fmt: skip
