"""One tensor of the result: where its numbers come from and what is done to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sdkeep.formats.safetensors import Slot
from sdkeep.merge.expression import Leaf, Program

if TYPE_CHECKING:
    from torch import Tensor

Change = Callable[["Tensor"], "Tensor"]
"""What an adapter does to one weight, in fp32."""


class Formula(Protocol):
    """Arithmetic of another tool, done as it does it: on tensors in the formats that they are stored in."""

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        """The result, in the format to store."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """One tensor of the result. Without a program it is the tensor of `copied`, its numbers cast where formats differ.

    `rest` supplies the input channels that a program does not cover; `changes` are adapters, applied in order;
    `formula` replaces the program's arithmetic.
    """

    slot: Slot
    copied: Leaf | None = None
    program: Program | None = None
    rest: Leaf | None = None
    changes: tuple[Change, ...] = ()
    formula: Formula | None = None

    @property
    def elementwise(self) -> bool:
        """Whether it can be computed in pieces."""
        if self.changes or self.rest is not None:
            return False
        return self.program is None or self.formula is not None or self.program.elementwise

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every tensor it is made of."""
        own = self.program.leaves if self.program else (self.copied,) if self.copied else ()
        return (*own, *((self.rest,) if self.rest else ()))
