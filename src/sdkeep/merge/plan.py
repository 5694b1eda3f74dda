"""What will be written, tensor by tensor, decided from the parents' headers alone.

The result has the tensors of the primary model: the one that the first inputs lead to. What is no weight is not merged
but kept as it is there: integers, `position_ids`, schedules, markers. A part that another parent has not at all (a VAE,
text encoders) is the primary's too, and a note says so; single tensors that it lacks are an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sdkeep.formats.contents import Tensor as Entry
from sdkeep.formats.dtypes import REALS
from sdkeep.formats.safetensors import Slot, build_header, in_file_order
from sdkeep.formats.selection import Component, component_of
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.text import one_line
from sdkeep.merge.blocks import Compat, Map
from sdkeep.merge.expression import Apply, Expression, Leaf, compiled
from sdkeep.merge.metadata import metadata_for
from sdkeep.merge.methods.method import Exactness
from sdkeep.merge.methods.registry import find
from sdkeep.merge.parents import Opened, check_alike, with_average
from sdkeep.merge.recipe import PRECISIONS, Model, Recipe, Step
from sdkeep.merge.target import Change, Target

_VAE = "first_stage_model."
_VAE_PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
_OLD_CLIP = ("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer.")


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole result: `header` is what the file begins with, `targets` follow in file order."""

    recipe: Recipe
    parents: Mapping[int, Opened]
    targets: tuple[Target, ...]
    metadata: dict[str, str]
    header: bytes = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.header) + sum(target.slot.length for target in self.targets)

    @property
    def merged(self) -> int:
        """How many tensors are computed; the others are kept from one parent."""
        return sum(target.program is not None or bool(target.changes) for target in self.targets)

    @property
    def exactness(self) -> Exactness:
        """What is promised of its bytes on a CPU."""
        everywhere = all(target.elementwise for target in self.targets)
        return Exactness.EVERYWHERE if everywhere else Exactness.BUILD


@dataclass(frozen=True, slots=True)
class Allowances:
    """What is forgiven: `missing` takes tensors that a parent lacks from the primary model."""

    missing: bool = False


def block_map(primary: Opened, compat: Compat) -> Map:
    """The blocks of the architecture of a model."""
    return Map(9 if primary.identity.family is Family.SDXL else 12, compat)


def primary_of(recipe: Recipe) -> int:
    """The parent that the first inputs lead to."""
    step = recipe.steps[-1]
    while isinstance(step, Step):
        step = recipe.steps[step.inputs[0]]
    return step.parent


def model_parents(recipe: Recipe) -> tuple[int, ...]:
    """The parents that are models, the primary first."""
    used = (step.parent for step in recipe.steps if isinstance(step, Model))
    return tuple(dict.fromkeys((primary_of(recipe), *used)))


def plan(
    recipe: Recipe,
    parents: Mapping[int, Opened],
    allowances: Allowances | None = None,
    changes: Sequence[Mapping[str, Change]] = (),
) -> Plan:
    """Decide the result to the byte; raises `UsageError` for parents that cannot be merged, and says why."""
    models = model_parents(recipe)
    check_alike([parents[place] for place in models])
    if recipe.output.compat is Compat.A1111:
        from sdkeep.merge.webui import webui_targets  # torch tells the formats of its results

        targets, notes = webui_targets(recipe, parents), []
    else:
        averaged = {place: with_average(parents[place], recipe.output.ema) for place in models}
        notes = [note for one in averaged.values() for note in one.notes]
        targets, more = _Planner(recipe, {**parents, **averaged}, allowances or Allowances(), changes).targets()
        notes += more
    targets = [target for target in targets if _is_kept(target.slot.name, recipe)]
    if not targets:
        raise UsageError("nothing would be left", "every tensor is discarded", "loosen `--discard`")
    metadata = metadata_for(recipe, parents, models)
    slots = in_file_order(target.slot for target in targets)
    named = {target.slot.name: target for target in targets}
    return Plan(
        recipe,
        parents,
        tuple(named[slot.name] for slot in slots),
        metadata,
        build_header(slots, metadata),
        tuple(notes),
    )


def _is_kept(key: str, recipe: Recipe) -> bool:
    return not (recipe.output.discard and re.search(recipe.output.discard, key))


class _Missing(Exception):
    """A parent lacks a tensor."""

    def __init__(self, parent: int) -> None:
        super().__init__(parent)
        self.parent = parent


class _Planner:
    """The rules above, over one recipe and its parents."""

    def __init__(
        self,
        recipe: Recipe,
        parents: Mapping[int, Opened],
        allowances: Allowances,
        changes: Sequence[Mapping[str, Change]],
    ) -> None:
        self._recipe = recipe
        self._parents = parents
        self._place = primary_of(recipe)
        self._primary = parents[self._place]
        self._allowances = allowances
        self._changes = changes
        self._blocks = block_map(self._primary, recipe.output.compat)
        self._whole = self._primary.identity.kind is Kind.CHECKPOINT
        self._components = {
            place: {component_of(key) for key in parents[place].tensors} for place in model_parents(recipe)
        }
        self._left: dict[tuple[int, Component], int] = {}
        self._missing: dict[int, list[str]] = {}

    def targets(self) -> tuple[list[Target], list[str]]:
        """Every tensor of the result, and sentences on what is not merged."""
        found = [self._target(key, expression) for key, expression in self._expressions()]
        self._refuse_missing()
        return found, [*self._notes()]

    def _expressions(self) -> Iterator[tuple[str, Expression]]:
        baked = dict(self._baked())
        for key, entry in self._primary.tensors.items():
            if self._recipe.output.prune and self._whole and component_of(key) is None:
                continue
            if baked and key.startswith(_VAE):
                continue
            yield key, self._expression(key, entry)
        yield from baked.items()

    def _expression(self, key: str, entry: Entry) -> Expression:
        own = Leaf(self._place, entry)
        if not self._is_weight(key, entry):
            return own
        try:
            return self._built(len(self._recipe.steps) - 1, key, {})
        except _Missing as missing:
            component = component_of(key)
            if component is not None and component not in self._components[missing.parent]:
                place = (missing.parent, component)
                self._left[place] = self._left.get(place, 0) + 1
            else:
                self._missing.setdefault(missing.parent, []).append(key)
            return own

    def _is_weight(self, key: str, entry: Entry) -> bool:
        if entry.dtype not in REALS or key.endswith("position_ids"):
            return False
        return component_of(key) is not None or not self._whole

    def _built(self, place: int, key: str, known: dict[int, Expression]) -> Expression:
        if place in known:
            return known[place]
        step = self._recipe.steps[place]
        if isinstance(step, Model):
            known[place] = Leaf(step.parent, self._entry(step.parent, key))
            return known[place]
        method = find(step.method)
        numbers = {one.name: one.default for one in method.parameters}
        numbers |= {name: value.at(key, self._blocks) for name, value in step.numbers.items()}
        alike = method.copies(numbers) if method.copies else None
        if alike is not None:
            known[place] = self._built(step.inputs[alike], key, known)
        else:
            inputs = tuple(self._built(one, key, known) for one in step.inputs)
            known[place] = Apply(place, method, inputs, numbers)
        return known[place]

    def _entry(self, parent: int, key: str) -> Entry:
        tensors = self._parents[parent].tensors
        entry = tensors.get(key) or tensors.get(_older(key))
        if entry is None:
            raise _Missing(parent)
        return entry

    def _target(self, key: str, expression: Expression) -> Target:
        entry = _first(expression).entry if key.startswith(_VAE) else self._primary.tensors[key]
        slot = Slot(key, self._stored(key, entry), entry.shape)
        changes = tuple(one[key] for one in self._changes if key in one)
        if isinstance(expression, Leaf):
            fitted = _fitted(key, entry, expression, self._parents)
            if fitted.channels is None:
                return Target(slot, copied=fitted, changes=changes)
            return Target(slot, program=compiled(fitted), rest=Leaf(self._place, entry), changes=changes)
        expression = self._all_fitted(key, entry, expression)
        program = compiled(expression)
        cut = any(leaf.channels is not None for leaf in program.leaves)
        return Target(slot, program=program, rest=Leaf(self._place, entry) if cut else None, changes=changes)

    def _all_fitted(self, key: str, entry: Entry, expression: Apply) -> Apply:
        """The same expression over leaves of one shape: all cut to four channels where one of them has no more."""
        leaves = list(_leaves(expression))
        cut = any(_fitted(key, entry, leaf, self._parents).channels is not None for leaf in leaves)
        fitted = {}
        for leaf in leaves:
            new = _fitted(key, entry, leaf, self._parents)
            fitted[id(leaf)] = replace(new, channels=4) if cut else new

        def walk(node: Expression, known: dict[int, Expression]) -> Expression:
            if isinstance(node, Leaf):
                return fitted[id(node)]
            if node.step not in known:
                known[node.step] = replace(node, inputs=tuple(walk(one, known) for one in node.inputs))
            return known[node.step]

        result = walk(expression, {})
        return result if isinstance(result, Apply) else expression

    def _stored(self, key: str, entry: Entry) -> str:
        """The format a tensor is written in. 8 bits are for matrices: vectors and the VAE lose too much, and get 16."""
        precision = self._recipe.output.precision
        if not precision or entry.dtype not in REALS:
            return entry.dtype
        small = precision.startswith("fp8")
        if small and (len(entry.shape) < 2 or component_of(key) is Component.VAE):
            return "F16"
        return PRECISIONS[precision]

    def _baked(self) -> Iterator[tuple[str, Expression]]:
        """The tensors of the VAE to bake in, under a checkpoint's names."""
        place = self._recipe.output.vae
        if place is None:
            return
        vae = self._parents[place]
        found = {key.removeprefix(_VAE): entry for key, entry in vae.tensors.items()}
        found = {key: entry for key, entry in found.items() if key.startswith(_VAE_PARTS)}
        if not found:
            raise UsageError(
                f"`{vae.name}` holds no VAE", "none of its tensors belongs to an encoder or decoder", "name a VAE file"
            )
        own = {key.removeprefix(_VAE): entry for key, entry in self._primary.tensors.items() if key.startswith(_VAE)}
        own = {key: entry for key, entry in own.items() if key.startswith(_VAE_PARTS)}
        wrong = sorted(own.keys() ^ found.keys() if own else ()) or [
            key for key in own if _plain(own[key].shape) != _plain(found[key].shape)
        ]
        if wrong:
            raise UsageError(
                f"the VAE in `{vae.name}` is not of the model's architecture",
                f"they differ in {len(wrong)} tensors, `{one_line(wrong[0], 80)}` first", "choose a VAE of its family",
            )  # fmt: skip
        for key, entry in found.items():
            yield _VAE + key, Leaf(place, replace(entry, shape=own[key].shape if own else entry.shape))

    def _refuse_missing(self) -> None:
        if self._allowances.missing:
            return
        for parent, keys in self._missing.items():
            name = self._parents[parent].name
            raise UsageError(
                f"`{name}` lacks {len(keys)} tensors that `{self._primary.name}` has",
                f"`{one_line(keys[0], 90)}`" + (" and others" if len(keys) > 1 else "") + " cannot be merged",
                "`--missing keep` takes them from the first model",
            )

    def _notes(self) -> Iterator[str]:
        name = self._primary.name
        for (parent, component), count in self._left.items():
            yield f"`{self._parents[parent].name}` has no {component}: that of `{name}` is kept ({count} tensors)"
        for parent, keys in self._missing.items():
            yield f"{len(keys)} tensors that `{self._parents[parent].name}` lacks are those of `{name}`"
        for place in model_parents(self._recipe)[1:]:
            other = self._parents[place]
            more = [key for key in other.tensors if key not in self._primary.tensors and component_of(key)]
            more = [key for key in more if not key.startswith(_VAE) or self._recipe.output.vae is None]
            if more:
                yield f"{len(more)} tensors of `{other.name}` are not in `{name}` and were left out"


def _older(key: str) -> str:
    """The name that the first leaked checkpoints have for a text encoder's tensor; empty for other tensors."""
    new, old = _OLD_CLIP
    return old + key.removeprefix(new) if key.startswith(new) else ""


def _leaves(expression: Expression, seen: set[int] | None = None) -> Iterator[Leaf]:
    """The leaves of an expression; a step that is used again is not walked again."""
    if isinstance(expression, Leaf):
        yield expression
        return
    seen = set() if seen is None else seen
    if expression.step not in seen:
        seen.add(expression.step)
        for one in expression.inputs:
            yield from _leaves(one, seen)


def _first(expression: Expression) -> Leaf:
    return next(_leaves(expression))


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the ones at its end: a 1x1 convolution is a matrix."""
    end = len(shape)
    while end and shape[end - 1] == 1:
        end -= 1
    return shape[:end]


def _fitted(key: str, entry: Entry, leaf: Leaf, parents: Mapping[int, Opened]) -> Leaf:
    """The leaf with the shape of the primary's tensor; of an input layer with extra channels, its first four."""
    ours, theirs = entry.shape, leaf.entry.shape
    other = parents[leaf.parent].name
    if leaf.entry.dtype not in REALS and entry.dtype in REALS:
        raise UsageError(
            f"`{one_line(key, 90)}` of `{other}` holds integers", f"it is stored as {leaf.entry.dtype}",
            "that file is damaged, or quantised",
        )  # fmt: skip
    if ours == theirs:
        return leaf
    if _plain(ours) == _plain(theirs):
        return replace(leaf, entry=replace(leaf.entry, shape=ours))
    alike = len(ours) == 4 == len(theirs) and ours[:1] + ours[2:] == theirs[:1] + theirs[2:]
    if alike and ours[1] in (8, 9) and theirs[1] == 4:
        return replace(leaf, channels=4)
    if alike and theirs[1] in (8, 9) and ours[1] == 4:
        sort = "an inpainting" if theirs[1] == 9 else "an instruct-pix2pix"
        raise UsageError(
            f"`{other}` is {sort} model and the first model is not",
            f"its input layer has {theirs[1]} channels instead of 4, which only the first model can pass on",
            f"name `{other}` first",
        )
    raise UsageError(
        f"the models differ in `{one_line(key, 90)}`",
        f"it is {list(ours)} in the first and {list(theirs)} in `{other}`: they are of different architecture",
        "`sdkeep show FILE` tells what each of them is",
    )
