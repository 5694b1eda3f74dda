"""The trash of one volume: a rename puts a file in, a rename brings it back, only `empty` lets bytes go.

Each entry is two files: `<id>.json`, written and durable first, and `<id>`, the bytes or the link itself.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sdkeep.ground.errors import NotFoundHere, StoreError, WouldOverwrite
from sdkeep.ground.record import Trashed
from sdkeep.store import platform
from sdkeep.store.copying import copy_new
from sdkeep.store.trouble import told

Clock = Callable[[], datetime]

_ID = re.compile(r"\d{8}T\d{6}Z-\d{3,}")
_NOTE_LIMIT = 64 << 10


class Trash:
    """The trash in `folder`. `clock` gives the present as an aware datetime."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder.absolute()
        self._clock = clock

    def throw(self, path: Path, reason: str, sha256: str = "") -> Trashed:
        """Take `path` (a file or a link, never a folder) out of sight, on the same volume, with a note."""
        with told(f"cannot move `{path}` to the trash"):
            info = path.lstat()
            if path.is_dir() and not platform.is_link(path):
                raise StoreError(f"cannot move `{path}` to the trash", "it is a folder; the trash takes single files")
            if not platform.same_volume(path.parent, self.folder):
                raise StoreError(
                    f"cannot move `{path}` to the trash",
                    f"it lies on another volume than `{self.folder}`",
                    "use the trash of its own volume",
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            noted = self._note(path.absolute(), reason, sha256, info.st_size)
            path.rename(noted.path)
            platform.fsync_folder(self.folder)
            platform.fsync_folder(path.parent)
        return noted

    def list(self) -> tuple[Trashed, ...]:
        """What lies in the trash, oldest first. Notes whose bytes never arrived are not shown."""
        with told(f"cannot read the trash `{self.folder}`"):
            names = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
            return tuple(self._read(path) for path in names if _ID.fullmatch(path.name))

    def find(self, id: str) -> Trashed:
        """The entry with this id; raises `NotFoundHere`."""
        found = next((entry for entry in self.list() if entry.id == id), None)
        if found is None:
            raise NotFoundHere(f"`{id}` is not in the trash", "", "`sdkeep restore` lists what is")
        return found

    def restore(self, trashed: Trashed, to: Path | None = None) -> Path:
        """Put an entry back where it was, or at `to`; never onto something that is there."""
        target = (to or Path(trashed.original)).absolute()
        if not trashed.original and to is None:
            raise StoreError(f"cannot restore `{trashed.id}`", "its note is lost, so its place is not known")
        entry = self.folder / trashed.id
        with told(f"cannot restore `{target}`", trashed.size):
            if os.path.lexists(target):
                raise WouldOverwrite(
                    f"cannot restore `{target}`", "something is there now", "move it away, or name another place"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            self._bring(entry, target)
            platform.fsync_folder(target.parent)
            self._note_of(trashed.id).unlink(missing_ok=True)
        return target

    def empty(self, before: datetime | None = None) -> tuple[Trashed, ...]:
        """Let go of what was thrown away before `before` (of everything without it); says what it was."""
        limit = _stamp(before) if before else None
        gone = tuple(entry for entry in self.list() if limit is None or entry.at < limit)
        with told(f"cannot empty the trash `{self.folder}`"):
            for entry in gone:
                platform.remove(self.folder / entry.id)
                self._note_of(entry.id).unlink(missing_ok=True)
        return gone

    def _bring(self, entry: Path, target: Path) -> None:
        try:
            platform.move_new(entry, target)
        except OSError as error:
            if error.errno != errno.EXDEV or platform.is_link(entry):
                raise
            draft = target.with_name(platform.private_name(".sdkeep-restore", ".tmp"))
            copy_new(entry, draft)
            platform.move_new(draft, target)
            platform.remove(entry)

    def _note(self, path: Path, reason: str, sha256: str, size: int) -> Trashed:
        now = self._clock().astimezone(UTC)
        for number in range(100_000):
            id = f"{now:%Y%m%dT%H%M%SZ}-{number:03d}"
            kept = Trashed(id, str(self.folder / id), str(path), sha256, size, _stamp(now), reason)
            try:
                self._write_note(kept)
            except FileExistsError:
                continue
            return kept
        raise StoreError("the trash has no free name left for this second", "", "try again")

    def _write_note(self, kept: Trashed) -> None:
        words = {"original": kept.original, "sha256": kept.sha256, "size": kept.size, "at": kept.at}
        with self._note_of(kept.id).open("x", encoding="utf-8") as note:
            json.dump(words | {"reason": kept.reason}, note)
            note.flush()
            os.fsync(note.fileno())

    def _read(self, entry: Path) -> Trashed:
        note = self._note_of(entry.name)
        words: object = None
        try:
            if note.stat().st_size <= _NOTE_LIMIT:
                words = json.loads(note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            pass  # the bytes are still listed, without their story
        told_of = words if isinstance(words, dict) else {}
        return Trashed(
            entry.name,
            str(entry),
            str(told_of.get("original", "")),
            str(told_of.get("sha256", "")),
            entry.lstat().st_size,
            str(told_of.get("at", "")) or _from_id(entry.name),
            str(told_of.get("reason", "")),
        )

    def _note_of(self, id: str) -> Path:
        return self.folder / f"{id}.json"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _from_id(id: str) -> str:
    return datetime.strptime(id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
