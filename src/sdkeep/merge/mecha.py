"""sd-mecha's `.mecha` recipes, version 0.1.0, as drafts.

The text form (sd_mecha/serialization.py): a line is an instruction, `&N` refers to the result of the N-th.

    version 0.1.0
    model "a.safetensors" model_config="sd1-ldm" merge_space="weight"
    model "b.safetensors" model_config="sd1-ldm" merge_space="weight"
    merge "weighted_sum" &0 &1 alpha=0.3

Models are file names there; they are taken as references here. Methods that sdkeep has not, and parameters that its
formulas do not know, are errors: a recipe is followed to the letter or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sdkeep.ground.errors import FormatError
from sdkeep.merge.blocks import Compat
from sdkeep.merge.draft import Asked, Draft, DraftStep
from sdkeep.merge.recipe import Output

VERSION = "version 0.1.0"


@dataclass(frozen=True, slots=True)
class Ref:
    """The result of an earlier instruction."""

    place: int


Value = str | float | bool | None | Mapping[str, float] | Ref


@dataclass(frozen=True, slots=True)
class Known:
    """What a method of sd-mecha is here: `numbers` maps its parameters to ours, `fixed` sets those it has not.

    `assumed` are parameters that must have the value given; `unless` names a method to take when the first differs.
    """

    method: str
    numbers: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    assumed: Mapping[str, object] = field(default_factory=dict)
    positional: tuple[str, ...] = ()


_ALPHA = {"alpha": "alpha"}
METHODS: Mapping[str, Known] = {
    "weighted_sum": Known("weighted-sum", _ALPHA, positional=("alpha",)),
    "n_average": Known("average"),
    "slerp": Known("slerp", _ALPHA, positional=("alpha",)),
    "add_difference": Known("add", _ALPHA, {"alpha": 1.0}, positional=("alpha",)),
    "scale": Known("scale", _ALPHA, {"alpha": 1.0}, positional=("alpha",)),
    "subtract": Known("difference"),
    "geometric_sum": Known("geometric", _ALPHA, positional=("alpha",)),
    "clamp": Known("clamp", assumed={"stiffness": 0.0}),
    "tensor_sum": Known("tensor-sum", {"width": "alpha", "offset": "beta"}, {"beta": 0.0}),
    "top_k_tensor_sum": Known("top-k", {"width": "alpha", "offset": "beta"}, {"alpha": 1.0}),
    "ties_sum": Known("ties-difference", {"k": "density"}, {"density": 1.0, "votes": 1.0}, {"vote_sgn": False}),
    "model_stock": Known("stock-difference", assumed={"cos_eps": 1e-6}),
    "rotate": Known("rotate", _ALPHA, {"alpha": 0.0}, {"alignment": 1.0, "centralization": 1.0}),
}
_COUNTS = {"weighted_sum": 2, "slerp": 2, "add_difference": 2, "scale": 1, "geometric_sum": 2}


def from_mecha(text: str, name: str) -> Draft:
    """The draft that a `.mecha` text spells; raises `FormatError`, which names the line."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != VERSION:
        raise FormatError(
            f"`{name}` is no `.mecha` recipe that is known", f"its first line is not `{VERSION}`",
            "`sdkeep recipe check FILE` reads TOML recipes too",
        )  # fmt: skip
    reader = _Reader(name)
    for number, line in enumerate(lines[1:], 2):
        if line.strip() and not line.strip().startswith("#"):
            reader.take(line.strip(), number)
    return reader.draft()


class _Reader:
    """Instructions one after the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._line = 0
        self._results: list[Value] = []
        self._models: dict[str, str] = {}
        self._steps: list[DraftStep] = []

    def draft(self) -> Draft:
        if not self._steps and self._models:
            self._steps.append(DraftStep("&result", "no-interpolation", (next(iter(self._models)),)))
        if not self._steps:
            raise self._wrong("it merges nothing")
        return Draft(self._models, tuple(self._steps), output=Output(compat=Compat.SD_MECHA))

    def take(self, line: str, number: int) -> None:
        self._line = number
        command, *words = self._words(line)
        positional: list[Value] = []
        named: dict[str, Value] = {}
        for word in words:
            key, equals, value = word.partition("=")
            if equals and not word.startswith('"'):
                named[key] = self._value(value)
            else:
                positional.append(self._value(word))
        place = f"&{len(self._results)}"
        if command == "dict":
            self._results.append(self._numbers(named))
        elif command == "literal":
            self._results.append(positional[0] if positional else None)
        elif command == "model":
            self._results.append(self._model(place, positional, named))
        elif command == "merge":
            self._results.append(self._merge(place, positional, named))
        else:
            raise self._wrong(f"`{command}` is no instruction")

    def _model(self, place: str, positional: list[Value], named: Mapping[str, Value]) -> Ref:
        path = positional[0] if positional else None
        if not isinstance(path, str):
            raise self._wrong("a model needs a file name")
        if named.get("merge_space") not in (None, "weight"):
            raise self._wrong(f"`{path}` is no model but a {named['merge_space']}; name a checkpoint instead")
        self._models[place] = path if "/" in path or "\\" in path else f"./{path}"
        return Ref(len(self._results))

    def _merge(self, place: str, positional: list[Value], named: dict[str, Value]) -> Value:
        method = positional.pop(0) if positional else None
        if isinstance(method, str) and method.startswith("convert_") and len(positional) == 1:
            return positional[0]  # numbers by block, told for every key: what a weighting does by itself
        known = METHODS.get(method) if isinstance(method, str) else None
        if method == "fallback" and positional and isinstance(positional[0], Ref):
            return positional[0]  # `a | b`: what a lacks is left out, or kept, by the rules of the plan
        if known is None or not isinstance(method, str):
            raise self._wrong(f"the method `{method}` has no counterpart here; there are {', '.join(METHODS)}")
        most = _COUNTS.get(method, len(positional))
        inputs, rest = positional[:most], positional[most:]
        named = {**dict(zip(known.positional, rest, strict=False)), **named}
        if "a" in named or "b" in named:
            inputs += [named.pop(name) for name in ("a", "b") if name in named]
        names = []
        for one in inputs:
            if not isinstance(one, Ref):
                raise self._wrong(f"an input of `{method}` is no model")
            names.append(f"&{one.place}")
        self._steps.append(DraftStep(place, known.method, tuple(names), self._asked(method, known, named)))
        return Ref(len(self._results))

    def _asked(self, method: str, known: Known, named: Mapping[str, Value]) -> dict[str, Asked]:
        found = {name: Asked(value) for name, value in known.fixed.items()}
        for name, value in named.items():
            if name in known.assumed and value == known.assumed[name]:
                continue
            if name == "vote_sgn" and value is True:
                found["votes"] = Asked(0.0)
            elif name in known.numbers and isinstance(value, Mapping) and set(value) == {"key"}:
                found[known.numbers[name]] = Asked(value["key"])  # the same number for every tensor
            elif name in known.numbers and isinstance(value, Mapping):
                found[known.numbers[name]] = Asked(value.get("BASE"), dict(value))
            elif name in known.numbers and isinstance(value, int | float):
                found[known.numbers[name]] = Asked(float(value))
            else:
                raise self._wrong(f"`{method}` with `{name}={value}` has no counterpart here")
        return found

    def _numbers(self, named: Mapping[str, Value]) -> Mapping[str, float]:
        for name, value in named.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self._wrong(f"`{name}` of a dict is no number")
        return {name: float(value) for name, value in named.items() if isinstance(value, int | float)}

    def _value(self, word: str) -> Value:
        if word in ("null", "true", "false"):
            return {"null": None, "true": True, "false": False}[word]
        if word.startswith("&"):
            place = int(word[1:]) if word[1:].isdigit() else len(self._results)
            if place >= len(self._results):
                raise self._wrong(f"`{word}` refers to nothing before it")
            return self._results[place]
        if word.startswith('"'):
            return word[1:-1] if word.endswith('"') and len(word) > 1 else word[1:]
        try:
            return float(word)
        except ValueError:
            raise self._wrong(f"`{word}` is no value") from None

    def _words(self, line: str) -> list[str]:
        """Split at blanks outside quotes; a backslash takes the next character as it is."""
        words, word, quoted, escaped = list[str](), "", False, False
        for character in line:
            if escaped:
                word, escaped = word + character, False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted, word = not quoted, word + character
            elif character == " " and not quoted:
                words, word = [*words, word] if word else words, ""
            else:
                word += character
        if quoted:
            raise self._wrong("a quotation mark is missing")
        return [*words, word] if word else words

    def _wrong(self, why: str) -> FormatError:
        return FormatError(f"`{self._name}` cannot be followed", f"line {self._line}: {why}", "edit it, or write TOML")
