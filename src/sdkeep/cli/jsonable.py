"""Answers of actions as plain JSON values: snake_case keys, ids for enumerations, text for paths and digests."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite
from pathlib import Path

from sdkeep.ground.digest import Digest

HIDDEN = frozenset({"raw", "failures"})
"""Fields that no document shows: a hub's own JSON, and errors, which stand in the envelope."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def jsonable(value: object) -> Json:
    """`value` made of JSON types only; dataclasses become objects, tuples and sets arrays."""
    if isinstance(value, float) and not isfinite(value):
        return None  # JSON has no word for it
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str):
        return value
    if isinstance(value, Path | Digest):
        return str(value)
    if isinstance(value, dict):
        return {str(jsonable(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if is_dataclass(value):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value) if field.name not in HIDDEN}
    raise TypeError(f"{type(value).__name__} has no JSON form")
