"""A file replaced by a link to the same bytes in the store, proved equal in the moment before.

The order: both files open, compared to the last byte, looked at once more, then one rename that exchanges the file and
a link made beside it. What came out of the exchange is looked at again, and goes back unless it is the very file that
was compared. At every moment the path shows the same bytes, and no byte that was not compared is ever let go.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sdkeep.ground.errors import InUse, StoreError, WouldOverwrite
from sdkeep.ground.events import Stop
from sdkeep.ground.record import Location, Method
from sdkeep.store import platform
from sdkeep.store.copying import PIECE, Moved, nothing_moved
from sdkeep.store.links import SameBytes, Stamp, doubt_of, place, points_at, trade
from sdkeep.store.trash import Trash
from sdkeep.store.trouble import told

LINKS = (Method.HARDLINK, Method.REFLINK, Method.SYMLINK)


@dataclass(frozen=True, slots=True)
class Swap:
    """One file to replace: `path` by a link to `blob`, made first at `draft` in the same folder."""

    path: Path
    blob: Path
    draft: Path
    order: Sequence[Method] = (Method.HARDLINK, Method.REFLINK)


def draft_beside(path: Path) -> Path:
    """A name in the folder of `path` that no WebUI lists and `links.leftovers` knows as ours."""
    return path.with_name(platform.private_name(".sdkeep-dedupe", ".tmp"))


def stamp_of(path: Path) -> Stamp:
    """What a file has besides its bytes."""
    info = path.lstat()
    return Stamp(stat.S_IMODE(info.st_mode), info.st_mtime_ns)


def replace_by_link(swap: Swap, *, moved: Moved = nothing_moved, stop: Stop | None = None) -> Method:
    """Compare and replace; the method that worked. Whatever goes wrong, the path shows what it showed.

    Raises `WouldOverwrite` when the bytes differ or change, `InUse` when a program is writing to the file.
    """
    what = f"cannot link `{swap.path}` to the store"
    with told(what), _opened(swap.path) as mine, _opened(swap.blob) as stored:
        before = os.fstat(mine.fileno())
        if not stat.S_ISREG(before.st_mode) or os.path.samestat(before, os.fstat(stored.fileno())):
            raise StoreError(what, "it is no file of its own")
        if not _equal(mine, stored, moved, stop):
            raise WouldOverwrite(what, "its bytes are not those in the store", f"`sdkeep verify '{swap.path}'`")
        if platform.written_elsewhere(mine.fileno()):
            raise InUse(what, "another program is writing to it", "close that program, then try again")

        def compared(path: Path) -> bool:
            return all(_unchanged(before, info) for info in (path.lstat(), os.fstat(mine.fileno())))

        if swap.path.lstat().st_ctime_ns != before.st_ctime_ns:
            raise WouldOverwrite(what, "it was changed while it was compared", "try again")
        method = _link(swap, stored, what)
        trade(swap.draft, swap.path, compared, what)
    return method


def put_instead(swap: Swap, old: Location, old_blob: Path, trash: Trash, matches: SameBytes) -> Method:
    """Let a placement of ours show the blob of `swap` from now on; the method that worked.

    The path shows the one or the other at every moment. Where no blob holds the old bytes any more, they go to `trash`.
    `matches` reads a copy and says whether it has the recorded bytes. Raises `WouldOverwrite` when the path no longer
    shows what was put there.
    """
    what = f"cannot replace `{swap.path}`"

    def ours(path: Path) -> bool:
        return not doubt_of(old, path, old_blob, matches)

    def thrown(path: Path) -> None:
        trash.throw(path, "the last copy, replaced by a newer file", old.sha256)

    with told(what):
        doubt = doubt_of(old, swap.path, old_blob, matches)
        if doubt:
            raise WouldOverwrite(what, doubt, "`sdkeep doctor` lists what has changed")
        method = place(swap.blob, swap.draft, swap.order)
        last = old.method is not Method.SYMLINK and not old_blob.is_file()
        trade(swap.draft, swap.path, ours, what, thrown if last else None)
    return method


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes, read side by side."""
    with told(f"cannot compare `{one}` with `{other}`"), _opened(one) as first, _opened(other) as second:
        return _equal(first, second, nothing_moved, None)


def tidy(draft: Path, path: Path, blob: Path) -> bool:
    """Remove what a killed `replace_by_link` left at `draft`, where that is provably ours or a copy of the blob."""
    with told(f"cannot remove `{draft}`"):
        if not os.path.lexists(draft):
            return True
        ours = points_at(draft, blob) is not None
        copy = not platform.is_link(draft) and draft.is_file() and blob.is_file() and same_bytes(draft, blob)
        if ours or (copy and os.path.lexists(path)):
            platform.remove(draft)
            platform.fsync_folder(draft.parent)
            return True
    return False


def _opened(path: Path) -> closing[BinaryIO]:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return closing(os.fdopen(os.open(path, flags), "rb", buffering=0))


def _equal(one: BinaryIO, other: BinaryIO, moved: Moved, stop: Stop | None) -> bool:
    if os.fstat(one.fileno()).st_size != os.fstat(other.fileno()).st_size:
        return False
    done = 0
    while True:
        if stop:
            stop.check()
        mine, theirs = _piece(one), _piece(other)
        if mine != theirs:
            return False
        if not mine:
            return True
        done += len(mine)
        moved(done)


def _piece(file: BinaryIO) -> bytes:
    """The next full piece: a short read is no end."""
    parts: list[bytes] = []
    missing = PIECE
    while missing and (part := file.read(missing)):
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unchanged(before: os.stat_result, now: os.stat_result) -> bool:
    """The same file, unwritten. A rename changes the ctime, so that is not asked."""
    return os.path.samestat(before, now) and (before.st_size, before.st_mtime_ns) == (now.st_size, now.st_mtime_ns)


def _link(swap: Swap, stored: BinaryIO, what: str) -> Method:
    trouble: Exception = FileNotFoundError("no method was given")
    for method in swap.order:
        try:
            _MAKERS[method](swap.blob, swap.draft)
        except (OSError, NotImplementedError) as error:
            trouble = error
            continue
        if method is Method.REFLINK or os.path.samestat(swap.draft.stat(), os.fstat(stored.fileno())):
            return method
        platform.remove(swap.draft)
        raise StoreError(what, "the store changed in this moment", "try again")
    raise StoreError(what, f"no link can be made here: {trouble}", "`sdkeep doctor` lists the volumes in use")


_MAKERS: dict[Method, Callable[[Path, Path], None]] = {
    Method.HARDLINK: platform.hard_link,
    Method.REFLINK: platform.reflink,
    Method.SYMLINK: lambda blob, draft: draft.symlink_to(blob),
}
