"""Field types that take whatever a hub sends: a value of the wrong shape becomes the empty one, never an error."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

MOST = 2**63 - 1


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # a lone surrogate would break every writer later
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def _number(value: object) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MOST:
        return None
    return float(value) if math.isfinite(value) else None


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= MOST else None
    number = _number(value)
    return int(number) if number is not None and number >= 0 else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return ()
    words = (_text(item.get("name") if isinstance(item, dict) else item).strip() for item in value)
    return tuple(word for word in words if word)


def _pairs(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {_text(name): item for name, item in value.items() if isinstance(item, str)}


def mapping(value: object) -> dict[str, object]:
    """`value` when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[dict[str, object]]:
    """The JSON objects of the list `value`; nothing when it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


Text = Annotated[str, BeforeValidator(_text)]
Number = Annotated[float | None, BeforeValidator(_number)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Pairs = Annotated[dict[str, str], BeforeValidator(_pairs)]


class Wire(BaseModel):
    """A JSON object of the hub: camelCase names, unknown ones ignored, every field optional."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, protected_namespaces=())
