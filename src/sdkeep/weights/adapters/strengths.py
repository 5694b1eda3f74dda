"""How strongly an adapter acts where: text encoders and UNet apart, and block by block."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from sdkeep.ground.errors import UsageError

_BLOCK = re.compile(r"model\.diffusion_model\.(input|middle|output)_(?:blocks\.(\d+)|block)\.")
BASE = "BASE"


@dataclass(frozen=True, slots=True)
class Strength:
    """The multipliers of one adapter. `blocks` multiplies further, by block (`BASE` is the text encoders); empty: 1.

    Layers of the UNet outside its numbered blocks (the time embedding, the last convolution) take `unet` alone.
    """

    unet: float = 1.0
    text: float = 1.0
    blocks: Mapping[str, float] = field(default_factory=dict, hash=False)

    def at(self, key: str) -> float:
        """The multiplier for the parameter that a checkpoint keeps under `key`."""
        block = block_of(key)
        whole = self.text if block == BASE else self.unet
        return whole * self.blocks.get(block, 0.0 if self.blocks and block else 1.0)


def block_of(key: str) -> str:
    """The block a checkpoint's key belongs to: `IN04`, `M00`, `OUT11`; `BASE` outside the UNet, empty inside it."""
    if not key.startswith("model.diffusion_model."):
        return BASE
    matched = _BLOCK.match(key)
    if not matched:
        return ""
    word = {"input": "IN", "middle": "M", "output": "OUT"}[matched[1]]
    return f"{word}{int(matched[2] or 0):02}"


def strength_of(text: str) -> Strength:
    """`0.8`, `0.8:0.5` (UNet and text encoders), either followed by `:lbw=PRESET` or `:lbw=1,0,...`.

    `unet=` and `te=` name the numbers, as in `<lora:name:te=0.5:unet=1>`. Raises `UsageError`.
    """
    plain: list[float] = []
    named: dict[str, float] = {}
    blocks: Mapping[str, float] = {}
    for piece in text.split(":") if text else []:
        word, equals, value = piece.partition("=")
        if equals and word == "lbw":
            blocks = block_weights(value)
        elif equals and word in ("te", "unet"):
            named[word] = _number(value)
        else:
            plain.append(_number(piece))
    if len(plain) > 2:
        raise _unclear(text)
    unet = named.get("unet", plain[0] if plain else 1.0)
    return Strength(unet, named.get("te", plain[-1] if plain else unet), blocks)


def block_weights(text: str) -> Mapping[str, float]:
    """A preset's name or numbers with commas between them, as weights by block; raises `UsageError`."""
    vectors, presets = _table()
    values = presets.get(text.upper())
    if values is None:
        values = tuple(_number(piece) for piece in text.split(","))
    if len(values) not in vectors:
        raise UsageError(
            f"`{text}` is no block weight",
            f"it has {len(values)} numbers; 12 and 20 are those of SDXL, 17 and 26 those of SD 1 and SD 2",
            "presets are " + ", ".join(presets),
        )
    return dict(zip(vectors[len(values)], values, strict=True))


@cache
def _table() -> tuple[Mapping[int, tuple[str, ...]], Mapping[str, tuple[float, ...]]]:
    raw = tomllib.loads(files("sdkeep.weights.adapters").joinpath("blocks.toml").read_text("utf-8"))
    vectors = {int(length): tuple(names) for length, names in raw["vectors"].items()}
    return vectors, {name: tuple(map(float, values)) for name, values in raw["presets"].items()}


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _unclear(text) from None
    if not math.isfinite(value):
        raise _unclear(text)
    return value


def _unclear(text: str) -> UsageError:
    return UsageError(
        f"`{text}` is no strength",
        "a strength is a number, or two with a colon between them: UNet, then text encoders",
        "`--lora NAME:0.8`, `--lora NAME:0.8:0.5`, `--lora NAME:1:lbw=OUTALL`",
    )
