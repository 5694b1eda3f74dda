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
from sdkeep.layouts.arguments import Start
from sdkeep.layouts.configs import Settings, read_config
from sdkeep.layouts.extra_paths import ExtraFolder, read_extra_paths
from sdkeep.layouts.starting import read_start
from sdkeep.layouts.surroundings import Surroundings
from sdkeep.layouts.values import Layout, Shelf

_UNCLEAR = re.compile(r"^~|%\w+%|\$")


@dataclass(frozen=True, slots=True)
class Installed:
    """A registered WebUI with its layout and its true folders by kind: the first is where to place, all are read.

    A kind that this installation cannot show is absent. `notes` say what was moved by whom and what was unclear.
    `data` is the folder of its own files, `models` those that its models lie in, `url` where it answers.
    """

    ui: Ui
    layout: Layout
    folders: Mapping[Kind, tuple[Path, ...]]
    notes: tuple[str, ...] = ()
    data: Path = Path()
    models: tuple[Path, ...] = ()
    url: str = ""

    @property
    def root(self) -> Path:
        """The folder that was registered."""
        return Path(self.ui.root)


def installed(ui: Ui, layout: Layout, around: Surroundings) -> Installed:
    """Read the configuration of `ui` and work out its folders. Nothing is run and nothing is written."""
    root = Path(ui.root).absolute()
    start = read_start(root, layout, around)
    data = _given(root, start, layout.arguments.data) or root
    said, unread = read_config(data / layout.config.file, layout.config.format) if layout.config.file else ({}, ())
    extra, doubts = _extra(root, layout, start, around)
    moves = _Moves(root, data, layout, start, said, extra)
    folders = {kind: found for kind, shelf in layout.shelves.items() if (found := moves.placed_first(ui, shelf))}
    notes = (*start.doubts, *unread, *doubts, *moves.notes(ui.share))
    url = ui.url or _url(layout, start, said)
    return Installed(ui, layout, MappingProxyType(folders), notes, data, moves.models, url)


class _Moves:
    """What the configuration of one installation does to the folders of its layout."""

    def __init__(
        self,
        root: Path,
        data: Path,
        layout: Layout,
        start: Start,
        said: Settings,
        extra: tuple[ExtraFolder, ...],
    ) -> None:
        self._root = root
        self._data = data
        self._start = start
        self._said = said
        self._extra = extra
        self._layout = layout
        self._moved_models = self._models_elsewhere()
        arguments = layout.arguments
        other = _given(root, start, (arguments.reference,)) if arguments.reference else None
        self._referenced = {
            flag: other / path for flag, path in arguments.referenced if other and (other / path).exists()
        }

    @property
    def models(self) -> tuple[Path, ...]:
        """The folders that models lie in: those of the configuration, else the layout's own."""
        return self._moved_models or (self._data / self._layout.models,)

    def folders(self, shelf: Shelf) -> tuple[Path, ...]:
        """The folders of one shelf, the one to place in first."""
        found: list[Path] = []
        for number, directory in enumerate(shelf.dirs):
            defaults = self._defaults(directory)
            if shelf.if_installed and not defaults[0].parent.is_dir():
                continue
            configured = self._configured(shelf) if number == 0 else ()
            moved = self._moved(shelf.flags[number] if number < len(shelf.flags) else ())
            if moved:
                found.append(moved)
            if not moved or shelf.flags_add:
                found += configured or defaults
        extra = [folder for folder in self._extra if folder.key in shelf.keys]
        first = [folder.path for folder in extra if folder.first]
        return _once([*reversed(first), *found, *(folder.path for folder in extra if not folder.first)])

    def placed_first(self, ui: Ui, shelf: Shelf) -> tuple[Path, ...]:
        """The same with a folder of ours in front, where the WebUI reads one; a WebUI that registers has no other."""
        if self._layout.share == "register":
            return (Path(ui.share) / str(shelf.kind),) if ui.share else ()
        found = self.folders(shelf)
        return tuple(sorted(found, key=lambda folder: not _is_below(folder, ui.share)))

    def notes(self, share: str) -> tuple[str, ...]:
        """A sentence for whatever moves a folder, other than to ours in `share`."""
        extra = [folder for folder in self._extra if not _is_below(folder.path, share)]
        notes = [f"`{folder.key}` also in `{folder.path}` ({folder.file})" for folder in extra]
        if self._data != self._root:
            notes.append(f"all folders lie in `{self._data}` ({self._layout.arguments.data[0]})")
        moved = [folder for folder in self._moved_models if not _is_below(folder, share)]
        own = [self._data / self._layout.models]
        notes += [f"the models lie in `{folder}` ({self._models_mover})" for folder in moved if moved != own]
        flags = {flag for shelf in self._layout.shelves.values() for flags in shelf.flags for flag in flags}
        given = {flag: self._moved((flag,)) for flag in sorted(flags)}
        unclear = [value for value in self._start.arguments if _UNCLEAR.search(value)]
        notes += [f"`{value}` is passed to the WebUI as it stands, so it is not followed" for value in unclear]
        notes += [f"`{path}` ({flag})" for flag, path in given.items() if path]
        keys = dict.fromkeys(key for shelf in self._layout.shelves.values() for key in shelf.config)
        return (*notes, *(note for key in keys for note in self._config_note(key, share)))

    def _config_note(self, key: str, share: str) -> list[str]:
        file, values = self._layout.config.file, self._values(key)
        if self._layout.config.must_exist and values and not self._all_there(values):
            return [f"`{key}` in {file} names a folder that is not there, so the WebUI uses its own"]
        usual = {str(self._data / one.dirs[0]) for one in self._layout.shelves.values() if key in one.config}
        return [f"`{one}` ({key} in {file})" for one in values if one not in usual and not _is_below(Path(one), share)]

    def _models_elsewhere(self) -> tuple[Path, ...]:
        base = self._data if self._layout.config.models else self._root
        given = _given(base, self._start, self._layout.arguments.models)
        self._models_mover = self._layout.arguments.models[0] if given else self._layout.config.file
        if given:
            return (given,)
        key = self._layout.config.models
        found = _once(_joined(self._data, value) for value in self._values(key) if _is_clear(value)) if key else ()
        return () if found == (self._data / self._layout.models,) else found

    def _values(self, key: str) -> tuple[str, ...]:
        parted = (part.strip() for value in self._said.get(key, ()) for part in value.split(";"))
        return tuple(part for part in parted if part)

    def _configured(self, shelf: Shelf) -> tuple[Path, ...]:
        values = tuple(value for key in shelf.config for value in self._values(key) if _is_clear(value))
        if not values or (self._layout.config.must_exist and not self._all_there(values)):
            return ()
        bases = self.models if self._layout.config.below else (self._data,)
        return tuple(_joined(base, value) for base in bases for value in values)

    def _all_there(self, values: tuple[str, ...]) -> bool:
        return all(_joined(self._data, value).is_dir() for value in values)

    def _defaults(self, directory: str) -> tuple[Path, ...]:
        below = directory.removeprefix(self._layout.models + "/")
        if below != directory:
            return tuple(folder / below for folder in self.models)
        return (self._data / directory,)

    def _moved(self, flags: tuple[str, ...]) -> Path | None:
        given = _given(self._root, self._start, flags) if flags else None
        return given or next((self._referenced[flag] for flag in flags if flag in self._referenced), None)


def _given(base: Path, start: Start, flags: tuple[str, ...]) -> Path | None:
    value = start.value(*flags) if flags else ""
    return _joined(base, value) if value and _is_clear(value) else None


def _is_below(folder: Path, share: str) -> bool:
    return bool(share) and folder.is_relative_to(share)


def _is_clear(value: str) -> bool:
    return not _UNCLEAR.search(value) and "\0" not in value


def _joined(base: Path, value: str) -> Path:
    return Path(os.path.normpath(base / value))


def _extra(
    root: Path, layout: Layout, start: Start, around: Surroundings
) -> tuple[tuple[ExtraFolder, ...], tuple[str, ...]]:
    files = [root / layout.extra_paths] if layout.extra_paths else []
    files += [_joined(root, value) for value in start.values(*layout.arguments.extra) if _is_clear(value)]
    folders: list[ExtraFolder] = []
    doubts: list[str] = []
    for file in _once(files):
        found, unread = read_extra_paths(file, around)
        folders += found
        doubts += unread
    return tuple(folders), tuple(doubts)


def _url(layout: Layout, start: Start, said: Settings) -> str:
    """The address on this machine: the layout's, at the port that arguments or configuration name."""
    server = layout.server
    port = start.value(*server.port_flags) or next(iter(said.get(server.port, ())), "")
    if not server.url or not (port.isdecimal() and port.isascii() and 0 < int(port) < 65536):
        return server.url
    return f"{server.url.rsplit(':', 1)[0]}:{int(port)}"


def _once(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(paths))
