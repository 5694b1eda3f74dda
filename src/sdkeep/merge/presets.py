"""`presets.toml` as lists of 26 numbers: the base, then a value for each block."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from math import cos, pi

from sdkeep.ground.errors import UsageError

BLOCKS = 25
_CURVES: dict[str, Callable[[float], float]] = {
    "line": lambda x: x,
    "smoothstep": lambda x: x * x * (3 - 2 * x),
    "cosine": lambda x: (1 - cos(pi * x)) / 2,
}


@cache
def presets() -> dict[str, tuple[float, ...]]:
    """Every preset by its name, the base first."""
    text = files("sdkeep.merge").joinpath("presets.toml").read_text("utf-8")
    return {
        name: (float(entry.get("base", 0)), *_values(entry)) for name, entry in tomllib.loads(text)["presets"].items()
    }


def preset(name: str) -> tuple[float, ...]:
    """The 26 numbers of a preset; raises `UsageError` with the nearest names."""
    found = presets().get(name.upper())
    if found is None:
        near = get_close_matches(name.upper(), presets(), 3, 0.4) or list(presets())[:6]
        raise UsageError(
            f"`{name}` is no preset of block weights", "the nearest are " + ", ".join(near), f"`--blocks {near[0]}`"
        )
    return found


def _values(entry: dict[str, object]) -> list[float]:
    runs = entry.get("runs")
    if isinstance(runs, list):
        return [float(value) for count, value in runs for _ in range(count)]
    curve, waves = _CURVES[str(entry["curve"])], entry.get("waves", 1)
    assert isinstance(waves, int)  # noqa: S101  the file is ours
    places = [block / (BLOCKS - 1) for block in range(BLOCKS)]
    if entry.get("outside"):
        drawn = [_folded(waves * curve(place)) for place in places]
    else:
        drawn = [curve(_folded(waves * place)) for place in places]
    return [1 - value for value in drawn] if entry.get("reverse") else drawn


def _folded(value: float) -> float:
    """A number above 1 walked back and forth between 0 and 1."""
    value = value % 2
    return 2 - value if value > 1 else value
