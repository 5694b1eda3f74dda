"""Prompts that change on the way: `[from:to:when]`, `[to:when]`, `[from::when]` and `[a|b]`.

Source of the dialect: AUTOMATIC1111 1.10 `modules/prompt_parser.py`, whose lark grammar this parser follows in one
pass:

    prompt:     (group | scheduled | alternate | plain text)*
    group:      "(" prompt ")"  |  "(" prompt ":" prompt ")"  |  "[" prompt "]"
    scheduled:  "[" [prompt ":"] prompt ":" number "]"
    alternate:  "[" prompt ("|" [prompt])+ "]"

Brackets and colons that fit none of these are text, at the outermost level only. A prompt that does not parse even so
(a `|` outside brackets, a lone backslash at the end) is taken as it stands, at every step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PLAIN = re.compile(r"(?:[^\\\[\]():|]|\\.)+")
_WHEN = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*\]")
_LOOSE = "[]():"
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class Stretch:
    """The prompt up to and including step `until`, counted from 1."""

    until: int
    text: str


@dataclass(frozen=True, slots=True)
class Steps:
    """How many steps a pass has, and how many passes' steps came before: 0 in the first, those of it in hires fix."""

    count: int
    before: int = 0

    def number(self, when: str) -> int:
        """The step that a `when` means: with a point a share of the pass (above 1 of the second), else a step."""
        offset = 1.0 if self.before else 0.0
        value = (float(when) - offset) * self.count if "." in when else float(when) - self.before
        return min(self.count, int(max(-1e9, min(value, 1e9))))


def schedule(prompt: str, steps: Steps) -> tuple[Stretch, ...]:
    """What the prompt is during which steps; the last stretch ends with the last step."""
    parts = _Parser(prompt).whole()
    if parts is None:
        return (Stretch(steps.count, prompt),)
    borders = sorted({steps.count, *_borders(parts, steps)})
    return tuple(Stretch(border, _at(parts, border, steps)) for border in borders)


@dataclass(frozen=True, slots=True)
class _Scheduled:
    before: _Parts
    after: _Parts
    when: str


@dataclass(frozen=True, slots=True)
class _Alternate:
    options: tuple[_Parts, ...]


_Parts = tuple["str | _Scheduled | _Alternate", ...]


@dataclass(slots=True)
class _Parser:
    text: str
    _groups: dict[int, tuple[_Parts, int] | None] = field(default_factory=dict)
    _depth: int = 0

    def whole(self) -> _Parts | None:
        """All of the text, None when it does not parse."""
        parts: list[str | _Scheduled | _Alternate] = []
        place = 0
        while place < len(self.text):
            more, place = self._prompt(place)
            parts.extend(more)
            if place < len(self.text):
                if self.text[place] not in _LOOSE:
                    return None
                parts.append(self.text[place])
                place += 1
        return tuple(parts)

    def _prompt(self, place: int) -> tuple[_Parts, int]:
        """Everything from `place` on that parses, and where it ends."""
        parts: list[str | _Scheduled | _Alternate] = []
        while place < len(self.text):
            plain = _PLAIN.match(self.text, place)
            if plain:
                parts.append(plain[0])
                place = plain.end()
                continue
            group = self._group(place) if self.text[place] in "([" else None
            if group is None:
                break
            parts.extend(group[0])
            place = group[1]
        return tuple(parts), place

    def _group(self, place: int) -> tuple[_Parts, int] | None:
        """The brackets that open at `place`, None when they are no construct; each place is tried once."""
        if place not in self._groups:
            self._groups[place] = None
            if self._depth < _DEEPEST:
                self._depth += 1
                self._groups[place] = self._round(place) if self.text[place] == "(" else self._square(place)
                self._depth -= 1
        return self._groups[place]

    def _next(self, place: int) -> str:
        return self.text[place : place + 1]

    def _round(self, place: int) -> tuple[_Parts, int] | None:
        inner, end = self._prompt(place + 1)
        parts: _Parts = ("(", *inner)
        if self._next(end) == ":":
            weight, end = self._prompt(end + 1)
            parts = (*parts, ":", *weight)
        return ((*parts, ")"), end + 1) if self._next(end) == ")" else None

    def _square(self, place: int) -> tuple[_Parts, int] | None:
        first, end = self._prompt(place + 1)
        match self._next(end):
            case "]":
                return ("[", *first, "]"), end + 1
            case "|":
                return self._alternate(first, end)
            case ":":
                return self._scheduled(first, end + 1)
        return None

    def _alternate(self, first: _Parts, end: int) -> tuple[_Parts, int] | None:
        options = [first]
        while self._next(end) == "|":
            option, end = self._prompt(end + 1)
            options.append(option)
        return ((_Alternate(tuple(options)),), end + 1) if self._next(end) == "]" else None

    def _scheduled(self, first: _Parts, place: int) -> tuple[_Parts, int] | None:
        when = _WHEN.match(self.text, place)
        if when:
            return (_Scheduled((), first, when[1]),), when.end()
        after, end = self._prompt(place)
        when = _WHEN.match(self.text, end + 1) if self._next(end) == ":" else None
        return ((_Scheduled(first, after, when[1]),), when.end()) if when else None


def _borders(parts: _Parts, steps: Steps) -> set[int]:
    """The steps after which something changes."""
    found: set[int] = set()
    for part in parts:
        if isinstance(part, _Scheduled):
            found |= {steps.number(part.when)} | _borders(part.before, steps) | _borders(part.after, steps)
        elif isinstance(part, _Alternate):
            found |= set(range(1, steps.count + 1)).union(*(_borders(option, steps) for option in part.options))
    return {step for step in found if step >= 1}


def _at(parts: _Parts, step: int, steps: Steps) -> str:
    """The text at a step."""
    words: list[str] = []
    for part in parts:
        if isinstance(part, str):
            words.append(part)
        elif isinstance(part, _Scheduled):
            words.append(_at(part.before if step <= steps.number(part.when) else part.after, step, steps))
        else:
            words.append(_at(part.options[(step - 1) % len(part.options)], step, steps))
    return "".join(words)
