"""Files put where a WebUI looks, and taken away again only where we can prove that we put them there.

Files are linked, never folders. Nothing that exists is ever written over.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sdkeep.ground.errors import DigestMismatch, StoreError, WouldOverwrite
from sdkeep.ground.record import Location, Method, Trashed
from sdkeep.store import platform
from sdkeep.store.copying import copy_new
from sdkeep.store.platform import mtime_of
from sdkeep.store.trash import Trash
from sdkeep.store.trouble import as_store_error, told

SameBytes = Callable[[Path], bool]

_DRAFT = re.compile(r"\.sdkeep-(?:[a-z]+-)?\d+-\d+\.tmp")


class Outcome(StrEnum):
    """How `unplace` ended."""

    REMOVED = "removed"
    GONE = "gone"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file had besides its bytes: permission bits, and the time of its last change in nanoseconds."""

    mode: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of a placed file. `why` says why it was left; `trashed` is set where the last bytes were in it."""

    outcome: Outcome
    why: str = ""
    trashed: Trashed | None = None

    @property
    def removed(self) -> bool:
        """Whether nothing of ours is left at the path."""
        return self.outcome is not Outcome.LEFT


def methods(blob_root: Path, folder: Path, *, symlinks: bool) -> tuple[Method, ...]:
    """The ways to place from a blob root into `folder`, best first; the first is the one to expect.

    `symlinks` says whether the WebUI reads a link by the link's own name.
    """
    order: list[Method] = []
    if platform.same_volume(blob_root, folder):
        order = [Method.HARDLINK, Method.REFLINK] if platform.has_hard_links(folder) else [Method.REFLINK]
    if symlinks and platform.has_hard_links(folder):  # FAT has neither
        order.append(Method.SYMLINK)
    return (*order, Method.COPY)


def place(blob: Path, target: Path, order: Sequence[Method], *, within: Path | None = None) -> Method:
    """Make `target` show the bytes of `blob` by the first method of `order` that works, and name that method.

    Missing folders are made, but none through a linked folder that leads out of `within` (the folder that the WebUI
    reads). Raises `WouldOverwrite` when anything is at `target`, even a broken link.
    """
    what = f"cannot place `{target.name}` in `{target.parent}`"
    target = platform.long(target.absolute())
    with told(what):
        if not blob.is_file():
            raise StoreError(what, f"its bytes are not in the store: `{blob}`", "`sdkeep doctor`")
        if os.path.lexists(target):
            raise _in_the_way(what, target)
        _make_folder(target.parent, within, what)
    trouble: OSError = FileNotFoundError("no method was given")
    for method in order:
        try:
            _MAKERS[method](blob.absolute(), target)
            platform.fsync_folder(target.parent)
        except FileExistsError as error:
            raise _in_the_way(what, target) from error
        except (OSError, NotImplementedError) as error:
            trouble = error if isinstance(error, OSError) else OSError(str(error))
        else:
            return method
    raise as_store_error(trouble, what, blob.stat().st_size) from trouble


def locate(target: Path, sha256: str, method: Method, ui: str = "") -> Location:
    """The catalogue's record of a file that `place` has just made."""
    with told(f"cannot look at `{target}`"):
        info = target.lstat()
    return Location(
        str(target.absolute()), sha256, method, True, ui, info.st_ino, mtime_of(info), target.stat().st_size
    )


def points_at(target: Path, blob: Path) -> Method | None:
    """`hardlink` or `symlink` when `target` is already such a name of `blob`, else None."""
    if platform.is_link(target):
        return Method.SYMLINK if _leads_to(target, blob) else None
    return Method.HARDLINK if _same_inode(target, blob) else None


def unplace(location: Location, blob: Path, trash: Trash, same_bytes: SameBytes) -> Removal:
    """Take a placed file away if it is provably ours; else leave it, and say why.

    Proof is the record (`ours`) and the disk: a hard link shares the blob's inode, a symbolic link points at the blob,
    a copy has the recorded bytes, which `same_bytes` finds out by reading the path. Where no blob holds these
    bytes any more, the file goes to `trash` instead of away.
    """
    path = Path(location.path)
    if not location.ours or location.method is Method.IN_PLACE:
        return Removal(Outcome.LEFT, "sdkeep did not put it there")
    if not os.path.lexists(path):
        return Removal(Outcome.GONE)
    with told(f"cannot remove `{path}`"):
        doubt = doubt_of(location, path, blob, same_bytes)
        if doubt:
            return Removal(Outcome.LEFT, doubt)
        if location.method is Method.SYMLINK or blob.is_file():
            platform.remove(path)
            platform.fsync_folder(path.parent)
            return Removal(Outcome.REMOVED)
        return Removal(Outcome.REMOVED, trashed=trash.throw(path, "the last copy, unplaced", location.sha256))


def make_plain(location: Location, blob: Path, same_bytes: SameBytes, stamp: Stamp | None = None) -> Path:
    """Turn a placement into a file of its own, which needs the store no more; the bytes stay in the store too.

    With a `stamp` the file gets that mode and time. Raises `WouldOverwrite` when the path no longer shows our bytes.
    """
    path = Path(location.path)
    what = f"cannot turn `{path}` into a plain file"
    with told(what, location.size):
        catalogued = location.method is Method.IN_PLACE
        doubt = "sdkeep did not put it there" if catalogued else doubt_of(location, path, blob, same_bytes)
        if doubt:
            raise WouldOverwrite(what, doubt, "`sdkeep doctor` lists what has changed")
        if location.method in (Method.HARDLINK, Method.SYMLINK):
            draft = path.with_name(platform.private_name(".sdkeep-plain", ".tmp"))
            _drafted(blob, draft, stamp)
            trade(draft, path, lambda aside: bool(points_at(aside, blob)), what)
    return path


def _drafted(blob: Path, draft: Path, stamp: Stamp | None) -> None:
    try:
        _check_copy(blob, copy_new(blob, draft).sha256)
        if stamp:
            draft.chmod(stamp.mode)
            os.utime(draft, ns=(stamp.mtime_ns, stamp.mtime_ns))
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def trade(
    draft: Path, path: Path, expected: Callable[[Path], bool], what: str, saved: Callable[[Path], object] | None = None
) -> None:
    """Put `draft` in the place of `path`, whose old file goes if it is still the `expected` one; else nothing changes.

    The two names are exchanged in one step and the old file is looked at again under the draft's name, so that whatever
    somebody put there at the last moment goes back. The draft is gone afterwards, unless another file lies in it.
    `saved` takes the old file away instead of removing it: it holds the last copy of its bytes.
    """
    if not expected(path):
        platform.remove(draft)
        raise WouldOverwrite(what, "another file is there now", "`sdkeep doctor` lists what has changed")
    if not platform.exchange(draft, path):
        if saved:
            saved(path)
            platform.move_new(draft, path)
        else:
            draft.replace(path)  # nothing better here: a file put there in this instant is lost
    elif expected(draft):
        (saved or platform.remove)(draft)
    else:
        platform.exchange(draft, path)
        platform.remove(draft)
        raise WouldOverwrite(what, "another file was put there in this moment", "try again")
    platform.fsync_folder(path.parent)


def leftovers(folder: Path, before: datetime) -> tuple[Path, ...]:
    """Drafts in `folder` that a killed command never finished, last touched before `before`; ours by their name."""
    with told(f"cannot read `{folder}`"):
        drafts = [path for path in sorted(folder.glob(".sdkeep-*.tmp")) if _DRAFT.fullmatch(path.name)]
        return tuple(path for path in drafts if path.lstat().st_mtime < before.timestamp())


def doubt_of(location: Location, path: Path, blob: Path, same_bytes: SameBytes) -> str:
    """Why the file at `path` may not be the placement that `location` records; empty when it provably is."""
    if location.method is Method.SYMLINK:
        return "" if platform.is_link(path) and _leads_to(path, blob) else "it no longer points into the store"
    info = path.lstat()
    if platform.is_link(path) or not stat.S_ISREG(info.st_mode):
        return "something else than a file is there now"
    if location.method is Method.HARDLINK and blob.is_file():
        return "" if _same_inode(path, blob) else "another file is there now"
    if location.method is Method.HARDLINK and info.st_ino != location.inode:
        return "another file is there now"
    if info.st_size != location.size or not same_bytes(path):
        return "its bytes have changed since it was placed"
    return ""


def _same_inode(path: Path, blob: Path) -> bool:
    try:
        return os.path.samestat(path.lstat(), blob.lstat())
    except OSError:
        return False


def _leads_to(link: Path, blob: Path) -> bool:
    try:
        return platform.link_target(link) == blob.absolute() or link.resolve() == blob.resolve()
    except OSError:
        return False


def _make_folder(folder: Path, within: Path | None, what: str) -> None:
    if folder.is_dir():
        return
    standing = platform.standing(folder)
    if not standing.is_dir() or _broken_link_above(folder, standing):
        raise StoreError(what, f"`{standing}` is in the way of the folder", "move it away, then try again")
    if within is not None and within.exists() and not standing.resolve().is_relative_to(within.resolve()):
        raise StoreError(
            what, f"`{standing}` leads out of `{within}`", f"make the folder yourself: `mkdir -p '{folder}'`"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for made in (folder, *folder.parents):
        platform.fsync_folder(made)
        if made == standing:
            break


def _broken_link_above(folder: Path, standing: Path) -> bool:
    missing = [part for part in (folder, *folder.parents) if part != standing and part.is_relative_to(standing)]
    return any(os.path.lexists(part) for part in missing)


def _in_the_way(what: str, target: Path) -> WouldOverwrite:
    kind = "a link" if platform.is_link(target) else "a folder" if target.is_dir() else "a file"
    look = "ls -l" if target.is_dir() or platform.is_link(target) else "sdkeep show"
    return WouldOverwrite(what, f"{kind} of that name is there already", f"look at it: `{look} '{target}'`")


def _draft_of(target: Path) -> Path:
    """A name in the same folder that no WebUI lists."""
    return target.with_name(platform.private_name(".sdkeep-place", ".tmp"))


def _symlink(blob: Path, target: Path) -> None:
    target.symlink_to(blob)


def _reflink(blob: Path, target: Path) -> None:
    draft = _draft_of(target)
    try:
        platform.reflink(blob, draft)
        platform.move_new(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _copy(blob: Path, target: Path) -> None:
    draft = _draft_of(target)
    try:
        _check_copy(blob, copy_new(blob, draft).sha256)
        platform.move_new(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _check_copy(blob: Path, sha256: str) -> None:
    if len(blob.name) == 64 and blob.name != sha256:
        raise DigestMismatch(
            f"the stored copy `{blob.name[:12]}` is damaged", blob.name, sha256, f"`sdkeep verify sha256:{blob.name}`"
        )


_MAKERS: dict[Method, Callable[[Path, Path], None]] = {
    Method.HARDLINK: platform.hard_link,
    Method.REFLINK: _reflink,
    Method.SYMLINK: _symlink,
    Method.COPY: _copy,
}
