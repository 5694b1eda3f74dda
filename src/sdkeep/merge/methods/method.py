"""What a merge method is: a formula on tensors, and all that must be known to use it without reading a byte.

A formula owns the tensors it is given and may overwrite them: the caller hands it copies in the working format. That
is how the element-wise ones run over gigabytes without asking for memory.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Numbers = Mapping[str, float]
"""Parameters by name, as they hold for one tensor."""


class Space(StrEnum):
    """What a tensor means: a weight of a model, or the difference of two."""

    WEIGHT = "weight"
    DELTA = "delta"
    SAME = "same"
    """Whatever the first input is."""


class Exactness(StrEnum):
    """How far the bytes of a result are promised."""

    EVERYWHERE = "everywhere"
    """The same bytes for any threads, chunks, processor and torch: separate sums, products and quotients only."""
    BUILD = "build"
    """The same bytes for any threads, on one torch build and processor class."""
    CLOSE = "close"
    """Close numbers: another device computes in another order."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a method takes. `least` and `most` are the range that makes sense; a block map may vary it."""

    name: str
    default: float
    about: str
    least: float = 0.0
    most: float = 1.0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """A formula of tensors by its module here and its name. Torch takes seconds to import, and is when it is called."""

    module: str
    name: str

    @property
    def function(self) -> Callable[..., Tensor]:
        """The formula itself."""
        found: Callable[..., Tensor] = getattr(import_module(f"{__package__}.{self.module}"), self.name)
        return found

    def __call__(self, *tensors: Tensor, **numbers: float) -> Tensor:
        """What the formula gives."""
        return self.function(*tensors, **numbers)


@dataclass(frozen=True, slots=True)
class Method:
    """One way to merge.

    `least` and `most` count its inputs (`most` None: any number). `spaces` are those of the inputs, the last one
    standing for all that follow; `gives` is that of the result. `elementwise` formulas see pieces of tensors, others
    whole ones. `copies` names the input that the result is, bit for bit, for certain parameters. `seeded` formulas
    take a `seed`; `ranged` ones take `low` and `high`, found by a first pass over the whole model.
    """

    name: str
    formula: Callable[..., Tensor]
    about: str
    origin: str
    least: int
    most: int | None
    parameters: tuple[Parameter, ...] = ()
    spaces: tuple[Space, ...] = (Space.WEIGHT,)
    gives: Space = Space.SAME
    elementwise: bool = False
    copies: Callable[[Numbers], int | None] | None = None
    seeded: bool = False
    ranged: Callable[[Tensor, Tensor], Tensor] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the formula is nothing but arithmetic, and so works on numpy's arrays as well as on tensors."""
        return not isinstance(self.formula, Later)

    @property
    def statement(self) -> str:
        """The formula in words."""
        function = self.formula.function if isinstance(self.formula, Later) else self.formula
        return (inspect.getdoc(function) or "").partition("\n\n")[0]

    @property
    def exactness(self) -> Exactness:
        """What is promised of its bytes on a CPU."""
        return Exactness.EVERYWHERE if self.elementwise else Exactness.BUILD

    def space_of(self, place: int) -> Space:
        """What the input at `place` must be."""
        return self.spaces[min(place, len(self.spaces) - 1)]

    def parameter(self, name: str) -> Parameter | None:
        """The parameter called `name`."""
        return next((one for one in self.parameters if one.name == name), None)

    @property
    def arity(self) -> str:
        """How many models it takes, in words."""
        if self.most is None:
            return f"{self.least} or more"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
