"""Zip archives of wildcards, poses or embeddings, unpacked member by member under names and limits of our own."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from sdkeep.ground.errors import FormatError
from sdkeep.ground.events import Stop
from sdkeep.ground.text import one_line
from sdkeep.store import platform
from sdkeep.store.names import safe_name, safe_stem, split_name, stem_key
from sdkeep.store.trouble import told

_PIECE = 1 << 20
_NOISE = ("__MACOSX/",)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may unpack to; sizes in bytes, `ratio` is unpacked to packed."""

    member: int = 2 << 30
    total: int = 8 << 30
    count: int = 10_000
    ratio: int = 200


@dataclass(frozen=True, slots=True)
class Unpacked:
    """One member: its name in the archive, the safe name it should get, and where its bytes lie now."""

    member: str
    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A member that was not unpacked, and why."""

    member: str
    why: str


@dataclass(frozen=True, slots=True)
class Unpacking:
    """All that came out of an archive, and all that did not."""

    members: tuple[Unpacked, ...]
    skipped: tuple[Skipped, ...]


class _TooMuch(Exception):
    """A member that turns out longer than it may be."""


def unpack(
    archive: Path,
    staging: Path,
    *,
    extensions: Collection[str] = (),
    limits: Limits | None = None,
    stop: Stop | None = None,
) -> Unpacking:
    """Unpack into `staging` under names that are ours alone; folders inside the archive are flattened.

    With `extensions` (`.txt`, lower case) other members are skipped. Links, encrypted members and paths that climb or
    are absolute are skipped with a reason. Raises `FormatError` for what is no zip or breaks a limit as a whole; then
    nothing is left behind.
    """
    limits = limits or Limits()
    with told(f"cannot unpack `{archive.name}`"):
        try:
            with zipfile.ZipFile(archive) as opened:
                return _Work(opened, archive.name, staging, limits, frozenset(extensions), stop).run()
        except (zipfile.BadZipFile, UnicodeError, ValueError) as error:
            raise FormatError(f"`{archive.name}` cannot be unpacked", str(error), rule="archive-broken") from error


class _Work:
    """One archive being unpacked: what is done so far, and the names that are taken."""

    def __init__(
        self,
        opened: zipfile.ZipFile,
        name: str,
        staging: Path,
        limits: Limits,
        extensions: frozenset[str],
        stop: Stop | None,
    ) -> None:
        self._opened = opened
        self._name = name
        self._staging = staging
        self._limits = limits
        self._extensions = extensions
        self._stop = stop
        self._members: list[Unpacked] = []
        self._skipped: list[Skipped] = []
        self._taken: set[str] = set()

    def run(self) -> Unpacking:
        """Unpack everything or, when the whole breaks a limit, nothing."""
        entries = [entry for entry in self._opened.infolist() if not entry.is_dir()]
        self._check_whole(entries)
        try:
            for entry in entries:
                if self._stop:
                    self._stop.check()
                self._one(entry)
        except BaseException:
            for member in self._members:
                member.path.unlink(missing_ok=True)
            raise
        return Unpacking(tuple(self._members), tuple(self._skipped))

    def _check_whole(self, entries: list[zipfile.ZipInfo]) -> None:
        total = sum(entry.file_size for entry in entries)
        if len(entries) > self._limits.count:
            raise self._refused(f"it holds {len(entries):,} files, {self._limits.count:,} are allowed")
        if total > self._limits.total:
            raise self._refused(f"it unpacks to {total:,} bytes, {self._limits.total:,} are allowed")

    def _refused(self, why: str) -> FormatError:
        return FormatError(f"`{self._name}` is not unpacked", why, rule="archive-limit")

    def _one(self, entry: zipfile.ZipInfo) -> None:
        member = one_line(entry.filename, 200)
        why = self._objection(entry)
        if why:
            self._skipped.append(Skipped(member, why))
            return
        draft = self._staging / platform.private_name("unpack", ".part")
        try:
            with self._opened.open(entry) as reading, draft.open("xb") as writing:
                size = self._pour(reading, writing)
        except _TooMuch:
            draft.unlink()
            self._skipped.append(Skipped(member, "it is longer than it says"))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            draft.unlink(missing_ok=True)
            self._skipped.append(Skipped(member, f"its bytes cannot be read: {error}"))
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        else:
            self._members.append(Unpacked(member, self._free_name(entry.filename), draft, size))

    def _objection(self, entry: zipfile.ZipInfo) -> str:
        name = entry.filename.replace("\\", "/")
        path = PurePosixPath(name)
        mode = entry.external_attr >> 16
        extension = split_name(path.name)[1]
        if path.is_absolute() or ".." in path.parts or ":" in name:
            return "its path leads out of the archive"
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            return "it is a link or a device"
        if entry.flag_bits & 1:
            return "it is encrypted"
        if name.startswith(_NOISE) or path.name.startswith("."):
            return "it is a hidden file"
        if entry.file_size > self._limits.member:
            return f"it unpacks to {entry.file_size:,} bytes, {self._limits.member:,} are allowed"
        if entry.file_size > _PIECE and entry.file_size > self._limits.ratio * max(entry.compress_size, 1):
            return "it unpacks to far more than a real file of its packed size would"
        if self._extensions and extension not in self._extensions:
            return f"`{extension or 'no extension'}` is none of {', '.join(sorted(self._extensions))}"
        return ""

    def _pour(self, reading: IO[bytes], writing: IO[bytes]) -> int:
        done = 0
        while piece := reading.read(_PIECE):
            done += len(piece)
            if done > self._limits.member:
                raise _TooMuch
            writing.write(piece)
        return done

    def _free_name(self, member: str) -> str:
        stem, extension = split_name(member)
        stem = safe_stem(stem, 180)
        name, number = safe_name(stem, extension), 2
        while stem_key(name) in self._taken:
            name, number = safe_name(f"{stem}-{number}", extension), number + 1
        self._taken.add(stem_key(name))
        return name
