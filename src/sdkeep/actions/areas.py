"""The folders that a person named for work on files that lie there: registered WebUIs, or folders by path."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.actions.paths import WEIGHT_FILES
from sdkeep.actions.placing import here
from sdkeep.actions.stores import known_roots
from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.record import Ui
from sdkeep.store.platform import mtime_of


@dataclass(frozen=True, slots=True)
class Area:
    """Folders to look through. `ui` is empty for folders named by path; `symlinks` whether links are read there."""

    name: str
    folders: tuple[Path, ...]
    ui: str = ""
    symlinks: bool = False


@dataclass(frozen=True, slots=True)
class Lying:
    """A plain model file as it lies: where, whose, and what the file system says of it."""

    path: Path
    area: Area
    size: int
    device: int
    inode: int
    mtime_ns: int
    links: int


def areas(house: House, texts: Sequence[str]) -> tuple[Area, ...]:
    """The WebUIs and folders meant; every registered WebUI where none is named. Raises `NotFoundHere`."""
    uis = {ui.name: ui for ui in house.book.uis()}
    if not texts:
        if not uis:
            raise NotFoundHere("no WebUI is registered", "name a folder instead", "`sdkeep ui detect`")
        return tuple(_of_ui(house, ui) for ui in uis.values() if Path(ui.root).is_dir())
    return tuple(_of_ui(house, uis[text]) if text in uis else _of_folder(house, text) for text in texts)


def files(house: House, area: Area) -> Iterator[Lying]:
    """Every plain model file below an area, each once: links to files are passed over, linked folders not entered."""
    inside = {root.resolve() for root in known_roots(house)}
    seen: set[Path] = set()
    for folder in area.folders:
        yield from _below(folder, area, inside, seen)


def _below(folder: Path, area: Area, skipped: set[Path], seen: set[Path]) -> Iterator[Lying]:
    for place, below, names in os.walk(folder):
        where = Path(place)
        if where.resolve() in skipped or where in seen:
            below.clear()
            continue
        seen.add(where)
        below.sort()
        for name in sorted(names):
            path = where / name
            if path.suffix.lower() not in WEIGHT_FILES or name.startswith(".sdkeep-"):
                continue
            try:
                info = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(info.st_mode) and info.st_size:
                yield Lying(path, area, info.st_size, info.st_dev, info.st_ino, mtime_of(info), info.st_nlink)


def _of_ui(house: House, ui: Ui) -> Area:
    found = here(house, ui)
    folders = dict.fromkeys(folder for places in found.folders.values() for folder in places if folder.is_dir())
    whole = [one for one in folders if not any(one != other and one.is_relative_to(other) for other in folders)]
    return Area(ui.name, tuple(whole), ui.name, found.layout.symlinks)


def _of_folder(house: House, text: str) -> Area:
    path = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - `..` goes, links stay
    if not path.is_dir():
        known = ", ".join(f"`{ui.name}`" for ui in house.book.uis()) or "none"
        raise NotFoundHere(f"`{text}` is no folder and no registered WebUI", f"registered: {known}", "`sdkeep ui ls`")
    for ui in house.book.uis():
        if path.is_relative_to(ui.root) and Path(ui.root).is_dir():
            return replace(_of_ui(house, ui), name=text, folders=(path,))
    return Area(text, (path,))
