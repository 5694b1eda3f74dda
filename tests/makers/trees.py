"""A folder tree as a value, to say that nothing in it has changed."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path


def picture_of(root: Path) -> dict[str, tuple[str, ...]]:
    """Every path below `root` with its type, inode, mode, time and bytes."""
    seen: dict[str, tuple[str, ...]] = {}
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        facts = (str(info.st_ino), oct(info.st_mode), str(info.st_mtime_ns))
        if path.is_symlink():
            seen[str(path)] = (*facts, os.readlink(path))
        elif path.is_file():
            seen[str(path)] = (*facts, sha256(path.read_bytes()).hexdigest())
        else:
            seen[str(path)] = (oct(info.st_mode),)
    return seen
