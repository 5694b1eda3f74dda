"""Emphasis: `(x)` `(x:1.3)` `[x]`, escapes and `BREAK`.

Source of the dialect: AUTOMATIC1111 `modules/prompt_parser.py`, `parse_prompt_attention`; its examples are among the
tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    for token in _TOKENS.finditer(prompt):
        start = None
        if token["escaped"]:
            parts.append(Weighted(token["escaped"][1:]))
        elif token["open"]:
            opened.append((token["open"], len(parts)))
        elif token["weight"] is not None and (start := _pop(opened, "(")) is not None:
            _scale(parts, start, float(token["weight"]))
        elif token["close"] and (start := _pop(opened, {")": "(", "]": "["}[token["close"]])) is not None:
            _scale(parts, start, ROUND if token["close"] == ")" else SQUARE)
        else:
            parts.extend(_broken(token[0]))
    for bracket, start in opened:
        _scale(parts, start, ROUND if bracket == "(" else SQUARE)
    return _joined(parts) or (Weighted(""),)


def _pop(opened: list[tuple[str, int]], bracket: str) -> int | None:
    """Where the last bracket of that form was opened; each form closes its own, whatever lies between."""
    for place in range(len(opened) - 1, -1, -1):
        if opened[place][0] == bracket:
            return opened.pop(place)[1]
    return None


def _scale(parts: list[Weighted], start: int, factor: float) -> None:
    for place in range(start, len(parts)):
        part = parts[place]
        parts[place] = Weighted(part.text, part.weight * factor, part.is_break)


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
