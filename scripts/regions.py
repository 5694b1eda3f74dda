"""The generated parts of pages that are otherwise written by hand, between marks that name them."""

from __future__ import annotations

import ast
import inspect
import sqlite3
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from scripts.markdown import cell, codes, fenced, table

from sdkeep.catalogue.book import Book
from sdkeep.catalogue.tables import METADATA, Table
from sdkeep.ground import ref

ROOT = Path(__file__).resolve().parent.parent


def filled(text: str, region: str, inside: str) -> str:
    """`text` with what stands between the marks of a region replaced."""
    start, end = f"<!-- generated: {region} -->", f"<!-- end: {region} -->"
    if text.count(start) != 1 or text.count(end) != 1:
        raise ValueError(f"the marks {start} and {end} must stand there once each")
    head, _, rest = text.partition(start)
    return f"{head}{start}\n\n{inside}\n\n{end}{rest.partition(end)[2]}"


def modules_region() -> str:
    """The floors of pyproject.toml, top to bottom, with what each module says of itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    parts = []
    for layer in layers:
        for room in (part.strip().removeprefix("sdkeep.") for part in layer.split("|")):
            parts += list(_room(room))
    return "\n\n".join(parts)


def _room(room: str) -> Iterator[str]:
    source = ROOT / "src" / "sdkeep"
    folder = source / room
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [source / f"{room}.py"]
    if not folder.is_dir():
        yield f"### {room}"
    for init in (file for file in files if file.name == "__init__.py" and file.parent == folder):
        yield f"### {room}\n\n{said(init)}"
    yield "\n".join(
        f"- `{file.relative_to(source).as_posix()}`: {said(file)}"
        for file in files
        if file.parent != folder or file.stem != "__init__"
    )


def said(file: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def grammar_region() -> str:
    """The grammar as it stands in `ground/ref.py`."""
    text = (ref.__doc__ or "").split("\n\n")[1]
    return fenced("text", "\n".join(line.removeprefix("    ") for line in text.splitlines()))


def tables_region() -> str:
    """The tables of the catalogue with what each row means, and its views."""
    kinds = sorted(Table.__subclasses__(), key=lambda kind: str(kind.__tablename__))
    rows = [
        (
            f"`{kind.__tablename__}`",
            cell(inspect.getdoc(kind) or ""),
            codes(column.name for column in METADATA.tables[str(kind.__tablename__)].columns),
        )
        for kind in kinds
    ]
    return table(("Table", "A row is", "Columns"), rows)


def views_region() -> str:
    """The views that a new catalogue has for people."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.db"
        Book.open(path, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)).close()
        connection = sqlite3.connect(path)
        try:
            names = [
                row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")
            ]
            columns = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}
        finally:
            connection.close()
    return table(("View", "Columns"), [(f"`{name}`", codes(columns[name])) for name in names])


REGIONS: dict[tuple[str, str], Callable[[], str]] = {
    ("architecture.md", "modules"): modules_region,
    ("concepts/references.md", "grammar"): grammar_region,
    ("concepts/catalogue.md", "tables"): tables_region,
    ("concepts/catalogue.md", "views"): views_region,
}
"""What fills each, by page and name."""
