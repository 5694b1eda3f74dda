"""Adapters: which modules a delta changes, by which mathematics, at what rank, of which model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

from sdkeep.formats.identity.conditions import Test, said
from sdkeep.formats.identity.index import Index, Shape, fold

_UNET = re.compile(r"unet:(?:down|up|mid|input|output|middle)_block|unet:#?$")
_SHOWN = ("down", "hada_w1_b", "lokr_w1", "diff", "glora_a1", "oft", "weight")
_KOHYA = ("lora_unet_", "lora_te", "lycoris_", "oft_unet_", "lora_transformer_", "lora_prior_")
_MODULE_TEST = re.compile(
    r"(?P<no>!?)/(?P<regex>.+?)/(?:\s+(?P<of>in|out|top)\s*(?P<op>=|!=|>=|<=)\s*(?P<values>[\d,\s]+)|\s+(?P<form>spatial|linear))?"
)
_ALTERNATIVE = re.compile(r"\s+or\s+(?=!?/)")


@dataclass(frozen=True, slots=True)
class Suffix:
    """One way a delta's key can end: which factor it is, of which algorithm. `hints` are plain texts it must hold."""

    match: str
    hints: tuple[str, ...]
    part: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class Module:
    """The layers that share one folded name. Widths are those of the layer being changed, None when not told.

    `form` is `spatial` for convolutions, `linear` for matrices, empty where factors are flattened. `name` reads
    `tower:module` with underscores; `key` is the first key met, `shape` its shape.
    """

    name: str
    inputs: int | None
    outputs: int | None
    rank: int | None
    form: str
    kernel: bool
    count: int
    key: str
    shape: Shape


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """An adapter taken apart. `share` is the part of all keys that belong to it, `text` gives all keys, one a line."""

    algorithm: str
    rank: int | None
    modules: tuple[Module, ...]
    share: float
    text: Callable[[], str]

    @property
    def components(self) -> tuple[str, ...]:
        """The networks it changes: `unet` or `transformer`, then text encoders."""
        towers = {module.name.partition(":")[0] for module in self.modules}
        unet = any(_UNET.match(module.name) for module in self.modules)
        named = {"unet": "unet" if unet else "transformer", "te": "text-encoder", "te1": "text-encoder"}
        order = ("unet", "te", "te1", "te2", "te3")
        known = [named.get(tower, tower.replace("te", "text-encoder-")) for tower in order if tower in towers]
        return tuple(dict.fromkeys(known))


ModuleTest = Callable[[Delta], str | None]


class Reader:
    """The suffix and prefix tables, compiled."""

    def __init__(self, suffixes: Sequence[Suffix], prefixes: Sequence[str], towers: str) -> None:
        self._suffixes = tuple(
            (hint, re.compile(f"(?:{suffix.match})$"), suffix) for suffix in suffixes for hint in suffix.hints
        )
        self._prefixes = tuple(prefixes)
        self._towers = re.compile(towers)

    def read(self, index: Index) -> Delta | None:
        """The adapter in a file, or None when no key ends like an adapter's."""
        parts: dict[str, dict[str, str]] = {}
        counts: Counter[str] = Counter()
        algorithms: Counter[str] = Counter()
        ours = 0
        for pattern, key in index.patterns.items():
            suffix, end = self._ending(key)
            if suffix is None:
                if key.startswith(_KOHYA):
                    ours += index.counts[pattern]
                    parts.setdefault(fold(key.partition(".")[0]), {}).setdefault("weight", key)
                continue
            count = index.counts[pattern]
            ours += count
            base = fold(key[:end])
            if suffix.part:
                parts.setdefault(base, {}).setdefault(suffix.part, key)
            if suffix.algorithm:
                algorithms[suffix.algorithm] += count
                counts[base] = max(counts[base], count)
            elif suffix.part:
                algorithms[suffix.part] += count
        if not algorithms:
            return None
        modules = tuple(self._module(base, found, counts[base], index) for base, found in parts.items())
        ranks = Counter[int]()
        for module in modules:
            if module.rank:
                ranks[module.rank] += module.count
        return Delta(
            _algorithm(algorithms, modules),
            ranks.most_common(1)[0][0] if ranks else None,
            modules,
            ours / max(len(index), 1),
            cache(lambda: "\n".join(index.keys)),
        )

    def _ending(self, key: str) -> tuple[Suffix | None, int]:
        """The suffix of a key and where it begins."""
        for hint, regex, suffix in self._suffixes:
            if hint in key:
                matched = regex.search(key)
                if matched:
                    return suffix, matched.start()
        return None, len(key)

    def _name(self, base: str) -> str:
        tower, base = "unet", base.replace(":", ".")
        while True:
            stripped = next((base[len(p) :] for p in self._prefixes if base.startswith(p)), None)
            matched = self._towers.match(base)
            if matched:
                tower = "te" + next((number for number in matched.groups() if number), "")
                if not matched[0].startswith(("lora_te", "oft_te", "lora_prior")) and tower == "te":
                    tower = "te1"
                base = base[matched.end() :]
            elif stripped is not None:
                base = stripped
            else:
                break
        base = base.replace(".processor.", ".").replace(".", "_").strip("_")
        if tower == "unet" and base.startswith("text_model_"):
            tower = "te"
        return f"{tower}:{base}"

    def _module(self, base: str, found: Mapping[str, str], count: int, index: Index) -> Module:
        shapes = {part: index.names[key] for part, key in found.items()}
        inputs, outputs, rank = _widths(shapes, found, index)
        down = shapes.get("down") or shapes.get("diff") or ()
        key = next((found[part] for part in _SHOWN if part in found), next(iter(found.values())))
        kernel = len(down) == 4 and max(down[2:]) > 1
        form = {2: "linear", 4: "spatial"}.get(len(down), "")
        return Module(self._name(base), inputs, outputs, rank, form, kernel, max(count, 1), key, index.names[key])


def _algorithm(found: Counter[str], modules: tuple[Module, ...]) -> str:
    """The algorithm most keys belong to; a weight decomposition of plain LoRA makes it DoRA."""
    named = Counter({name: count for name, count in found.items() if name not in ("dora", "norm")})
    if not named:
        return "norm" if found["norm"] else "lora"
    best = named.most_common(1)[0][0]
    if best == "full" and named["lora"]:
        best = "lora"  # a LoRA that carries a few whole differences
    if best == "oft" and any(len(module.shape) == 4 for module in modules):
        best = "boft"
    if best in ("lora", "locon") and found["dora"]:
        return "dora"
    if best == "lora" and (named["locon"] or any(module.kernel for module in modules)):
        return "locon"
    return best


def _widths(
    shapes: Mapping[str, Shape], found: Mapping[str, str], index: Index
) -> tuple[int | None, int | None, int | None]:
    """Input width, output width and rank of a layer, from the factors of its delta."""
    if "down" in shapes or "up" in shapes:
        down, up = shapes.get("down", ()), shapes.get("up", ())
        return _at(down, 1), _at(up, 0), _at(down, 0)
    if "hada_w1_b" in shapes or "hada_w1_a" in shapes:
        right, left = shapes.get("hada_w1_b", ()), shapes.get("hada_w1_a", ())
        return _at(right, 1), _at(left, 0), _at(right, 0)
    if "lokr_w1" in shapes:
        return _kronecker(found["lokr_w1"], index)
    if "diff" in shapes:
        return _at(shapes["diff"], 1), _at(shapes["diff"], 0), None
    if "glora_a1" in shapes:
        return _at(shapes["glora_a1"], 1), None, _at(shapes["glora_a1"], 0)
    if "oft" in shapes:
        blocks = shapes["oft"][-3:-1]
        return None, prod(blocks) if len(blocks) == 2 else None, _at(shapes["oft"], -1)
    if "weight" in shapes:
        return None, prod(shapes["weight"]) or None, None
    return None, None, None


def _kronecker(key: str, index: Index) -> tuple[int | None, int | None, int | None]:
    base = key[: key.rindex(".lokr_w1")]

    def factor(name: str) -> tuple[int | None, int | None, int | None]:
        whole = index.names.get(f"{base}.{name}")
        if whole is not None:
            return _at(whole, 1), _at(whole, 0), None
        left, right = index.names.get(f"{base}.{name}_a", ()), index.names.get(f"{base}.{name}_b", ())
        return _at(right, 1), _at(left, 0), _at(right, 0)

    (in1, out1, rank1), (in2, out2, rank2) = factor("lokr_w1"), factor("lokr_w2")
    return in1 and in2 and in1 * in2, out1 and out2 and out1 * out2, rank2 or rank1


def _at(shape: Shape, axis: int) -> int | None:
    return shape[axis] if -len(shape) <= axis < len(shape) else None


def compile_modules(texts: Sequence[str]) -> tuple[ModuleTest, ...]:
    """The conditions of an adapter rule, each `/regex/ of = number or /regex/ ...`."""
    return tuple(_either([_single(part) for part in _ALTERNATIVE.split(text)]) for text in texts)


def holding(tests: Sequence[ModuleTest], delta: Delta) -> tuple[str, ...] | None:
    """The evidence when every test holds, else None."""
    found: list[str] = []
    for test in tests:
        evidence = test(delta)
        if evidence is None:
            return None
        if evidence and evidence not in found:
            found.append(evidence)
    return tuple(found)


def _either(tests: list[ModuleTest]) -> ModuleTest:
    def condition(delta: Delta) -> str | None:
        return next((evidence for test in tests if (evidence := test(delta)) is not None), None)

    return tests[0] if len(tests) == 1 else condition


def _single(text: str) -> ModuleTest:
    matched = _MODULE_TEST.fullmatch(text.strip())
    if not matched:
        raise ValueError(f"{text!r} is no condition on modules")
    if matched["of"] == "top":
        return _top(matched["regex"], Test.of(matched["op"], matched["values"]))
    regex = re.compile(matched["regex"])
    test = Test.of(matched["op"], matched["values"]) if matched["of"] else None
    inputs, form, negated = matched["of"] == "in", matched["form"], bool(matched["no"])

    def condition(delta: Delta) -> str | None:
        for module in delta.modules:
            if not regex.search(module.name) or (form and form != module.form):
                continue
            if test is None or test.holds(module.inputs if inputs else module.outputs):
                return None if negated else said(module.key, module.shape)
        return "" if negated else None

    return condition


def _top(regex: str, test: Test) -> ModuleTest:
    there, word = re.compile(regex), re.search(r"[a-z_]+$", regex)
    if not word:
        raise ValueError(f"/{regex}/ ends in no word that a number could follow")
    name = word[0].strip("_")
    others = "".join(f"(?<!{kind}_{name})" for kind in ("single", "joint", "temporal"))
    numbered = re.compile(rf"{name}{others}[._](\d{{1,4}})(?!\d)")

    def condition(delta: Delta) -> str | None:
        if not any(there.search(module.name) for module in delta.modules):
            return None
        best = max((int(number) for number in numbered.findall(delta.text())), default=-1)
        return f"{name}.{best}" if test.holds(best) else None

    return condition
