"""Which block of a model a tensor belongs to, and numbers that differ from block to block.

The names are those that people share block weights in: BASE, IN00 .. IN11, M00, OUT00 .. OUT11 for SD1 and SD2 (26);
BASE, IN00 .. IN08, M00, OUT00 .. OUT08 and VAE for SDXL (20, or 21 with VAE). Tools disagree on three details:

    | tensors             | here, supermerger | sd-mecha           |
    | time and label      | IN00              | BASE               |
    | SDXL's VAE          | BASE              | VAE                |

so that a list meant for one of them is read as there with `--compat`. Where a weight for VAE is given, it holds for the
VAE of any model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sdkeep.formats.selection import Component, component_of
from sdkeep.ground.errors import UsageError
from sdkeep.merge.presets import preset

BASE, VAE = "BASE", "VAE"
_UNET = "model.diffusion_model."
_PLACE = re.compile(r"(?:^|\.)(input|middle|output)_blocks?\.(\d+)\.")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE]-?\d+)?")
_RANGE = re.compile(rf"({_NUMBER.pattern})\.\.({_NUMBER.pattern})")


class Compat(StrEnum):
    """Whose conventions hold where tools disagree."""

    SDKEEP = "sdkeep"
    A1111 = "a1111"
    SUPERMERGER = "supermerger"
    SD_MECHA = "sd-mecha"


@dataclass(frozen=True, slots=True)
class Map:
    """The blocks of one architecture: `half` blocks down and as many up; `compat` places what tools disagree on."""

    half: int = 12
    compat: Compat = Compat.SDKEEP

    @property
    def names(self) -> tuple[str, ...]:
        """Every block, the base first."""
        ins, outs = ([f"{side}{place:02}" for place in range(self.half)] for side in ("IN", "OUT"))
        return (BASE, *ins, "M00", *outs)

    def block_of(self, key: str) -> str:
        """The block that the tensor called `key` belongs to."""
        if component_of(key) is Component.VAE:
            return VAE
        if component_of(key) is Component.TEXT_ENCODER:
            return BASE
        inner = key.removeprefix(_UNET)
        if inner.startswith(("time_embed.", "label_emb.")):
            return BASE if self.compat is Compat.SD_MECHA else "IN00"
        if inner.startswith("out."):
            return f"OUT{self.half - 1:02}"
        found = _PLACE.search(inner)
        if not found:
            return BASE
        side, place = found[1], int(found[2])
        return "M00" if side == "middle" else f"{'IN' if side == 'input' else 'OUT'}{place:02}"


@dataclass(frozen=True, slots=True)
class Weighting:
    """A number that may differ from tensor to tensor: the last matching of `keys` (patterns searched in the tensor's
    name), else its block's, else its component's, else `base`.
    """

    base: float
    blocks: Mapping[str, float] = field(default_factory=dict)
    keys: tuple[tuple[str, float], ...] = ()

    def at(self, key: str, blocks: Map) -> float:
        """The number for the tensor called `key`."""
        for pattern, value in reversed(self.keys):
            if re.search(pattern, key):
                return value
        block = blocks.block_of(key)
        if block in self.blocks:
            return self.blocks[block]
        component = str(component_of(key) or "")
        if component in self.blocks:
            return self.blocks[component]
        return self.blocks.get(BASE, self.base) if block == VAE else self.base

    @property
    def values(self) -> tuple[float, ...]:
        """Every number in it."""
        return (self.base, *self.blocks.values(), *(value for _, value in self.keys))


def weighting(text: str, base: float, blocks: Map) -> Weighting:
    """Block weights as a person writes them: a preset, a list of 20, 21 or 26 numbers, or `NAME=VALUE` pairs.

    A name is a block, a range of blocks (`IN00-IN05`), a side (`IN`, `M`, `OUT`), or a component (`unet`, `vae`,
    `text-encoder`); a value is a number, or `0..1` for a gradient over the range. Raises `UsageError`.
    """
    words = [word.strip() for word in re.split(r"[,\n]", text) if word.strip()]
    if words and all(_NUMBER.fullmatch(word) for word in words):
        return from_list([float(word) for word in words], blocks)
    if not any("=" in word for word in words):
        return from_list(preset(text.strip()), blocks)
    found: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        found.update(_assigned(name.strip(), value.strip(), blocks))
    return Weighting(found.pop(BASE, base), found)


def from_list(numbers: Sequence[float], blocks: Map) -> Weighting:
    """The weighting that a bare list means; 26 numbers for an SDXL model lose the blocks that it has not."""
    own = len(blocks.names)
    if len(numbers) == 26 and own == 20:
        numbers = [numbers[0], *numbers[1:10], *numbers[13:23]]
    if len(numbers) not in (own, own + 1):
        raise UsageError(
            f"{len(numbers)} block weights were given", f"this model takes {own}, or {own + 1} with one for its VAE",
            "`--blocks 'IN=0.3,M00=0.5,OUT=0.7'` names them instead",
        )  # fmt: skip
    names = (*blocks.names, VAE)[: len(numbers)]
    values = dict(zip(names, map(float, numbers), strict=True))
    return Weighting(values.pop(BASE), values)


def _assigned(name: str, value: str, blocks: Map) -> dict[str, float]:
    named = _named(name, blocks)
    if _NUMBER.fullmatch(value):
        return dict.fromkeys(named, float(value))
    gradient = _RANGE.fullmatch(value)
    if not gradient:
        raise UsageError(f"`{name}={value}` is no block weight", "a number or `0..1` comes behind the `=`", "`IN=0..1`")
    first, last = float(gradient[1]), float(gradient[2])
    steps = max(1, len(named) - 1)
    return {block: first * (1 - place / steps) + last * (place / steps) for place, block in enumerate(named)}


def _named(name: str, blocks: Map) -> tuple[str, ...]:
    known = (*blocks.names, VAE)
    word = name.upper()
    if name.lower() in set(Component):
        return (VAE,) if name.lower() == Component.VAE else (name.lower(),)
    if word in known:
        return (word,)
    side = tuple(block for block in known if word in ("IN", "M", "OUT") and block.rstrip("0123456789") == word)
    if side:
        return side
    first, dash, last = word.partition("-")
    if dash and first in known and last in known:
        start, end = sorted((known.index(first), known.index(last)))
        span = known[start : end + 1]
        return span if known.index(first) == start else span[::-1]
    raise UsageError(
        f"`{name}` is no block of this model",
        "known are " + ", ".join(known) + ", unet, text-encoder",
        "`IN00-IN05=0.3`",
    )
