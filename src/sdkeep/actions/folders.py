"""The model files below some folders, each with what the file system says of it. One walk; no file is opened."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sdkeep.actions.paths import WEIGHT_FILES
from sdkeep.ground.record import Location, Method
from sdkeep.store.blobs import MARKER
from sdkeep.store.platform import mtime_of

PASSED_OVER = frozenset({
    ".git", ".hg", ".svn", ".venv", "venv", "env", "node_modules", "__pycache__", "site-packages", ".cache",
    "$RECYCLE.BIN",
    "System Volume Information", ".Trash-1000", "lost+found",
})  # fmt: skip
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """A file in a folder. `link` tells a symbolic link; `own_*` are the link's own, equal to the others otherwise."""

    path: str
    size: int
    inode: int
    mtime_ns: int
    device: int = 0
    link: bool = False
    own_inode: int = 0
    own_mtime_ns: int = 0
    ui: str = ""

    def in_place(self, sha256: str = "") -> Location:
        """The record of this file as one that lies here and is not ours."""
        return Location(self.path, sha256, Method.IN_PLACE, False, self.ui, self.inode, self.mtime_ns, self.size)

    def fits(self, location: Location) -> bool:
        """Whether a record of this path still describes this file."""
        if location.method is Method.IN_PLACE:
            return (self.size, self.mtime_ns, self.inode) == (location.size, location.mtime_ns, location.inode)
        linked = location.method is not Method.HARDLINK or location.inode in (0, self.inode)
        return linked and self.size == location.size and location.mtime_ns in (0, self.own_mtime_ns)

    @property
    def trace(self) -> tuple[int, int, int]:
        """What a file keeps when it is moved or renamed on its volume."""
        return (self.inode, self.size, self.mtime_ns)


@dataclass(frozen=True, slots=True)
class Root:
    """A folder to walk, and the registered WebUI it belongs to. `linked` says whether linked sub-folders are read."""

    path: Path
    ui: str = ""
    linked: bool = True


@dataclass(slots=True)
class Walked:
    """What a walk found: files by path, folders that could not be read with the reason, names by folder."""

    files: dict[str, Seen] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    names: dict[str, frozenset[str]] = field(default_factory=dict)


def walk(roots: Iterable[Root], known: Collection[str] = ()) -> Walked:
    """Look through `roots` for files with a model's ending, or whose path is `known`.

    A folder is entered once however many names lead there, its own before a link to it, so loops of links end and
    the same files get the same paths each time. Stores of sdkeep and the folders of other tools are passed over.
    """
    found = Walked()
    entered: set[tuple[int, int]] = set()
    waiting = [(str(root.path), root, 0) for root in reversed(tuple(roots))]
    linked: list[tuple[str, Root, int]] = []
    while waiting or linked:
        if not waiting:
            waiting.append(linked.pop(0))
        folder, root, depth = waiting.pop()
        entries = _entries(folder, entered, found)
        found.names[folder] = frozenset(entry.name for entry in entries)
        if MARKER in found.names[folder]:
            continue
        below = []
        for entry in entries:
            if not _is_folder(entry):
                if (seen := _seen(entry, root.ui, known)) is not None:
                    found.files.setdefault(seen.path, seen)
            elif entry.name in PASSED_OVER or depth >= _DEEPEST:
                continue
            elif entry.is_symlink():
                if root.linked:
                    linked.append((entry.path, root, depth + 1))
            else:
                below.append((entry.path, root, depth + 1))
        waiting.extend(reversed(below))
    return found


def look_at(path: str, ui: str = "") -> Seen | None:
    """What one path shows now; None where nothing can be read there."""
    try:
        info = os.stat(path)  # noqa: PTH116 - a path may be no valid text
        own = os.lstat(path)
    except (OSError, ValueError):
        return None
    link = (own.st_ino, own.st_dev) != (info.st_ino, info.st_dev)
    return Seen(path, info.st_size, info.st_ino, mtime_of(info), info.st_dev, link, own.st_ino, mtime_of(own), ui)


def _entries(folder: str, entered: set[tuple[int, int]], found: Walked) -> list[os.DirEntry[str]]:
    try:
        info = os.stat(folder)  # noqa: PTH116
        if (info.st_dev, info.st_ino) in entered:
            return []
        entered.add((info.st_dev, info.st_ino))
        with os.scandir(folder) as listed:
            return sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        found.unreadable[folder] = error.strerror or str(error)
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _seen(entry: os.DirEntry[str], ui: str, known: Collection[str]) -> Seen | None:
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - ten thousand times
    if suffix not in WEIGHT_FILES and entry.path not in known:
        return None
    try:
        if not entry.is_file():
            return None
        info = entry.stat()
        own = entry.stat(follow_symlinks=False) if entry.is_symlink() else info
    except OSError:
        return None
    link = own is not info
    return Seen(entry.path, info.st_size, info.st_ino, mtime_of(info), info.st_dev, link, own.st_ino, mtime_of(own), ui)


def given(paths: Iterable[Path], ui_of: dict[str, str] | None = None) -> Iterator[Seen]:
    """Single files as a walk would show them."""
    for path in paths:
        text = str(path.absolute())
        seen = look_at(text, (ui_of or {}).get(text, ""))
        if seen is not None:
            yield seen
