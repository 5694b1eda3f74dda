"""The true folders of one installed WebUI: its layout's, moved as its own configuration moves them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Ui
from sdkeep.layouts.arguments import Start, read_bat, read_sh
from sdkeep.layouts.extra_paths import ExtraFolder, read_extra_paths
from sdkeep.layouts.surroundings import Surroundings
from sdkeep.layouts.values import Layout, Shelf

_LONGEST = 1 << 20
_UNCLEAR = re.compile(r"^~|%\w+%|\$")


@dataclass(frozen=True, slots=True)
class Installed:
    """A registered WebUI with its layout and its true folders by kind: the first is where to place, all are read.

    A kind that this installation cannot show is absent. `notes` say what was moved by whom and what was unclear.
    """

    ui: Ui
    layout: Layout
    folders: Mapping[Kind, tuple[Path, ...]]
    notes: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The folder that was registered."""
        return Path(self.ui.root)


def installed(ui: Ui, layout: Layout, around: Surroundings) -> Installed:
    """Read the configuration of `ui` and work out its folders. Nothing is run and nothing is written."""
    root = Path(ui.root).absolute()
    start = _start(root, layout, around)
    extra: tuple[ExtraFolder, ...] = ()
    doubts: tuple[str, ...] = ()
    if layout.extra_paths:
        extra, doubts = read_extra_paths(root / layout.extra_paths, around)
    moves = _Moves(root, layout, start, extra)
    folders = {kind: found for kind, shelf in layout.shelves.items() if (found := moves.folders(shelf))}
    return Installed(ui, layout, MappingProxyType(folders), (*start.doubts, *doubts, *moves.notes()))


class _Moves:
    """What the configuration of one installation does to the folders of its layout."""

    def __init__(self, root: Path, layout: Layout, start: Start, extra: tuple[ExtraFolder, ...]) -> None:
        self._root = root
        self._start = start
        self._extra = extra
        self._layout = layout
        arguments = layout.arguments
        self._data = self._given(arguments.data) or root
        self._models = self._given(arguments.models)
        other = self._given((arguments.reference,)) if arguments.reference else None
        self._referenced = {
            flag: other / path for flag, path in arguments.referenced if other and (other / path).exists()
        }

    def folders(self, shelf: Shelf) -> tuple[Path, ...]:
        """The folders of one shelf, the one to place in first."""
        found: list[Path] = []
        for number, directory in enumerate(shelf.dirs):
            default = self._default(directory)
            if shelf.if_installed and not default.parent.is_dir():
                continue
            moved = self._moved(shelf.flags[number] if number < len(shelf.flags) else ())
            if moved:
                found.append(moved)
            if not moved or shelf.flags_add:
                found.append(default)
        extra = [folder for folder in self._extra if folder.key in shelf.keys]
        first = [folder.path for folder in extra if folder.first]
        return _once([*reversed(first), *found, *(folder.path for folder in extra if not folder.first)])

    def notes(self) -> tuple[str, ...]:
        """A sentence for whatever moves a folder."""
        notes = [f"`{folder.key}` also in `{folder.path}` ({self._layout.extra_paths})" for folder in self._extra]
        if self._data != self._root:
            notes.append(f"all folders lie in `{self._data}` ({self._layout.arguments.data[0]})")
        if self._models:
            notes.append(f"the models lie in `{self._models}` ({self._layout.arguments.models[0]})")
        flags = {flag for shelf in self._layout.shelves.values() for flags in shelf.flags for flag in flags}
        given = {flag: self._moved((flag,)) for flag in sorted(flags)}
        unclear = [value for value in self._start.arguments if _UNCLEAR.search(value)]
        notes += [f"`{value}` is passed to the WebUI as it stands, so it is not followed" for value in unclear]
        return (*notes, *(f"`{path}` ({flag})" for flag, path in given.items() if path))

    def _default(self, directory: str) -> Path:
        below = directory.removeprefix("models/")
        if self._models and below != directory:
            return self._models / below
        return self._data / directory

    def _moved(self, flags: tuple[str, ...]) -> Path | None:
        given = self._given(flags) if flags else None
        return given or next((self._referenced[flag] for flag in flags if flag in self._referenced), None)

    def _given(self, flags: tuple[str, ...]) -> Path | None:
        value = self._start.value(*flags) if flags else ""
        if not value or _UNCLEAR.search(value):
            return None
        return Path(os.path.normpath(self._root / value))


def _start(root: Path, layout: Layout, around: Surroundings) -> Start:
    """The start arguments; one file of several, since a later one would not be run."""
    arguments = layout.arguments
    for name in arguments.windows if around.windows else arguments.posix:
        file = root / name
        try:
            if file.stat().st_size > _LONGEST:
                return Start((), (f"`{file}` is too long to be a start script",))
            text = file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            return Start((), (f"`{file}` cannot be read: {error.strerror}",))
        read = read_bat if around.windows else read_sh
        return read(text, arguments.variable, around.environ)
    return Start()


def _once(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(paths))
