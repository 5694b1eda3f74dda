"""Adapters as values: parts that each change one parameter of one layer, and where a checkpoint keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

Shape = tuple[int, ...]


class Entry(Protocol):
    """A tensor as a header lists it; `formats.contents.Tensor` is one."""

    @property
    def name(self) -> str:
        """Its key in the file."""
        ...

    @property
    def shape(self) -> Shape:
        """Lengths of its dimensions."""
        ...


class Algorithm(StrEnum):
    """How a part changes its parameter; the formulas are in `deltas`."""

    LORA = "lora"
    LOHA = "loha"
    LOKR = "lokr"
    GLORA = "glora"
    IA3 = "ia3"
    OFT = "oft"
    BOFT = "boft"
    DIFF = "diff"


class Naming(StrEnum):
    """Whose way of writing names a file follows."""

    KOHYA = "kohya"
    PEFT = "peft"
    DIFFUSERS = "diffusers"
    DOTTED = "dotted"
    INDEXED = "indexed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Part:
    """One change to one parameter of one layer.

    `target` is the layer's name as the file writes it, `parameter` is `weight` or `bias`. `keys` and `shapes` go from
    the role of a tensor (`down`, `up`, `alpha`, ...) to its key in the file and its shape. `alpha` is one that only the
    metadata tell; `root_rank` says that it is divided by the root of the rank (rank-stabilised LoRA).
    """

    target: str
    algorithm: Algorithm
    keys: Mapping[str, str] = field(hash=False)
    shapes: Mapping[str, Shape] = field(hash=False)
    parameter: str = "weight"
    alpha: float | None = None
    root_rank: bool = False

    @property
    def decomposes(self) -> bool:
        """Whether magnitude and direction are kept apart (DoRA), on top of the algorithm."""
        return "dora_scale" in self.keys or "magnitude" in self.keys

    @property
    def rank(self) -> int | None:
        """The inner width of its factors; None for algorithms without one."""
        for role in ("down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b"):
            if role in self.shapes:
                return self.shapes[role][0]
        if "b1" in self.shapes:
            return min(self.shapes["b1"][:2])
        return None


@dataclass(frozen=True, slots=True)
class Adapter:
    """A file taken apart. `leftovers` are the keys that belong to no part, in file order."""

    parts: tuple[Part, ...]
    leftovers: tuple[str, ...]
    naming: Naming

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms in it, most frequent first; a weight decomposition adds `dora`."""
        names = [str(part.algorithm) for part in self.parts]
        found = sorted(dict.fromkeys(names), key=lambda name: -names.count(name))
        return (*found, "dora") if any(part.decomposes for part in self.parts) else tuple(found)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a part's parameter is: a key, and there some of the rows where several parameters lie stacked.

    `transposed` says that the checkpoint stores the matrix the other way round than the adapter's author saw it.
    """

    key: str
    shape: Shape
    rows: tuple[int, int] | None = None
    transposed: bool = False
