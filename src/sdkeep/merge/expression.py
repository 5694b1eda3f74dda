"""One tensor of the result as an expression over the parents' tensors, and the program that computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sdkeep.formats.contents import Tensor as Entry
from sdkeep.merge.methods.method import Method


@dataclass(frozen=True, slots=True)
class Leaf:
    """A tensor of a parent as it lies in its file. `channels` cuts it to the first of its inputs."""

    parent: int
    entry: Entry
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class Apply:
    """A method on earlier results; `step` is its place in the recipe."""

    step: int
    method: Method
    inputs: tuple[Expression, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)


Expression = Leaf | Apply


@dataclass(frozen=True, slots=True)
class Load:
    """Put the tensor of leaf `leaf` into a register of its own."""

    leaf: int


@dataclass(frozen=True, slots=True)
class Call:
    """Apply a method to registers; those in `shared` are needed again, and copied first."""

    apply: Apply
    inputs: tuple[int, ...]
    shared: frozenset[int]


@dataclass(frozen=True, slots=True)
class Program:
    """An expression in the order it is computed: each instruction fills the register of its own place."""

    leaves: tuple[Leaf, ...]
    code: tuple[Load | Call, ...]

    @property
    def signature(self) -> object:
        """Equal for programs that do the same to numbers at other places."""
        return (
            tuple((leaf.parent, leaf.entry.dtype) for leaf in self.leaves),
            tuple(
                one.leaf
                if isinstance(one, Load)
                else (one.apply.step, one.inputs, tuple(sorted(one.apply.numbers.items())))
                for one in self.code
            ),
        )

    @property
    def methods(self) -> tuple[Method, ...]:
        """Every method it applies."""
        return tuple(one.apply.method for one in self.code if isinstance(one, Call))

    @property
    def elementwise(self) -> bool:
        """Whether it can run on pieces of tensors."""
        cut = any(leaf.channels is not None for leaf in self.leaves)
        return not cut and all(method.elementwise for method in self.methods)


def compiled(expression: Expression) -> Program:
    """The program of an expression. A step that is used twice is computed once, a leaf loaded for each use."""
    leaves: dict[tuple[int, str], int] = {}
    found: list[Leaf] = []
    code: list[Load | Call] = []
    places: dict[int, int] = {}
    last_use: dict[int, int] = {}

    def visit(node: Expression) -> int:
        if isinstance(node, Leaf):
            known = leaves.setdefault((node.parent, node.entry.name), len(found))
            if known == len(found):
                found.append(node)
            code.append(Load(known))
            return len(code) - 1
        if node.step not in places:
            inputs = tuple(visit(one) for one in node.inputs)
            for one in inputs:
                last_use[one] = len(code)
            code.append(Call(node, inputs, frozenset()))
            places[node.step] = len(code) - 1
        return places[node.step]

    visit(expression)
    for place, one in enumerate(code):
        if isinstance(one, Call):
            twice = {register for register in one.inputs if one.inputs.count(register) > 1}
            shared = frozenset({register for register in one.inputs if last_use[register] > place} | twice)
            code[place] = Call(one.apply, one.inputs, shared)
    return Program(tuple(found), tuple(code))
