"""ComfyUI's `extra_model_paths.yaml`: named sections of further folders, read as ComfyUI reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sdkeep.ground.errors import KeepError
from sdkeep.layouts.configs import is_yaml_text, safe_yaml
from sdkeep.layouts.jsonfile import read_bytes
from sdkeep.layouts.surroundings import Surroundings

_LONGEST = 256 << 10


@dataclass(frozen=True, slots=True)
class ExtraFolder:
    """One folder for one key (`loras`); `first` says that it comes before the default ones; `file` who names it."""

    key: str
    path: Path
    first: bool
    file: str = ""


def read_extra_paths(file: Path, around: Surroundings) -> tuple[tuple[ExtraFolder, ...], tuple[str, ...]]:
    """The folders that the file adds, in its order, and sentences about what could not be read."""
    try:
        data = read_bytes(file, _LONGEST)
    except KeepError as error:
        return (), (f"{error.what}: {error.why}",)
    if data is None:
        return (), _why_not(file)
    said = safe_yaml(data)
    if said is None and is_yaml_text(data):
        return (), (f"`{file}` cannot be read: it is no YAML, or one with aliases",)
    folders: list[ExtraFolder] = []
    for section in said.values() if isinstance(said, dict) else ():
        if isinstance(section, dict):
            folders += _section(section, file.absolute(), around)
    return tuple(folders), ()


def _section(section: Mapping[object, object], file: Path, around: Surroundings) -> list[ExtraFolder]:
    base = section.get("base_path")
    root = file.parent / around.expanded(base) if isinstance(base, str) else file.parent
    first = section.get("is_default") is True
    return [
        ExtraFolder(key, Path(os.path.normpath(root / line)), first, file.name)
        for key, value in section.items()
        if isinstance(key, str) and isinstance(value, str) and key not in ("base_path", "is_default")
        for line in value.split("\n")
        if line.strip() and "\0" not in line
    ]


def _why_not(file: Path) -> tuple[str, ...]:
    if file.is_dir():
        return (f"`{file}` cannot be read: it is a folder",)
    return (f"`{file}` is too long to be a path configuration",) if file.is_file() else ()
