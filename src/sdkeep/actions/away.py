"""Folders that may only be away: a drive that is not mounted leaves an empty folder, or none, and nothing follows."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

GONE = "the folder is not there; is the drive away?"
EMPTY = "the folder is empty or not mounted"
_LINK = "a link on the way leads nowhere; is the drive away?"


class Recorded:
    """The paths on record that are thought to be there, asked by folder."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = sorted(paths)

    def below(self, folder: Path) -> int:
        """How many lie below a folder."""
        start = f"{folder}{os.sep}"
        first = bisect_left(self._paths, start)
        return bisect_left(self._paths, start[:-1] + chr(ord(os.sep) + 1), first) - first


def is_empty(folder: Path) -> bool:
    """Whether nothing at all lies in a folder that is there; False for one that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def why_away(folder: Path, root: Path | None, recorded: Recorded, *, believed: bool) -> str:
    """Why a folder may only be away; empty when it is there, or was never made.

    `root` is the WebUI's own folder, None for a folder that a person named. `believed` takes an empty folder at its
    word. One file less is a person's doing; that all are gone, and the folder's place besides, looks like a drive.
    """
    inside = root is not None and folder.is_relative_to(root)
    if folder.is_dir():
        count = 0 if believed else recorded.below(folder)
        away = count > 1 or (count and (not inside or folder.is_symlink()))
        return EMPTY if away and is_empty(folder) else ""
    if any(path.is_symlink() and not path.exists() for path in (folder, *folder.parents)):
        return _LINK
    if not inside:
        return GONE
    standing = next((path for path in folder.parents if path.is_dir()), folder)
    return EMPTY if not believed and recorded.below(folder) and is_empty(standing) else ""
