"""A merge as a person asked for it: models by reference, weights as text. With the models known it becomes a recipe.

Recipe files are TOML:

    [models]
    a = "sd15"                      # anything that `sdkeep get` takes
    b = "./photo.safetensors"

    [[steps]]
    name = "mixed"
    method = "weighted-sum"
    models = ["a", "b"]
    alpha = 0.3                     # or { base = 0.3, blocks = "GRAD_V", keys = { "attn2" = 0.7 } }

    [output]
    precision = "fp16"
    vae = "vae-mse"

The last step is the result. A step may use earlier steps by their names; what nobody uses is not computed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from sdkeep.formats.selection import Ema
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.errors import FormatError, UsageError
from sdkeep.merge.blocks import Compat, Map, Weighting, weighting
from sdkeep.merge.methods.registry import find
from sdkeep.merge.recipe import Adapter, Model, Output, Parent, Recipe, Step, checked
from sdkeep.weights.adapters.strengths import strength_of

FileTable = dict[str, object]
Word = TypeVar("Word", bound=StrEnum)
_SCHEMES = frozenset({"civitai", "hf", "name", "path", "https", "http", "urn", *DigestKind})


@dataclass(frozen=True, slots=True)
class Asked:
    """A number as it was asked for: `blocks` is text in the notation of `blocks.weighting`, or values by block."""

    base: float | None = None
    blocks: str | Mapping[str, float] = ""
    keys: tuple[tuple[str, float], ...] = ()

    def weighting(self, default: float, blocks: Map) -> Weighting:
        """The number for a model with these blocks."""
        base = default if self.base is None else self.base
        if isinstance(self.blocks, str):
            found = weighting(self.blocks, base, blocks) if self.blocks else Weighting(base)
        else:
            text = ",".join(f"{name}={value}" for name, value in self.blocks.items())
            found = weighting(text, base, blocks) if text else Weighting(base)
        return Weighting(found.base, found.blocks, self.keys)


@dataclass(frozen=True, slots=True)
class DraftStep:
    """A merge of models and earlier steps, by name."""

    name: str
    method: str
    inputs: tuple[str, ...]
    numbers: Mapping[str, Asked] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DraftAdapter:
    """A LoRA to put on the result: a reference, and how strongly, in the notation of `strengths.strength_of`."""

    ref: str
    strength: str = "1"


@dataclass(frozen=True, slots=True)
class Draft:
    """Models by name and reference, steps over names, and the output; `vae` is a reference."""

    models: Mapping[str, str]
    steps: tuple[DraftStep, ...]
    vae: str = ""
    adapters: tuple[DraftAdapter, ...] = ()
    output: Output = field(default_factory=Output)

    @property
    def refs(self) -> tuple[str, ...]:
        """Every reference: the models', the VAE's, the adapters'. A recipe's parents stand in this order."""
        vae = (self.vae,) if self.vae else ()
        return (*self.models.values(), *vae, *(adapter.ref for adapter in self.adapters))

    @property
    def primary(self) -> int:
        """The place of the model that the first inputs lead to."""
        steps = {step.name: step for step in self.steps}
        name, seen = self.steps[-1].name, set[str]()
        while name in steps and name not in seen:
            seen.add(name)
            name = steps[name].inputs[0]
        if name not in self.models:
            raise UsageError(
                f"`{name}` is neither a model nor a step before", "nothing has this name", "check the recipe"
            )
        return list(self.models).index(name)

    def recipe(self, parents: Sequence[Parent], blocks: Map) -> Recipe:
        """The recipe over these parents, given in the order of `refs`; raises `UsageError`."""
        places: dict[str, int] = {}
        steps: list[Model | Step] = []
        for place, name in enumerate(self.models):
            places[name] = len(steps)
            steps.append(Model(place))
        for draft in self.steps:
            method = find(draft.method)
            unknown = next((one for one in draft.inputs if one not in places), None)
            if unknown is not None:
                raise UsageError(
                    f"`{unknown}` is neither a model nor a step before `{draft.name}`", "nothing above has this name",
                    "check the recipe's spelling and order",
                )  # fmt: skip
            defaults = {one.name: one.default for one in method.parameters}
            numbers = {name: asked.weighting(defaults.get(name, 0.0), blocks) for name, asked in draft.numbers.items()}
            full = {name: Weighting(value) for name, value in defaults.items()} | numbers
            steps.append(Step(method.name, tuple(places[one] for one in draft.inputs), full))
            places[draft.name] = len(steps) - 1
        first = len(self.models) + bool(self.vae)
        output = Output(
            self.output.precision, len(self.models) if self.vae else None, self.output.ema, self.output.prune,
            self.output.discard, self.output.compat,
            tuple(Adapter(first + place, one.strength) for place, one in enumerate(self.adapters)),
        )  # fmt: skip
        return checked(Recipe(tuple(parents), tuple(steps), output))


def from_toml(text: str, name: str) -> Draft:
    """The draft that a recipe file spells; raises `FormatError` or `UsageError`, which name the place."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"`{name}` is no recipe", f"it is no TOML: {error}", "`sdkeep recipe check FILE`") from error
    return _Reader(name).draft(content)


class _Reader:
    """Tables of a recipe file to values; complaints name the file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def draft(self, content: FileTable) -> Draft:
        self._only(content, {"models", "steps", "output"}, "the file")
        models = {name: self._text(ref, f"models.{name}") for name, ref in self._table(content, "models").items()}
        listed = content.get("steps")
        if not isinstance(listed, list) or not listed:
            raise self._wrong("steps", "at least one `[[steps]]` is needed")
        steps = tuple(self._step(one, place) for place, one in enumerate(listed, 1))
        names = [*models, *(step.name for step in steps)]
        double = next((one for one in names if names.count(one) > 1), None)
        if double:
            raise self._wrong(double, "two models or steps have this name")
        output = self._table(content, "output") if "output" in content else {}
        self._only(output, {"precision", "vae", "ema", "prune", "discard", "compat", "lora"}, "output")
        lora = output.get("lora", [])
        if not isinstance(lora, list):
            raise self._wrong("output.lora", 'it is a list, like `["detail:0.8"]`')
        return Draft(
            models, steps, self._text(output.get("vae", ""), "output.vae"),
            tuple(adapter_of(self._text(one, "output.lora")) for one in lora), self._output(output),
        )  # fmt: skip

    def _output(self, table: FileTable) -> Output:
        return Output(
            self._text(table.get("precision", ""), "output.precision"), None,
            one_of(Ema, self._text(table.get("ema", "drop"), "output.ema"), "ema"), table.get("prune") is True,
            self._text(table.get("discard", ""), "output.discard"),
            one_of(Compat, self._text(table.get("compat", "sdkeep"), "output.compat"), "compat"),
        )  # fmt: skip

    def _step(self, one: object, place: int) -> DraftStep:
        where = f"steps, number {place}"
        if not isinstance(one, dict):
            raise self._wrong(where, "it is no table")
        inputs = one.get("models")
        if not isinstance(inputs, list) or not inputs or not all(isinstance(name, str) for name in inputs):
            raise self._wrong(where, 'it needs `models`, a list of names like `["a", "b"]`')
        method = self._text(one.get("method", ""), f"{where}: method")
        numbers = {
            name: self._asked(value, f"{where}: {name}")
            for name, value in one.items()
            if name not in ("name", "method", "models")
        }
        return DraftStep(self._text(one.get("name", f"step-{place}"), where), method, tuple(inputs), numbers)

    def _asked(self, value: object, where: str) -> Asked:
        if not isinstance(value, dict):
            return Asked(self._number(value, where))
        self._only(value, {"base", "blocks", "keys"}, where)
        base = self._number(value["base"], where) if "base" in value else None
        blocks = value.get("blocks", "")
        keys = value.get("keys", {})
        if isinstance(blocks, list):
            blocks = ",".join(str(self._number(one, where)) for one in blocks)
        if isinstance(blocks, dict):
            blocks = {name: self._number(one, where) for name, one in blocks.items()}
        if not isinstance(blocks, str | dict) or not isinstance(keys, dict):
            raise self._wrong(where, "`blocks` is a preset, a list or a table, `keys` a table")
        return Asked(base, blocks, tuple((pattern, self._number(one, where)) for pattern, one in keys.items()))

    def _table(self, content: FileTable, name: str) -> FileTable:
        found = content.get(name)
        if not isinstance(found, dict):
            raise self._wrong(name, f"a table `[{name}]` is needed")
        return found

    def _only(self, table: FileTable, known: set[str], where: str) -> None:
        unknown = sorted(table.keys() - known)
        if unknown:
            raise self._wrong(
                where, f"`{unknown[0]}` is nothing that is known there; known are {', '.join(sorted(known))}"
            )

    def _text(self, value: object, where: str) -> str:
        if not isinstance(value, str):
            raise self._wrong(where, "a text is needed")
        return value

    def _number(self, value: object, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(where, "a number is needed")
        return float(value)

    def _wrong(self, where: str, why: str) -> FormatError:
        return FormatError(f"`{self._name}` is no recipe", f"{where}: {why}", f"`sdkeep recipe check '{self._name}'`")


def adapter_of(text: str) -> DraftAdapter:
    """`REF` or `REF:STRENGTH`, a strength as `strengths.strength_of` reads it; a reference may hold colons itself."""
    pieces, wrong = text.split(":"), None
    for place in range(1, len(pieces)):
        ref, strength = ":".join(pieces[:place]), ":".join(pieces[place:])
        if ref.lower() in _SCHEMES:
            continue
        try:
            strength_of(strength)
        except UsageError as error:
            wrong = error
            continue
        return DraftAdapter(ref, strength if strength else "1")
    if wrong is not None and ":lbw=" in text:  # no reference holds that
        raise wrong
    return DraftAdapter(text)


def one_of(kind: type[Word], word: str, what: str) -> Word:
    """The member of an enumeration spelt `word`; raises `UsageError` with those there are."""
    known = [str(one) for one in kind]
    if word not in known:
        raise UsageError(f"`{word}` is nothing for `{what}`", "known are " + ", ".join(known), f"`--{what} {known[0]}`")
    return kind(word)
