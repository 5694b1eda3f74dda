"""The architecture page is the tree: a line a module, floors as the import linter holds them."""

from __future__ import annotations

import re
import tomllib

from tests.docs.pages import DOCS, ROOT

PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "sdkeep"


def listed() -> set[str]:
    return set(re.findall(r"^- `([\w/]+\.py)`: \S", PAGE, re.MULTILINE))


def test_every_module_has_a_line_and_every_line_a_module() -> None:
    modules = {file.relative_to(SOURCE).as_posix() for file in SOURCE.rglob("*.py")}
    rooms = {name for name in modules if name.count("/") == 1 and name.endswith("/__init__.py")} | {"__init__.py"}
    assert listed() == modules - rooms
    for name in rooms - {"__init__.py"}:
        assert f"\n### {name.partition('/')[0]}\n\n" in PAGE


def test_floors_are_those_of_the_import_linter() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    held = [frozenset(re.findall(r"sdkeep\.(\w+)", layer)) - {"__main__"} for layer in layers]
    drawn = [
        frozenset(re.findall(r"\b[a-z]+\b", rooms))
        for rooms in re.findall(r"^    \d  (.+?)(?:   |$)", PAGE, re.MULTILINE)
    ]
    faces = [rooms for rooms in held if rooms & {"cli", "demo", "web"}]
    assert drawn == [frozenset().union(*faces), *(rooms for rooms in held if rooms and rooms not in faces)]


def test_no_line_is_empty_or_long() -> None:
    lines = re.findall(r"^- `[\w/]+\.py`: (.+)$", PAGE, re.MULTILINE)
    assert all(10 < len(line) < 160 for line in lines)
