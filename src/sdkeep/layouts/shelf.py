"""What already lies in the folders of one kind, by stem: a new file must not answer to the same name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sdkeep.layouts.values import Shelf

_DEEPEST = 32


def stems(folders: Iterable[Path], shelf: Shelf, key: Callable[[str], str]) -> dict[str, tuple[Path, ...]]:
    """Every listed file below `folders`, grouped by `key` of its stem (case-folded, as disks and prompts compare).

    Broken links count: their name is taken. Folders that cannot be read are passed over. A cycle of links ends.
    """
    found: dict[str, list[Path]] = {}
    for path in _files(folders, shelf):
        if shelf.lists(path.suffix):
            found.setdefault(key(path.stem), []).append(path)
    return {name: tuple(paths) for name, paths in found.items()}


def _files(folders: Iterable[Path], shelf: Shelf) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    waiting = [(folder, 0) for folder in folders]
    while waiting:
        folder, depth = waiting.pop()
        try:
            info = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        if (info.st_dev, info.st_ino) in seen:
            continue
        seen.add((info.st_dev, info.st_ino))
        for entry in entries:
            if _is_folder(entry, follow=shelf.follows_folders):
                if shelf.recursive and depth < _DEEPEST:
                    waiting.append((Path(entry.path), depth + 1))
            elif not _is_folder(entry):
                yield Path(entry.path)


def _is_folder(entry: os.DirEntry[str], *, follow: bool = True) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:  # a loop of links
        return False
