"""Which WebUI a folder holds, and whether a registered one still is what it claims."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdkeep.ground.errors import UnknownUi
from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Ui
from sdkeep.layouts.folders import Installed, installed
from sdkeep.layouts.layout import find, layouts
from sdkeep.layouts.surroundings import Surroundings
from sdkeep.layouts.values import Layout


@dataclass(frozen=True, slots=True)
class Detection:
    """A WebUI found on the disk: its layout, its true root, and the paths that prove it."""

    layout: Layout
    root: Path
    evidence: tuple[str, ...]


def detect(root: Path, known: Sequence[Layout] | None = None) -> Detection | None:
    """The WebUI in `root`, or one step below it in the sub-folder that its installers make; None when there is none.

    Where several layouts fit, the one with the most evidence wins.
    """
    choices = known if known is not None else layouts()
    found = [
        Detection(layout, place, layout.present) for layout, place in _places(root, choices) if _fits(layout, place)
    ]
    return max(found, key=lambda each: (each.root == root, len(each.evidence)), default=None)


def check(ui: Ui, around: Surroundings, known: Sequence[Layout] | None = None) -> list[str]:
    """Everything that is wrong with a registered WebUI, as sentences; empty when it is what it claims."""
    root = Path(ui.root)
    try:
        layout = find(ui.layout, known)
    except UnknownUi as error:
        return [f"{error.what}: {error.why}"]
    if not root.is_dir():
        return [f"`{root}` is no folder any more"]
    problems = [
        f"`{root / name}` is missing, which {layout.title} has" for name in layout.present if not _has(root, name)
    ]
    if problems or any(_has(root, name) for name in layout.absent):
        other = detect(root, known)
        if other and other.layout.id != layout.id:
            problems.append(f"`{root}` looks like {other.layout.title} (`{other.layout.id}`) instead")
    return [*problems, *_folder_problems(installed(ui, layout, around))]


def _places(root: Path, choices: Sequence[Layout]) -> Iterator[tuple[Layout, Path]]:
    for layout in choices:
        yield layout, root
        for name in layout.inner:
            yield layout, root / name


def _fits(layout: Layout, place: Path) -> bool:
    if not layout.present or any(_has(place, name) for name in layout.absent):
        return False
    return all(_has(place, name) for name in layout.present)


def _has(root: Path, name: str) -> bool:
    try:
        return (root / name).exists()
    except OSError:
        return False


def _folder_problems(found: Installed) -> list[str]:
    first = {folders[0]: kind for kind, folders in reversed(list(found.folders.items())) if folders}
    return [problem for folder, kind in first.items() if (problem := _folder_problem(folder, kind))]


def _folder_problem(folder: Path, kind: Kind) -> str:
    if folder.is_dir():
        return "" if os.access(folder, os.W_OK | os.X_OK) else f"`{folder}` ({kind}) may not be written"
    if os.path.lexists(folder):
        return f"`{folder}` ({kind}) is no folder, or a link that leads nowhere"
    return ""
