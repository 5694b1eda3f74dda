"""Emphasis: `(x)` `(x:1.3)` `[x]`, escapes and `BREAK`.

Source of the dialect: AUTOMATIC1111 `modules/prompt_parser.py`, `parse_prompt_attention`; its examples are among the
tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

ROUND = 1.1
SQUARE = 1 / 1.1

_TOKENS = re.compile(
    r"""
    (?P<escaped> \\ [()\[\]\\] | \\ )
    | (?P<open> [(\[] )
    | : \s* (?P<weight> [+-]? (?: \d+ \.? \d* | \. \d+ ) ) \s* \)
    | (?P<close> [)\]] )
    | (?P<text> [^\\()\[\]:]+ | : )
    """,
    re.VERBOSE,
)
_BREAK = re.compile(r"\s*\bBREAK\b\s*")


@dataclass(frozen=True, slots=True)
class Weighted:
    """A stretch of text and how much it counts. `is_break` says that a new chunk begins here.

    The text is empty then.
    """

    text: str
    weight: float = 1.0
    is_break: bool = False


def parse_emphasis(prompt: str) -> tuple[Weighted, ...]:
    """Stretches of equal weight. Brackets that are never closed count to the end; those never opened are text."""
    parts: list[Weighted] = []
    opened: list[tuple[str, int]] = []
    scales: list[tuple[int, int, float]] = []
    for token in _TOKENS.finditer(prompt):
        start = None
        if token["escaped"]:
            parts.append(Weighted(token["escaped"][1:]))
        elif token["open"]:
            opened.append((token["open"], len(parts)))
        elif token["weight"] is not None and (start := _pop(opened, "(")) is not None:
            scales.append((start, len(parts), float(token["weight"])))
        elif token["close"] and (start := _pop(opened, {")": "(", "]": "["}[token["close"]])) is not None:
            scales.append((start, len(parts), ROUND if token["close"] == ")" else SQUARE))
        else:
            parts.extend(_broken(token[0]))
    scales += [(start, len(parts), ROUND if bracket == "(" else SQUARE) for bracket, start in opened]
    return _joined(_scaled(parts, scales)) or (Weighted(""),)


def _pop(opened: list[tuple[str, int]], bracket: str) -> int | None:
    """Where the last bracket of that form was opened; each form closes its own, whatever lies between."""
    for place in range(len(opened) - 1, -1, -1):
        if opened[place][0] == bracket:
            return opened.pop(place)[1]
    return None


def _scaled(parts: list[Weighted], scales: list[tuple[int, int, float]]) -> list[Weighted]:
    """Parts from a first up to a last multiplied, one pair of brackets after the other, however many there are."""
    weights = np.ones(len(parts))
    with np.errstate(over="ignore", under="ignore"):
        for first, last, factor in scales:
            weights[first:last] *= factor
    return [Weighted(part.text, float(weight), part.is_break) for part, weight in zip(parts, weights, strict=True)]


def _broken(text: str) -> list[Weighted]:
    first, *others = _BREAK.split(text)
    return [Weighted(first)] + [
        part for other in others for part in (Weighted("", 1.0, is_break=True), Weighted(other))
    ]


def _joined(parts: list[Weighted]) -> tuple[Weighted, ...]:
    joined: list[Weighted] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last and not (last.is_break or part.is_break) and last.weight == part.weight:
            joined[-1] = Weighted(last.text + part.text, part.weight)
        else:
            joined.append(part)
    return tuple(joined)
