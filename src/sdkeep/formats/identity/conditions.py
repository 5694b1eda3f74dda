"""The little language of `signatures.toml`, compiled once into functions of an index.

KEY              the key is there; a `#` stands for any number, a trailing `.` for anything below, a leading
                 `*.` for anything before; `/KEY` is looked up as it stands, not below a root
!KEY             it is not
KEY[i] = 4,9     dimension i is one of these (also `!=`, `>=`, `<=`); `KEY[*]` is the number of dimensions,
                 `KEY[size]` that of elements
A or B           either; `$name` is any key of that list in [names], `!$name` none of them
count <= 10      number of tensors in the file
each[i] = 768    dimension i of every tensor
every REGEX      every key matches from its start
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from sdkeep.formats.identity.index import Index, Shape, fold

Condition = Callable[[Index, str], str | None]
"""Of an index and a root: the evidence when it holds, else None."""

_COMPARED = re.compile(r"(?P<key>.+?)\[(?P<axis>-?\d+|\*|size)\]\s*(?P<op>=|!=|>=|<=)\s*(?P<values>[\d,\s]+)")
_COUNT = re.compile(r"count\s*(?P<op>=|>=|<=)\s*(?P<value>\d+)")
_MEASURED = re.compile(r"(?P<key>.+?)\[(?P<axis>-?\d+)\]")

_ORDER: dict[str, Callable[[int, int], bool]] = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison of one whole number with the numbers a rule names."""

    op: str
    values: frozenset[int]

    @classmethod
    def of(cls, op: str, values: str) -> Test:
        """The test spelt by an operator and comma-separated numbers."""
        return cls(op, frozenset(int(value) for value in values.split(",")))

    def holds(self, number: int | None) -> bool:
        """Whether a number passes; one that is not there passes nothing."""
        if number is None:
            return False
        if self.op == "=":
            return number in self.values
        if self.op == "!=":
            return number not in self.values
        return _ORDER[self.op](number, min(self.values))


def measure(shape: Shape, axis: str) -> int | None:
    """A dimension of a shape by its number, for `*` how many, for `size` how many elements; None if absent."""
    if axis == "*":
        return len(shape)
    if axis == "size":
        return prod(shape)
    number = int(axis)
    return shape[number] if -len(shape) <= number < len(shape) else None


def said(name: str, shape: Shape) -> str:
    """How a key and its shape read as evidence."""
    return f"{name} {list(shape)}"


def compile_all(texts: Iterable[str], names: Mapping[str, Sequence[str]]) -> tuple[Condition, ...]:
    """The conditions spelt by `texts`, in order."""
    return tuple(_either(_expanded(text, names)) for text in texts)


def holding(conditions: tuple[Condition, ...], index: Index, root: str) -> tuple[str, ...] | None:
    """The evidence when every condition holds below `root`, else None."""
    found: list[str] = []
    for condition in conditions:
        evidence = condition(index, root)
        if evidence is None:
            return None
        if evidence and evidence not in found:
            found.append(evidence)
    return tuple(found)


def readings(text: str, names: Mapping[str, Sequence[str]]) -> Callable[[Index, str], tuple[int, str] | None]:
    """A dimension to look up a family by: `KEY[axis] or KEY[axis]`, the first key that is there."""
    wanted: list[tuple[str, str]] = []
    for part in _expanded(text, names):
        matched = _MEASURED.fullmatch(part)
        if not matched:
            raise ValueError(f"{part!r} measures nothing")
        wanted.append((_pattern(matched["key"]), matched["axis"]))

    def read(index: Index, root: str) -> tuple[int, str] | None:
        for key, axis in wanted:
            found = index.find(_placed(key, root))
            number = measure(found[1], axis) if found else None
            if found and number is not None:
                return number, said(*found)
        return None

    return read


def _expanded(text: str, names: Mapping[str, Sequence[str]]) -> list[str]:
    parts: list[str] = []
    for part in text.split(" or "):
        part = part.strip()
        mark = re.search(r"\$(\w+)", part)
        if mark:
            parts.extend(part.replace(mark[0], key) for key in names[mark[1]])
        else:
            parts.append(part)
    return parts


def _placed(key: str, root: str) -> str:
    return key[1:] if key.startswith("/") else root + key


def _pattern(key: str) -> str:
    """A key with one `#` is a pattern, in which every number is one."""
    return fold(key) if "#" in key else key


def _either(parts: list[str]) -> Condition:
    if len(parts) > 1 and all(part.startswith("!") for part in parts):
        inner = [_single(part) for part in parts]  # "!$name": none of them
        return lambda index, root: "" if all(test(index, root) is not None for test in inner) else None
    tests = [_single(part) for part in parts]
    if len(tests) == 1:
        return tests[0]

    def condition(index: Index, root: str) -> str | None:
        for test in tests:
            evidence = test(index, root)
            if evidence is not None:
                return evidence
        return None

    return condition


def _single(text: str) -> Condition:
    if text.startswith("!"):
        inner = _single(text[1:])
        return lambda index, root: "" if inner(index, root) is None else None
    if text.startswith("every "):
        return _every(text.removeprefix("every ").strip())
    counted = _COUNT.fullmatch(text)
    if counted:
        total = Test.of(counted["op"], counted["value"])
        return _whole(lambda index: total.holds(len(index)))
    compared = _COMPARED.fullmatch(text)
    if compared:
        test = Test.of(compared["op"], compared["values"])
        if compared["key"] == "each":
            return _each(compared["axis"], test)
        return _compared(_pattern(compared["key"]), compared["axis"], test)
    return _present(text)


def _whole(test: Callable[[Index], bool], evidence: str = "") -> Condition:
    """A condition on the file as a whole, wherever the root lies."""

    def condition(index: Index, _root: str) -> str | None:
        return evidence if test(index) else None

    return condition


def _every(pattern: str) -> Condition:
    regex = re.compile(pattern)
    return _whole(lambda index: bool(index.keys) and all(map(regex.match, index.keys)))


def _each(axis: str, test: Test) -> Condition:
    return _whole(lambda index: len(index) > 0 and all(test.holds(measure(s, axis)) for s in index.names.values()))


def _compared(key: str, axis: str, test: Test) -> Condition:
    def condition(index: Index, root: str) -> str | None:
        found = index.find(_placed(key, root))
        return said(*found) if found and test.holds(measure(found[1], axis)) else None

    return condition


def _present(key: str) -> Condition:
    if key.startswith("*."):
        tail = _pattern(key[2:])
        return _whole(lambda index: tail in index.tails, key)
    if key.endswith("."):
        path = fold(key[:-1])
        return lambda index, root: key if _placed(path, root) in index.paths else None

    pattern = _pattern(key)

    def condition(index: Index, root: str) -> str | None:
        found = index.find(_placed(pattern, root))
        return said(*found) if found else None

    return condition
