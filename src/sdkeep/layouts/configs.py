"""WebUIs' own configuration files, as one flat table of texts: JSON, YAML, and SwarmUI's FDS.

Keys of tables below are joined by dots (`Paths.ModelRoot`). A value is a list of texts; numbers are written out, and
whatever is neither text, number nor a list of them is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from sdkeep.ground.errors import KeepError
from sdkeep.ground.text import one_line
from sdkeep.layouts.jsonfile import as_object, read_bytes

LONGEST = 4 << 20
LONGEST_YAML = 256 << 10
_MOST = 20_000
_MOST_BRACKETS = 2000
_LONGEST_TEXT = 4096
_FDS_LINE = re.compile(r"( *)([^:#\s-][^:]*?): ?(.*)")
_ALIAS = re.compile(rb"(?m)(?:^|[\s,\[{:-])[&*][A-Za-z0-9_]")

_COMMENTS = re.compile(rb"(?m)^\s*(?:#.*)?$")

Settings = Mapping[str, tuple[str, ...]]


def read_config(file: Path, format: str) -> tuple[Settings, tuple[str, ...]]:
    """What the file sets, and sentences about what could not be read; both empty where there is no file."""
    try:
        data = read_bytes(file, LONGEST)
    except KeepError as error:
        return {}, (f"{error.what}: {error.why}",)
    if data is None:
        there = file.exists()
        return {}, (f"`{file}` is no file that can be read, or too long to be a configuration",) if there else ()
    said = _READERS[format](data)
    if said is None:
        return {}, (f"`{file}` cannot be read: it is no {format.upper()}",)
    return dict(_flat(said)), ()


def safe_yaml(data: bytes) -> object:
    """A YAML document of plain values; None for anything broken, or with aliases, which can grow without end."""
    import yaml

    if len(data) > LONGEST_YAML or _ALIAS.search(data) or data.count(b"[") + data.count(b"{") > _MOST_BRACKETS:
        return None
    try:
        return yaml.safe_load(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError):
        return None


def is_yaml_text(data: bytes) -> bool:
    """Whether there is anything besides comments and empty lines."""
    return bool(_COMMENTS.sub(b"", data).strip())


def _yaml(data: bytes) -> Mapping[str, object] | None:
    said = safe_yaml(data)
    return said if isinstance(said, dict) else None if is_yaml_text(data) else {}


def _fds(data: bytes) -> Mapping[str, object] | None:
    """FreneticDataSyntax: `key: value` lines in sections by indentation; comments and lists are passed over."""
    root: dict[str, object] = {}
    open_sections: list[tuple[int, dict[str, object]]] = [(-1, root)]
    for line in data.decode("utf-8", "replace").replace("\t", "    ").splitlines():
        matched = _FDS_LINE.fullmatch(line.rstrip())
        if not matched:
            continue
        depth, key, value = len(matched[1]), matched[2].strip(), matched[3].strip()
        while open_sections[-1][0] >= depth:
            open_sections.pop()
        within = open_sections[-1][1]
        if value:
            within[key] = fds_unescaped(value)
        else:
            inner: dict[str, object] = {}
            within[key] = inner
            open_sections.append((depth, inner))
    return root


def fds_unescaped(text: str) -> str:
    """A value as it was before FDS escaped it, in FDS' own order."""
    for written, meant in (("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r"), ("\\x", ""), ("\\s", "\\")):
        text = text.replace(written, meant)
    return text


def fds_escaped(text: str) -> str:
    """A value as FDS writes it."""
    for meant, written in (("\\", "\\s"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(meant, written)
    return ("\\x" if text.startswith(" ") else "") + text + ("\\x" if text.endswith(" ") else "")


_READERS = {"json": as_object, "yaml": _yaml, "fds": _fds}


def _flat(said: Mapping[str, object]) -> Iterator[tuple[str, tuple[str, ...]]]:
    waiting: list[tuple[str, Mapping[str, object], int]] = [("", said, 0)]
    for _ in range(_MOST):
        if not waiting:
            return
        prefix, table, depth = waiting.pop()
        for key, value in list(table.items())[:_MOST]:
            name = f"{prefix}{key}"
            if isinstance(value, dict) and depth < 8:
                waiting.append((f"{name}.", value, depth + 1))
            elif texts := tuple(_texts(value)):
                yield name, texts


def _texts(value: object) -> Iterator[str]:
    for item in value[:1000] if isinstance(value, list) else [value]:
        if isinstance(item, str | int | float) and not isinstance(item, bool):
            text = str(item)
            if 0 < len(text) <= _LONGEST_TEXT and one_line(text) == " ".join(text.split()) and "\0" not in text:
                yield text
