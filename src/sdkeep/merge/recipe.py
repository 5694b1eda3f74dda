"""A recipe: which models, merged how, written how. Values only; its text form is JSON in the file, TOML by hand.

Steps stand in order, each naming its inputs by their place; the last one is the result. Nothing of a machine is in it:
models are known by their SHA-256 and called by a file name. The same recipe gives the same seeds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import asin, sin

from sdkeep.formats.selection import Ema
from sdkeep.formats.tolerant import parsed
from sdkeep.ground.errors import UsageError
from sdkeep.merge.blocks import Compat, Weighting
from sdkeep.merge.methods.method import Method, Space
from sdkeep.merge.methods.registry import find

FORMAT = 1
MOST_STEPS = 200
"""Methods in one recipe."""

METADATA = "sdkeep.recipe"
"""The metadata key that a merged file keeps its recipe under."""

PRECISIONS = {"fp32": "F32", "fp16": "F16", "bf16": "BF16", "fp8": "F8_E4M3", "fp8-e5m2": "F8_E5M2"}
"""What a merge can be written in, and safetensors' codes of it."""


@dataclass(frozen=True, slots=True)
class Model:
    """A step that is one of the parents, by its place among them."""

    parent: int


@dataclass(frozen=True, slots=True)
class Step:
    """A merge of earlier steps. `numbers` hold a weighting for each parameter of the method."""

    method: str
    inputs: tuple[int, ...]
    numbers: Mapping[str, Weighting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parent:
    """A model that goes in. `recipe` is what it was itself merged by, as its own metadata says."""

    name: str
    sha256: str = ""
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA or its kin put on the result: its place among the parents, and how strongly (`strengths.strength_of`)."""

    parent: int
    strength: str = "1"


@dataclass(frozen=True, slots=True)
class Output:
    """How the result is written. `vae` is the place of the parent whose VAE is baked in; `discard` a pattern."""

    precision: str = ""
    vae: int | None = None
    ema: Ema = Ema.DROP
    prune: bool = False
    discard: str = ""
    compat: Compat = Compat.SDKEEP
    adapters: tuple[Adapter, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Parents, steps over them, and the output."""

    parents: tuple[Parent, ...]
    steps: tuple[Model | Step, ...]
    output: Output = field(default_factory=Output)

    @property
    def seed(self) -> bytes:
        """What random methods draw from: the models and the steps, not how the result is written."""
        content = {"parents": [parent.sha256 for parent in self.parents], "steps": [_step_json(s) for s in self.steps]}
        return hashlib.sha256(canonical(content).encode()).digest()

    def named(self, sha256s: Mapping[int, str], recipes: Mapping[int, str]) -> Recipe:
        """The same recipe with what is known of its parents by now."""
        parents = (
            replace(parent, sha256=sha256s.get(place, parent.sha256), recipe=recipes.get(place, parent.recipe))
            for place, parent in enumerate(self.parents)
        )
        return replace(self, parents=tuple(parents))


def seed_for(recipe_seed: bytes, step: int, key: str) -> int:
    """The seed of one step for one tensor, 63 bits."""
    return int.from_bytes(hashlib.sha256(recipe_seed + f"{step}:{key}".encode()).digest()[:8], "big") >> 1


def checked(recipe: Recipe) -> Recipe:
    """The recipe, if it makes sense: known methods, fitting inputs, spaces and numbers in range; else `UsageError`."""
    if not recipe.steps:
        raise UsageError("there is nothing to merge", "the recipe has no step", "`sdkeep merge --help` shows examples")
    if sum(isinstance(step, Step) for step in recipe.steps) > MOST_STEPS:
        raise UsageError(
            "the recipe is too long", f"{MOST_STEPS} steps are the most", "merge in two recipes, one after the other"
        )
    spaces: list[Space] = []
    for place, step in enumerate(recipe.steps):
        if isinstance(step, Model):
            if not 0 <= step.parent < len(recipe.parents):
                raise UsageError(f"step {place + 1} names a model that the recipe has not", "it is cut or edited")
            spaces.append(Space.WEIGHT)
        else:
            spaces.append(_checked_step(step, place, spaces))
    if spaces[-1] is Space.DELTA:
        raise UsageError(
            "the result would be a difference, not a model", "the last step gives what two models differ by",
            "put it on a model with the method `add`",
        )  # fmt: skip
    output = recipe.output
    if output.precision and output.precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise UsageError(f"`{output.precision}` is no precision to write", f"known are {known}", "`--precision fp16`")
    _pattern(output.discard)
    if output.compat is Compat.A1111:
        _check_webui(recipe)
    return recipe


def _checked_step(step: Step, place: int, spaces: list[Space]) -> Space:
    method = find(step.method)
    count = len(step.inputs)
    if count < method.least or (method.most is not None and count > method.most):
        raise UsageError(
            f"`{method.name}` takes {method.arity} models, and {count} {'is' if count == 1 else 'are'} given",
            method.about, f"`sdkeep merge {' '.join('ABCDEFG'[: method.least])} --method {method.name}`",
        )  # fmt: skip
    if not all(0 <= one < place for one in step.inputs):
        raise UsageError(f"step {place + 1} uses a step that comes after it", "steps stand in the order they are made")
    first = spaces[step.inputs[0]]
    for turn, one in enumerate(step.inputs):
        wanted = method.space_of(turn)
        wanted = first if wanted is Space.SAME else wanted
        if spaces[one] is not wanted:
            raise UsageError(
                f"input {turn + 1} of `{method.name}` is a {spaces[one]} where a {wanted} belongs",
                "models and differences of models cannot stand for each other",
                "`difference` makes a difference of two models, `add` puts one on a model",
            )
    _check_numbers(method, step.numbers)
    return first if method.gives is Space.SAME else method.gives


def _check_numbers(method: Method, numbers: Mapping[str, Weighting]) -> None:
    for name, given in numbers.items():
        parameter = method.parameter(name)
        if parameter is None:
            known = ", ".join(f"`{one.name}`" for one in method.parameters) or "none"
            raise UsageError(f"`{method.name}` takes no `{name}`", f"its parameters are {known}", "leave it out")
        for value in given.values:
            if not parameter.least <= value <= parameter.most:
                raise UsageError(
                    f"`{name}` of `{method.name}` cannot be {value:g}",
                    f"it goes from {parameter.least:g} to {parameter.most:g}: {parameter.about}",
                    f"`--{name} {parameter.default:g}`",
                )
        for pattern, _ in given.keys:
            _pattern(pattern)


def _pattern(text: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise UsageError(f"`{text}` is no pattern", str(error), "patterns are Python's regular expressions") from error


def shares(recipe: Recipe) -> tuple[float | None, ...]:
    """How much of each parent is in the result, by the base weights; None where a method is no weighted sum."""
    known: list[tuple[float, ...] | None] = []
    for step in recipe.steps:
        if isinstance(step, Model):
            known.append(tuple(float(place == step.parent) for place in range(len(recipe.parents))))
            continue
        factors, inputs = _factors(step), [known[one] for one in step.inputs]
        vectors = [one for one in inputs if one is not None]
        if factors is None or len(vectors) != len(inputs):
            known.append(None)
        else:
            known.append(
                tuple(sum(f * v for f, v in zip(factors, column, strict=True)) for column in zip(*vectors, strict=True))
            )
    last = known[-1]
    return last if last is not None else (None,) * len(recipe.parents)


def _factors(step: Step) -> tuple[float, ...] | None:
    """What a step multiplies its inputs with, if that is all it does."""
    numbers = {name: value.base for name, value in step.numbers.items()}
    a, b, count = numbers.get("alpha", 0.0), numbers.get("beta", 0.0), len(step.inputs)
    smooth, steep = a * a * (3 - 2 * a), 0.5 - sin(asin(max(-1.0, min(1.0, 1 - 2 * a))) / 3)
    return {
        "no-interpolation": (1.0,), "weighted-sum": (1 - a, a), "sigmoid": (1 - smooth, smooth),
        "inverse-sigmoid": (1 - steep, steep), "add-difference": (1.0, a, -a), "smooth-add": (1.0, a, -a),
        "triple-sum": (1 - a - b, a, b), "sum-twice": ((1 - a) * (1 - b), a * (1 - b), b),
        "average": (1 / count,) * count, "difference": (1.0, -1.0), "add": (1.0, a), "scale": (a,),
    }.get(step.method)  # fmt: skip


_WEBUI = ("no-interpolation", "weighted-sum", "add-difference")


def _check_webui(recipe: Recipe) -> None:
    """AUTOMATIC1111's merger knows three methods, one number, and models only."""
    last = recipe.steps[-1]
    plain = isinstance(last, Step) and all(isinstance(recipe.steps[one], Model) for one in last.inputs)
    if recipe.output.precision not in ("", "fp16"):
        raise UsageError(
            f"AUTOMATIC1111 cannot write {recipe.output.precision}", "it keeps formats, or saves float32 as float16",
            "`--precision fp16`, or leave `--compat a1111` out",
        )  # fmt: skip
    if not isinstance(last, Step) or last.method not in _WEBUI or not plain:
        raise UsageError(
            "AUTOMATIC1111 has no such merge", "it knows no interpolation, weighted sum and add difference of models",
            "leave `--compat a1111` out",
        )  # fmt: skip
    if any(one.blocks or one.keys for one in last.numbers.values()) or recipe.output.adapters:
        raise UsageError(
            "AUTOMATIC1111 merges every block alike, and no LoRA with it", "there is nothing to be compatible with",
            "leave `--compat a1111` out, or use `--compat supermerger`",
        )  # fmt: skip


def canonical(content: object) -> str:
    """JSON with one spelling: keys sorted, no white space."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def to_json(recipe: Recipe) -> str:
    """The recipe as text for a file's metadata, its ancestors' recipes with it."""
    output = recipe.output
    content: dict[str, object] = {
        "format": FORMAT,
        "parents": [{"name": parent.name, "sha256": parent.sha256} for parent in recipe.parents],
        "steps": [_step_json(step) for step in recipe.steps],
        "shares": list(shares(recipe)),
        "output": {
            "precision": output.precision, "vae": output.vae, "ema": str(output.ema), "prune": output.prune,
            "discard": output.discard, "compat": str(output.compat),
            "adapters": [[one.parent, one.strength] for one in output.adapters],
        },
        "ancestors": dict(ancestors(recipe)),
    }  # fmt: skip
    return canonical(content)


def finite(value: object) -> object:
    """JSON from strangers without NaN and its like, which the canonical form refuses."""
    return json.loads(json.dumps(value), parse_constant=lambda _: None)


def ancestors(recipe: Recipe) -> Iterator[tuple[str, object]]:
    """What the parents were themselves merged by, as far back as their metadata tell: pairs of SHA-256 and recipe."""
    for parent in recipe.parents:
        if not parent.recipe or not parent.sha256:
            continue
        content = finite(parsed(parent.recipe))
        if isinstance(content, dict):
            older = content.pop("ancestors", None)
            yield parent.sha256, content
            yield from older.items() if isinstance(older, dict) else ()


def _step_json(step: Model | Step) -> dict[str, object]:
    if isinstance(step, Model):
        return {"model": step.parent}
    numbers = {name: _weighting_json(value) for name, value in step.numbers.items()}
    return {"method": step.method, "inputs": list(step.inputs), "numbers": numbers}


def _weighting_json(value: Weighting) -> object:
    if not value.blocks and not value.keys:
        return value.base
    return {"base": value.base, "blocks": dict(value.blocks), "keys": [list(pair) for pair in value.keys]}
