"""The text of a grid and its values, as AUTOMATIC1111's X/Y/Z plot takes them.

    Sampler: Euler, DPM++ 2M; CFG: 3, 7; Steps: 10-20 (+5)

Axes stand between `;`, values between commas; what holds either goes between double quotes. Whole and real numbers may
be ranges: `1-5` in ones, `1-5 (+2)` in twos, `1-10 [5]` five of them, evenly. A range runs from its first number to its
last, downwards too, and never beyond (AUTOMATIC1111 oversteps the last real number by up to a step).
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from sdkeep.ground.errors import UsageError
from sdkeep.ground.text import one_line

MOST_VALUES = 1000
_NUMBER = r"[+-]?\s*\d+(?:\.\d*)?"
_RANGE = re.compile(
    rf"\s*(?P<first>{_NUMBER})\s*-\s*(?P<last>{_NUMBER})\s*"
    rf"(?:\(\s*(?P<step>[+-]\s*\d+(?:\.\d*)?)\s*\)|\[\s*(?P<count>\d+)\s*\])?\s*"
)
_NEXT = '`--grid "Sampler: Euler, DPM++ 2M; CFG: 3, 7; Steps: 10-20 (+5)"`'


@dataclass(frozen=True, slots=True)
class Written:
    """An axis as it is written: its name, and its values without the spaces around them."""

    name: str
    values: tuple[str, ...]


def read_axes(text: str) -> tuple[Written, ...]:
    """The axes in a grid's text, at most three; raises `UsageError`."""
    parts = [part for part in _apart(text) if part.strip()]
    if not 1 <= len(parts) <= 3:
        raise UsageError(f"a grid has one to three axes, and this has {len(parts)}", "they stand between `;`", _NEXT)
    return tuple(_axis(part) for part in parts)


def _apart(text: str) -> list[str]:
    """The pieces between the `;` outside quotes."""
    parts, quoted, begun = list[str](), False, 0
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == ";" and not quoted:
            parts.append(text[begun:place])
            begun = place + 1
    return [*parts, text[begun:]]


def _axis(part: str) -> Written:
    name, colon, rest = part.partition(":")
    try:
        rows = list(csv.reader(io.StringIO(rest), skipinitialspace=True, strict=True))
    except csv.Error as error:
        what = f"the values of `{one_line(name).strip()}` cannot be read"
        raise UsageError(what, f"{error}; a value with a comma goes between double quotes", _NEXT) from error
    values = tuple(value.strip() for row in rows for value in row)
    if not colon or not any(values):
        raise UsageError(f"`{one_line(part).strip()}` is no axis", "it is a name, a colon and values", _NEXT)
    return Written(name.strip(), values)


def whole_numbers(values: tuple[str, ...]) -> tuple[int, ...]:
    """Whole numbers, ranges written out; of an evenly spread range what comes before the point. Raises `UsageError`."""
    found: list[int] = []
    for value in filter(None, values):
        spread = _spread(value)
        if spread is not None:
            found += [int(number) for number in spread]
        elif re.fullmatch(r"[+-]?\s*\d+", value):
            found.append(int(value.replace(" ", "")))
        else:
            raise _no_number(value, "a whole number or a range such as `10-20 (+5)`")
    _check_count(len(found))
    return tuple(found)


def real_numbers(values: tuple[str, ...]) -> tuple[float, ...]:
    """Real numbers, ranges written out, to eight places. Raises `UsageError`."""
    found: list[float] = []
    for value in filter(None, values):
        spread = _spread(value)
        try:
            found += spread if spread is not None else [float(value)]
        except ValueError:
            raise _no_number(value, "a number or a range such as `1-2 (+0.5)`") from None
    _check_count(len(found))
    return tuple(round(number, 8) for number in found)


def _spread(value: str) -> list[float] | None:
    """The numbers of a range, None for what is none."""
    matched = _RANGE.fullmatch(value)
    if not matched:
        return None
    first, last = (float(matched[word].replace(" ", "")) for word in ("first", "last"))
    if matched["count"]:
        count = int(matched["count"])
        _check_count(count)
        return [first + (last - first) * place / max(count - 1, 1) for place in range(count)]
    step = abs(float((matched["step"] or "1").replace(" ", "")))
    if not step:
        raise _no_number(value, "a range whose step is not nought")
    count = int(abs(last - first) / step + 1e-9) + 1
    _check_count(count)
    return [first + (step if last >= first else -step) * place for place in range(count)]


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_VALUES:
        raise UsageError(f"an axis of {count:,} values cannot be drawn", f"{MOST_VALUES:,} are the most", _NEXT)


def _no_number(value: str, wanted: str) -> UsageError:
    return UsageError(f"`{one_line(value)}` cannot be a value here", f"it takes {wanted}", _NEXT)
