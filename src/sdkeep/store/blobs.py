"""The content-addressed store of one volume: what goes in is whole, verified, read-only and named by its SHA-256.

<root>/sdkeep-store.json        says that the folder is ours, and in which form
<root>/staging/                 files on their way in; on the same volume, so that a rename finishes them
<root>/blobs/sha256/ab/<64 hex> the blobs, mode 0444
<root>/trash/                   see `trash`
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from sdkeep.ground.errors import DigestMismatch, InUse, StoreError, Truncated
from sdkeep.ground.events import Stop
from sdkeep.store import platform
from sdkeep.store.copying import Moved, copy_new, nothing_moved, sha256_of
from sdkeep.store.trouble import told

MARKER = "sdkeep-store.json"
FORMAT = 1
_HEX64 = re.compile(r"[0-9a-f]{64}")
_MARK = json.dumps({"what": "sdkeep store", "format": FORMAT}) + "\n"


def is_here(root: Path) -> bool:
    """Whether a store lies there: a drive that is not mounted leaves an empty folder, or none."""
    return (root / MARKER).is_file() or (root / "blobs").is_dir()


class Condition(StrEnum):
    """What `check` finds of a blob."""

    SOUND = "sound"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Blob:
    """One stored file. `links` counts its names on the volume, the store's own included; times are nanoseconds."""

    sha256: str
    path: Path
    size: int
    links: int
    inode: int
    changed_ns: int


class Store:
    """One blob root. Making the object only looks; `prepare` makes the folders.

    Raises `StoreError` for a folder that holds something else, or that a newer sdkeep has written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        with told(f"cannot read the store `{root}`"):
            self._check_ours()

    @property
    def staging(self) -> Path:
        """Where files are written before `commit`; exists after `prepare`."""
        return self.root / "staging"

    @property
    def blobs(self) -> Path:
        """The folder above all blobs."""
        return self.root / "blobs" / "sha256"

    @property
    def trash(self) -> Path:
        """Where `trash.Trash` keeps what was thrown away."""
        return self.root / "trash"

    def prepare(self) -> Self:
        """Make the folders that are missing. Safe to repeat, and for two processes at once."""
        with told(f"cannot make the store `{self.root}`"):
            self.root.mkdir(parents=True, exist_ok=True)
            self._check_ours()
            self._mark()
            for folder in (self.staging, self.blobs, self.trash):
                folder.mkdir(parents=True, exist_ok=True)
        return self

    def path_of(self, sha256: str) -> Path:
        """Where the blob lies or would lie; raises ValueError for what is no SHA-256 in lower-case hex."""
        if not _HEX64.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is no SHA-256 in lower-case hex")
        return self.blobs / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the blob is there. Nothing is read."""
        return self.path_of(sha256).is_file()

    def commit(self, staged: Path, sha256: str, size: int) -> Path:
        """Make a verified file in staging a blob: durable and whole under its name, or not there at all.

        The caller has hashed the bytes; the length is looked at once more. A blob that is there already stays and
        the staged file goes. Raises `Truncated` when the length differs.
        """
        target = self.path_of(sha256)
        with told(f"cannot store `{staged.name}`", size):
            self._check_staged(staged, size)
            if self._is_there(target, size):
                platform.remove(staged)
                return target
            self.prepare()
            self._make_durable_folder(target.parent)
            platform.fsync_file(staged)
            platform.make_read_only(staged)
            try:
                platform.move_new(staged, target)
            except FileExistsError:
                platform.remove(staged)
            platform.fsync_folder(target.parent)
        return target

    def adopt(self, path: Path, sha256: str, *, moved: Moved = nothing_moved, stop: Stop | None = None) -> Path:
        """Take in a copy of a file that lies elsewhere; the original is only read.

        The bytes are hashed on the way: `DigestMismatch` when they are not what `sha256` says.
        """
        if self.has(sha256):
            return self.path_of(sha256)
        self.prepare()
        staged = self.staging / platform.private_name(f"adopt-{sha256[:12]}", ".part")
        with told(f"cannot store `{path.name}`", path.stat().st_size if path.exists() else 0):
            try:
                found = self._copied(path, staged, moved, stop)
                if found != sha256:
                    raise DigestMismatch(
                        f"`{path.name}` is not what it was a moment ago", sha256, found, f"`sdkeep add '{path}'`"
                    )
                return self.commit(staged, sha256, staged.stat().st_size)
            finally:
                staged.unlink(missing_ok=True)

    def share(self, path: Path, sha256: str, *, moved: Moved = nothing_moved, stop: Stop | None = None) -> Path:
        """Make a file that lies on this volume a blob where it is: one file with two names, and nothing is copied.

        The file becomes read-only. Raises `StoreError` for one with other names already, since those would change
        too, `InUse` while a program writes to it, and `DigestMismatch` when its bytes are not what `sha256` says.
        """
        if self.has(sha256):
            return self.path_of(sha256)
        what = f"cannot share `{path.name}` with the store"
        self.prepare()
        staged = self.staging / platform.private_name(f"share-{sha256[:12]}", ".part")
        with told(what):
            platform.hard_link(path, staged)
            try:
                info = staged.lstat()
                if not stat.S_ISREG(info.st_mode) or info.st_nlink != 2:
                    raise StoreError(what, "it has other names, which would be changed with it")
                found = sha256_of(staged, moved=moved, stop=stop)
                if found != sha256:
                    raise DigestMismatch(f"`{path.name}` has changed", sha256, found, f"`sdkeep add '{path}'`")
                with staged.open("rb") as open_file:
                    if platform.written_elsewhere(open_file.fileno()):
                        raise InUse(what, "another program is writing to it", "close that program, then try again")
                    return self.commit(staged, sha256, info.st_size)
            finally:
                staged.unlink(missing_ok=True)

    def check(self, sha256: str, *, moved: Moved = nothing_moved, stop: Stop | None = None) -> Condition:
        """Read a blob in full and say whether its bytes are still the ones its name promises."""
        path = self.path_of(sha256)
        if not path.is_file():
            return Condition.MISSING
        with told(f"cannot read the blob `{sha256[:12]}`"):
            found = sha256_of(path, moved=moved, stop=stop)
        return Condition.SOUND if found == sha256 else Condition.DAMAGED

    def each(self) -> Iterator[Blob]:
        """Every blob, in the order of their names. Files with other names are passed over; see `strays`."""
        for path in self._files():
            if _is_blob(path):
                info = path.lstat()
                yield Blob(path.name, path, info.st_size, info.st_nlink, info.st_ino, info.st_ctime_ns)

    def strays(self) -> tuple[Path, ...]:
        """What lies among the blobs and is none."""
        return tuple(path for path in self._files() if not _is_blob(path))

    def _files(self) -> Iterator[Path]:
        if not self.blobs.is_dir():
            return
        with told(f"cannot read the store `{self.root}`"):
            for folder in sorted(self.blobs.iterdir()):
                yield from sorted(folder.iterdir()) if folder.is_dir() else [folder]

    def _copied(self, path: Path, staged: Path, moved: Moved, stop: Stop | None) -> str:
        if platform.same_volume(path, staged):
            try:
                platform.reflink(path, staged)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise
            else:
                return sha256_of(staged, moved=moved, stop=stop)
        return copy_new(path, staged, moved=moved, stop=stop).sha256

    def _check_staged(self, staged: Path, size: int) -> None:
        info = staged.lstat()
        if not stat.S_ISREG(info.st_mode):
            raise StoreError(f"`{staged.name}` is no plain file", "only plain files can be stored")
        if info.st_size != size:
            raise Truncated(
                f"`{staged.name}` has the wrong length", f"{info.st_size:,} bytes lie there, {size:,} were promised"
            )

    def _is_there(self, target: Path, size: int) -> bool:
        if not target.exists():
            return False
        if target.stat().st_size == size:
            return True
        raise StoreError(
            f"the stored copy `{target.name[:12]}` is damaged",
            f"{target.stat().st_size:,} bytes lie there where {size:,} belong",
            f"`sdkeep verify sha256:{target.name}` sets it aside",
        )

    def _make_durable_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            platform.fsync_folder(folder.parent)

    def _mark(self) -> None:
        marker = self.root / MARKER
        if marker.exists():
            return
        draft = self.root / platform.private_name(MARKER, ".tmp")
        with draft.open("x", encoding="utf-8") as file:
            file.write(_MARK)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(marker)  # two processes write the same words
        platform.fsync_folder(self.root)

    def _check_ours(self) -> None:
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise StoreError(f"`{self.root}` is no folder", "a store needs a folder of its own")
        marker = self.root / MARKER
        if marker.is_file():
            _check_format(self.root, marker)
        elif any(not name.name.startswith(MARKER) for name in self.root.iterdir()):
            raise StoreError(
                f"`{self.root}` is not a store of sdkeep",
                f"it holds other files and no `{MARKER}`",
                "name an empty or a new folder",
            )


def _is_blob(path: Path) -> bool:
    return bool(_HEX64.fullmatch(path.name)) and path.parent.name == path.name[:2] and not platform.is_link(path)


def _check_format(root: Path, marker: Path) -> None:
    try:
        said = json.loads(marker.read_text(encoding="utf-8"))
    except ValueError:
        said = None
    if not isinstance(said, dict) or said.get("what") != "sdkeep store" or not isinstance(said.get("format"), int):
        raise StoreError(f"`{root}` is not a store of sdkeep", f"its `{MARKER}` cannot be read", "name another folder")
    if said["format"] > FORMAT:
        raise StoreError(
            f"the store `{root}` was written by a newer sdkeep",
            f"its form is {said['format']}, this sdkeep knows {FORMAT}",
            "`pip install --upgrade sdkeep`",
        )
