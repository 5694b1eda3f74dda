"""Recipes back from JSON: the metadata of a file that anybody may have written. Nothing in it is trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isfinite

from sdkeep.formats.selection import Ema
from sdkeep.ground.errors import FormatError
from sdkeep.merge.blocks import Compat, Weighting
from sdkeep.merge.recipe import FORMAT, METADATA, Adapter, Model, Output, Parent, Recipe, Step, checked

_HEX = re.compile(r"[0-9a-f]{64}")
_MOST_STEPS = 1000
_MOST_TEXT = 4 << 20
_MOST_NAME = 255  # bytes, and so characters, of a file name


def recipe_in(metadata: Mapping[str, str], name: str) -> Recipe:
    """The recipe in a file's metadata; raises `FormatError` when there is none, or none that can be read."""
    text = metadata.get(METADATA)
    if text is None:
        raise FormatError(
            f"`{name}` holds no recipe", "only files that sdkeep merged say how they were made to the last number",
            f"`sdkeep show '{name}'` tells what its metadata claim", rule="recipe-missing",
        )  # fmt: skip
    return from_json(text, name)


def from_json(text: str, name: str) -> Recipe:
    """The recipe that `text` spells; raises `FormatError`, or `UsageError` for one that makes no sense."""
    try:
        if len(text) > _MOST_TEXT:
            raise ValueError("it is too long")
        recipe = _recipe(_table(json.loads(text)))
    except (ValueError, RecursionError, KeyError) as error:
        raise FormatError(
            f"the recipe in `{name}` cannot be read", str(error), "the file was edited, or a newer sdkeep wrote it",
            rule="recipe-broken",
        ) from error  # fmt: skip
    return checked(recipe)


def _recipe(content: dict[str, object]) -> Recipe:
    if content.get("format") != FORMAT:
        raise ValueError(f"it is of format {content.get('format')!r}, and {FORMAT} is known")
    steps = _list(content["steps"])
    if len(steps) > _MOST_STEPS:
        raise ValueError(f"it has {len(steps):,} steps")
    older = _table(content.get("ancestors") or {})
    parents = tuple(_parent(_table(one), older) for one in _list(content["parents"]))
    recipe = Recipe(parents, tuple(_step(_table(one)) for one in steps), _output(_table(content["output"])))
    places = [recipe.output.vae, *(one.parent for one in recipe.output.adapters)]
    if any(place is not None and not 0 <= place < len(parents) for place in places):
        raise ValueError("it names a parent that is not there")
    return recipe


def _parent(content: dict[str, object], older: dict[str, object]) -> Parent:
    sha256 = _text(content["sha256"])
    if not _HEX.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is no SHA-256")
    own = older.get(sha256)
    rest = {key: value for key, value in older.items() if key != sha256}
    recipe = json.dumps({**own, "ancestors": rest}) if isinstance(own, dict) else ""
    return Parent(_text(content["name"])[:_MOST_NAME].replace("\\", "/").rpartition("/")[2], sha256, recipe)


def _step(content: dict[str, object]) -> Model | Step:
    if "model" in content:
        return Model(_whole(content["model"]))
    numbers = {name: _weighting(value) for name, value in _table(content["numbers"]).items()}
    return Step(_text(content["method"]), tuple(map(_whole, _list(content["inputs"]))), numbers)


def _weighting(value: object) -> Weighting:
    if not isinstance(value, dict):
        return Weighting(_number(value))
    blocks = {name: _number(number) for name, number in _table(value["blocks"]).items()}
    pairs = (_list(pair) for pair in _list(value["keys"]))
    return Weighting(
        _number(value["base"]), blocks, tuple((_text(pattern), _number(number)) for pattern, number in pairs)
    )


def _output(content: dict[str, object]) -> Output:
    vae = content["vae"]
    return Output(
        _text(content["precision"]), None if vae is None else _whole(vae), Ema(_text(content["ema"])),
        content["prune"] is True, _text(content["discard"]), Compat(_text(content["compat"])),
        tuple(_adapter(_list(one)) for one in _list(content["adapters"])),
    )  # fmt: skip


def _adapter(content: list[object]) -> Adapter:
    parent, strength = content
    return Adapter(_whole(parent), _text(strength))


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("a table is missing")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("a list is missing")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} stands where a text belongs")
    return value


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} stands where a place belongs")
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{value!r} stands where a number belongs")
    return float(value)
