"""JSON and numbers as strangers write them: NaN, numbers in quotes, lists where a word was meant. Nothing raises."""

from __future__ import annotations

import json
import math

_LONGEST = 8 * 1024 * 1024
_MOST_VALUES = 1_000_000
_DIGITS = 20


def _nothing(_: str) -> None:
    """NaN and the infinities, which ComfyUI writes and JSON does not know."""


DECODER = json.JSONDecoder(parse_constant=_nothing)


def read_json(text: str) -> object:
    """The JSON in `text` with NaN and infinities as None; None when it is none, or too much of it."""
    text = text.strip()
    if not text or len(text) > _LONGEST or text.count(",") + text.count("[") + text.count("{") > _MOST_VALUES:
        return None
    try:
        found: object = DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return found


def table(value: object) -> dict[str, object]:
    """A JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[object]:
    """A JSON list, else an empty one."""
    return value if isinstance(value, list) else []


def word(value: object) -> str:
    """A string, stripped, or a number's text; empty for anything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def text(value: object) -> str:
    """A string as it stands; empty for anything else."""
    return value if isinstance(value, str) else ""


def whole(value: object) -> int | None:
    """An integer, written as one or as text."""
    if isinstance(value, str):
        value = value.strip()
        sign, digits = (value[:1], value[1:]) if value[:1] in ("-", "+") else ("", value)
        if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS:
            return int(sign + digits)
        value = real(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else None
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**70 else None


def real(value: object) -> float | None:
    """A finite number, written as one or as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > 2 * _DIGITS:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_setting(value: object) -> str:
    """A JSON value as the text of a setting."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""


def as_settings(found: dict[str, object]) -> dict[str, str]:
    """A JSON object as settings, in its order; what is None is left out."""
    return {str(key): as_setting(value) for key, value in found.items() if value is not None}
