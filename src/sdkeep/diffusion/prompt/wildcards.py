"""Prompts that are drawn by lot: `{a|b}` and `__name__`, the dialect of the Dynamic Prompts extension.

    {red|green|blue}            one of them
    {3::red|green}              the first three times as likely
    {2$$red|green|blue}         two of them with a comma between, none twice
    {1-2$$ and $$red|green}     one or two, with ` and ` between
    __colours__                 a line of the file `colours.txt`
    __clothes/winter/*__        a line of any file there; `**` goes into folders below
    {2$$__colours__}            two different lines of it

All of it nests, and lines of a file may hold more of it. Braces without a partner are text, and what a backslash stands
before is left alone. The lot is drawn by a seed, the same on every machine and in every version of Python.
"""

from __future__ import annotations

import difflib
import fnmatch
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sdkeep.ground.errors import NotFoundHere, UsageError
from sdkeep.ground.text import one_line

DEEPEST = 20
"""How deep files and braces may nest: a file that names itself would never end."""
LONGEST = 100_000
"""The most letters to draw for one prompt, what nests counted again."""

_WILDCARD = re.compile(r"__(?!_)([^\s_](?:[^\s]*?[^\s_])?|[^\s_])__(?!_)")
_COUNT = re.compile(r"\s*(?:(\d+)|(\d*)-(\d*))\s*$")
_WEIGHT = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)::")
_COMMA = ", "

Wildcards = Mapping[str, Sequence[str]]
"""The lines of each file by its name without ending, folders before it with `/`."""


def lines_of(text: str) -> tuple[str, ...]:
    """The choices in a wildcard file: its lines without comments (`#`), blank ones and spaces around."""
    lines = (re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip() for line in text.removeprefix("\ufeff").splitlines())
    return tuple(line for line in lines if line)


def has_choices(prompt: str) -> bool:
    """Whether there may be something to draw in a prompt."""
    return "{" in prompt or "__" in prompt


def drawn(prompt: str, wildcards: Wildcards, seed: int) -> str:
    """The prompt with every choice made; `seed` is the picture's.

    Raises `NotFoundHere` with the nearest names for a wildcard of no file, and `UsageError` where files name each other
    in a circle.
    """
    return _Draw(wildcards, random.Random(seed)).text(prompt, 0)  # noqa: S311 (no secret: a picture's seed)


@dataclass(frozen=True, slots=True)
class _Option:
    text: str
    weight: float = 1.0


@dataclass(slots=True)
class _Draw:
    """One prompt at a time, from left to right, with one source of chance."""

    wildcards: Wildcards
    chance: random.Random
    length: int = 0

    def text(self, prompt: str, depth: int) -> str:
        """The prompt, or a choice within it, with everything drawn."""
        if depth > DEEPEST:
            raise _too_deep(prompt)
        out, place, partners = list[str](), 0, _partners(prompt)
        while place < len(prompt):
            found, place = self._next(prompt, place, depth, partners)
            out.append(found)
        made = "".join(out)
        self.length += len(made) + 1
        if self.length > LONGEST:
            raise _too_deep(prompt)
        return made

    def _next(self, prompt: str, place: int, depth: int, partners: Mapping[int, int]) -> tuple[str, int]:
        """What comes next, drawn, and where it ends."""
        letter = prompt[place]
        if letter == "\\" and place + 1 < len(prompt):
            return prompt[place : place + 2], place + 2
        if letter == "{":
            end = partners.get(place)
            if end is not None:
                return self._variant(prompt[place + 1 : end], depth), end + 1
        matched = _WILDCARD.match(prompt, place) if letter == "_" else None
        if matched:
            (line,) = self._picked(self._lines(matched[1]), 1)
            return self.text(line, depth + 1), matched.end()
        return letter, place + 1

    def _variant(self, inside: str, depth: int) -> str:
        least, most, joiner, body = _counted(inside)
        options = [_option(part) for part in _split(body)]
        alone = _WILDCARD.fullmatch(options[0].text.strip()) if len(options) == 1 else None
        if alone:
            options = self._lines(alone[1])
        highest = len(options) if most is None else most
        lowest = min(least, highest)
        count = lowest if highest <= lowest else lowest + int(self.chance.random() * (highest - lowest + 1))
        return joiner.join(self.text(one, depth + 1) for one in self._picked(options, count))

    def _picked(self, options: Sequence[_Option], count: int) -> list[str]:
        """So many of the options by weight, none twice."""
        left, found = list(options), list[str]()
        while left and len(found) < count:
            total = sum(option.weight for option in left)
            mark = self.chance.random() * total
            place = 0
            while place < len(left) - 1 and mark >= left[place].weight:
                mark -= left[place].weight
                place += 1
            found.append(left.pop(place).text)
        return found

    def _lines(self, name: str) -> list[_Option]:
        names = [known for known in sorted(self.wildcards) if _names(name, known)]
        lines = [line for known in names for line in self.wildcards[known]]
        if not lines:
            raise _unknown(name, self.wildcards, empty=bool(names))
        return [_option(line) if _WEIGHT.match(line) else _Option(line) for line in lines]


def _names(pattern: str, name: str) -> bool:
    """Whether a wildcard means the file of this name; a star stops at a folder, two do not."""
    if "*" not in pattern:
        return pattern == name
    if "**" in pattern:
        return fnmatch.fnmatchcase(name, pattern.replace("**", "*"))
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _counted(inside: str) -> tuple[int, int | None, str, str]:
    """How many at least and at most, what goes between them, and the options, of `1-2$$ and $$a|b`."""
    head, marked, rest = inside.partition("$$")
    matched = _COUNT.match(head) if marked else None
    if not matched:
        return 1, 1, _COMMA, inside
    separator, again, options = rest.partition("$$")
    joiner, body = (separator, options) if again and "|" not in separator and "{" not in separator else (_COMMA, rest)
    if matched[1]:
        return int(matched[1]), int(matched[1]), joiner, body
    return int(matched[2] or 1), int(matched[3]) if matched[3] else None, joiner, body


def _option(part: str) -> _Option:
    matched = _WEIGHT.match(part)
    return _Option(part[matched.end() :].strip(), float(matched[1])) if matched else _Option(part.strip())


def _partners(prompt: str) -> dict[int, int]:
    """Where the brace is that closes each opening one; those that nothing closes are left out."""
    found, open_at, place = dict[int, int](), list[int](), 0
    while place < len(prompt):
        letter = prompt[place]
        if letter == "\\":
            place += 1
        elif letter == "{":
            open_at.append(place)
        elif letter == "}" and open_at:
            found[open_at.pop()] = place
        place += 1
    return found


def _split(body: str) -> list[str]:
    """The options between the `|` that stand in no braces or brackets of their own."""
    parts, depth, begun, place = list[str](), 0, 0, 0
    while place < len(body):
        letter = body[place]
        if letter == "\\":
            place += 1
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
        elif letter == "|" and depth <= 0:
            parts.append(body[begun:place])
            begun = place + 1
        place += 1
    return [*parts, body[begun:]]


def _unknown(name: str, known: Iterable[str], *, empty: bool) -> NotFoundHere:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    listed = ", ".join(f"`__{one_line(one)}__`" for one in near or known[:5])
    if empty:
        why = "its file holds no line"
    elif near:
        why = f"the nearest are {listed}"
    else:
        why = f"there are {listed}" if known else "no folder of wildcards holds a file"
    what = f"there is nothing to draw for `__{one_line(name)}__`"
    return NotFoundHere(what, why, "`--wildcards FOLDER` names a folder with such files")


def _too_deep(text: str) -> UsageError:
    return UsageError(
        "the choices of this prompt never end",
        f"files or braces nest deeper than {DEEPEST}, at `{one_line(text)[:80]}`",
        "let no wildcard file name itself, directly or through another",
    )
