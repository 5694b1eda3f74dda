"""Installed WebUIs as far as a package manager looks at them: their telling files, folders and start scripts."""

from __future__ import annotations

from pathlib import Path

from sdkeep.ground.record import Ui
from sdkeep.layouts.folders import Installed, installed
from sdkeep.layouts.layout import find
from sdkeep.layouts.surroundings import Surroundings

POSIX = Surroundings(windows=False)
WINDOWS = Surroundings(windows=True)


def make_webui(root: Path, id: str) -> Path:
    """The files that tell what `root` is, and the folders that a fresh installation has."""
    layout = find(id)
    for name in layout.present:
        path = root / name
        if path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        else:
            path.mkdir(parents=True, exist_ok=True)
    for shelf in layout.shelves.values():
        if not shelf.if_installed:
            (root / shelf.dirs[0]).mkdir(parents=True, exist_ok=True)
    return root


def register(root: Path, id: str, template: str = "", around: Surroundings = POSIX) -> Installed:
    """The WebUI in `root` as it looks once registered."""
    return installed(Ui("mine", id, str(root), template), find(id), around)
