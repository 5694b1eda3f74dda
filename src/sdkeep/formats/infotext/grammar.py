r"""AUTOMATIC1111's infotext: prompt lines, `Negative prompt: ...`, and a last line of `Key: value` pairs.

The WebUI reads pairs with `\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)` and takes the last line for settings
when that matches three times or more. The same pairs come out here, in linear time, with three additions for what it
cannot read: JSON that stands unquoted in a pair (`Hashes`, `Civitai resources`) is one value; settings that further
lines follow are found; and so are settings on the prompt's own line, as some uploads have them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from sdkeep.formats.infotext.loose import DECODER

LONGEST = 1024 * 1024
"""Characters of an infotext that is still taken for one."""

_KEY = re.compile(r"(?<![\w \-/])[ \-/]*+(\w[\w \-/]++):\s*")
_QUOTED = re.compile(r'"(?:\\.|[^\\"])++"(?=,|\Z)')
_AFTER_JSON = re.compile(r"\s*(?=,|\Z)")
_STEPS = re.compile(r"(?<!\w)Steps: \d")
_NEGATIVE = "Negative prompt:"
_TEMPLATES = ("Template:", "Negative Template:")
_LEAST_PAIRS = 3
_MOST_JSON = 64
_MOST_PAIRS = 2000


@dataclass(frozen=True, slots=True)
class Pair:
    """One setting: its key, its value without quotes, and where both stand in the text, in characters."""

    key: str
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Infotext:
    """The three parts. The settings begin at character `settings_at`, the text's length when there are none."""

    prompt: str
    negative: str
    pairs: tuple[Pair, ...]
    settings_at: int


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str


def split(text: str) -> Infotext:
    """Take an infotext apart. Text without a settings line is all prompt."""
    lines = _lines(text)
    number, inner = _settings(lines)
    if number is None:
        prompt, negative = _prompts([line.text for line in lines])
        return Infotext(prompt, negative, (), len(text))
    line = lines[number]
    before = [earlier.text for earlier in lines[:number]]
    if inner:
        before += _unfolded(line.text[:inner])
    prompt, negative = _prompts(before)
    found = pairs(line.text[inner:], line.start + inner)
    return Infotext(prompt, negative, (*found, *_trailing(lines[number + 1 :])), line.start + inner)


def pairs(line: str, base: int = 0) -> tuple[Pair, ...]:
    """The pairs of a settings line or of a quoted list of pairs; `base` is added to their places."""
    found: list[Pair] = []
    tries, place = _MOST_JSON, 0
    while len(found) < _MOST_PAIRS and (key := _KEY.search(line, place)):
        begin = key.end()
        end = 0
        if tries and line[begin : begin + 1] in ("{", "["):
            tries -= 1
            end = _json_end(line, begin)
        if end:
            value = line[begin:end]
        else:
            value, end = _plain(line, begin)
        found.append(Pair(key[1], value, base + key.start(1), base + end))
        comma = line.find(",", end)
        if comma < 0:
            break
        place = comma + 1
    return tuple(found)


def unquote(value: str) -> str:
    """A value without its JSON quotes, or as it stands when it has none or they are broken."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    try:
        found: object = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, str) else value


def _json_end(line: str, begin: int) -> int:
    """Where the JSON value at `begin` ends, or 0 when there is none that fills its pair."""
    try:
        _, end = DECODER.raw_decode(line, begin)
    except (ValueError, RecursionError):
        return 0
    return end if _AFTER_JSON.match(line, end) else 0


def _plain(line: str, begin: int) -> tuple[str, int]:
    """The quoted value at `begin`, else all up to the comma."""
    quoted = _QUOTED.match(line, begin)
    if quoted:
        return unquote(quoted[0]), quoted.end()
    comma = line.find(",", begin)
    end = len(line) if comma < 0 else comma
    return unquote(line[begin:end]), end


def _lines(text: str) -> list[_Line]:
    """The lines of the stripped text, each stripped, with its place."""
    place = len(text) - len(text.lstrip())
    found = []
    for raw in text.strip().split("\n"):
        found.append(_Line(place + len(raw) - len(raw.lstrip()), raw.strip()))
        place += len(raw) + 1
    return found


def _settings(lines: list[_Line]) -> tuple[int | None, int]:
    """The line of the settings and where in it they begin."""
    led = (number for number in reversed(range(len(lines))) if lines[number].text.startswith("Steps: "))
    number = next((number for number in led if len(pairs(lines[number].text)) >= _LEAST_PAIRS), None)
    if number is not None:
        return number, 0
    last = lines[-1].text
    if len(pairs(last)) < _LEAST_PAIRS:
        return None, 0
    return len(lines) - 1, _inner(last)


def _inner(line: str) -> int:
    """Where settings begin on a line that starts as a prompt; 0 when the whole line is settings."""
    place = max((found.start() for found in _STEPS.finditer(line)), default=0)
    head = line[:place].rstrip()
    if not head or (head.endswith(",") and pairs(head)):
        return 0
    return place if len(pairs(line[place:])) >= _LEAST_PAIRS else 0


def _unfolded(head: str) -> list[str]:
    """Prompt and negative prompt that share a line, as two."""
    prompt, found, negative = head.partition(_NEGATIVE)
    return [prompt.strip(), _NEGATIVE + negative] if found else [prompt.strip()]


def _prompts(lines: list[str]) -> tuple[str, str]:
    """Prompt and negative prompt, joined the way the WebUI joins them: blank lines at the front are dropped."""
    prompt: list[str] = []
    negative: list[str] = []
    part = prompt
    for line in lines:
        if line.startswith(_NEGATIVE):
            part = negative
            line = line[len(_NEGATIVE) :].strip()
        if line or part:
            part.append(line)
    return "\n".join(prompt), "\n".join(negative)


def _trailing(lines: list[_Line]) -> list[Pair]:
    """The templates that the dynamic prompts extension puts on lines after the settings."""
    found = []
    for line in lines:
        for mark in _TEMPLATES:
            if line.text.startswith(mark):
                value = line.text[len(mark) :].strip()
                found.append(Pair(mark[:-1], value, line.start, line.start + len(line.text)))
    return found
