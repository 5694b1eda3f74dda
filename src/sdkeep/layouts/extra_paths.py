"""ComfyUI's `extra_model_paths.yaml`: named sections of further folders, read as ComfyUI reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sdkeep.layouts.surroundings import Surroundings

_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class ExtraFolder:
    """One folder for one key (`loras`); `first` says that it comes before the default ones."""

    key: str
    path: Path
    first: bool


def read_extra_paths(file: Path, around: Surroundings) -> tuple[tuple[ExtraFolder, ...], tuple[str, ...]]:
    """The folders that the file adds, in its order, and sentences about what could not be read."""
    if not file.exists():
        return (), ()
    import yaml

    try:
        if file.stat().st_size > _LONGEST:
            return (), (f"`{file}` is too long to be a path configuration",)
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        return (), (f"`{file}` cannot be read: {' '.join(str(error).split())[:200]}",)
    folders: list[ExtraFolder] = []
    for section in said.values() if isinstance(said, dict) else ():
        if isinstance(section, dict):
            folders += _section(section, file.parent.absolute(), around)
    return tuple(folders), ()


def _section(section: Mapping[object, object], beside: Path, around: Surroundings) -> list[ExtraFolder]:
    base = section.get("base_path")
    root = beside / around.expanded(base) if isinstance(base, str) else beside
    first = section.get("is_default") is True
    return [
        ExtraFolder(key, Path(os.path.normpath(root / line)), first)
        for key, value in section.items()
        if isinstance(key, str) and isinstance(value, str) and key not in ("base_path", "is_default")
        for line in value.split("\n")
        if line.strip()
    ]
