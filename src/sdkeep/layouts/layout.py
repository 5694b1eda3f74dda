"""The layouts there are: the built-in ones, and a person's own files, which add to them or take their place."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path

from sdkeep.ground.errors import LayoutError, UnknownUi
from sdkeep.layouts.reading import read_layout
from sdkeep.layouts.values import Arguments, Layout, Shelf

__all__ = ["BUILT_IN", "Arguments", "Layout", "Shelf", "find", "layouts"]

BUILT_IN = (
    "a1111",
    "forge",
    "forge-classic",
    "forge-neo",
    "reforge",
    "sdnext",
    "comfyui",
    "invokeai",
    "fooocus",
    "stabilitymatrix",
    "swarmui",
    "drawthings",
    "kohya",
    "onetrainer",
)


def layouts(extra: Path | None = None) -> tuple[Layout, ...]:
    """Every layout. The `*.toml` files in `extra` come last; one with a known id takes that one's place.

    Raises `LayoutError` that names the file and the key.
    """
    found = {layout.id: layout for layout in map(_built_in, BUILT_IN)}
    for file in sorted(extra.glob("*.toml")) if extra and extra.is_dir() else []:
        layout = read_layout(_text_of(file), str(file))
        found[layout.id] = layout
    return tuple(found.values())


def find(id: str, known: Sequence[Layout] | None = None) -> Layout:
    """The layout with this id; raises `UnknownUi` with the nearest one."""
    choices = {layout.id: layout for layout in (known if known is not None else layouts())}
    if id in choices:
        return choices[id]
    near = get_close_matches(id.lower(), choices, 1)
    why = f"did you mean `{near[0]}`?" if near else "sdkeep knows " + ", ".join(choices)
    raise UnknownUi(f"no layout is called `{id}`", why, "`sdkeep ui add --help`")


@cache
def _built_in(id: str) -> Layout:
    return read_layout((files("sdkeep.layouts") / "data" / f"{id}.toml").read_text(encoding="utf-8"), f"{id}.toml")


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LayoutError(f"the layout file `{file}` cannot be read", str(error), "correct the file") from error
