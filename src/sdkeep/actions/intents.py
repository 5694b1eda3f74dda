"""One row before each file action, and what to do with the rows that a crash left open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.ground.record import Intent, IntentState, Location, Method
from sdkeep.store.blobs import Store, is_here
from sdkeep.store.copying import sha256_of
from sdkeep.store.links import leftovers, locate, points_at
from sdkeep.store.platform import move_new, mtime_of
from sdkeep.store.swap import tidy

STORE = "store"
PLACE = "place"
UNPLACE = "unplace"
DISCARD = "discard"
DEDUPE = "dedupe"
EJECT = "eject"
REPLACE = "replace"
UPDATE = "update"


@contextmanager
def intending(house: House, action: str, **detail: str) -> Iterator[None]:
    """Write the intent, run the block, close the intent; when the block breaks, settle what it left on the disk."""
    intent = house.book.begin_intent(action, detail)
    try:
        yield
    except BaseException:
        settle(house, intent)
        raise
    house.book.close_intent(intent.id, IntentState.DONE)


def settle(house: House, intent: Intent) -> str:
    """Finish or undo one open intent by looking at the disk; says in a sentence which it was.

    Every file action is atomic, so the disk holds either the old state or the new one: a new one is recorded, an old
    one is left. Nothing is deleted here.
    """
    try:
        settled, sentence = _SETTLERS.get(intent.action, _unknown)(house, intent.detail)
    except KeyError:  # a detail that this version needs and the writer's did not know
        settled, sentence = _unknown(house, intent.detail)
    house.book.close_intent(intent.id, IntentState.DONE if settled else IntentState.UNDONE)
    return sentence


def _settle_store(house: House, detail: dict[str, str]) -> tuple[bool, str]:
    sha256, root = detail["sha256"], Path(detail["root"])
    store = Store(root) if is_here(root) else None
    if store is None or not store.has(sha256):
        return False, f"{sha256[:12]} never reached the store"
    if house.book.artifact(sha256) is None:
        return False, f"{sha256[:12]} reached the store but not the catalogue; `sdkeep gc` clears it away"
    house.book.put_blob(sha256, str(root), store.path_of(sha256).stat().st_size)
    return True, f"{sha256[:12]} is in the store"


def _settle_place(house: House, detail: dict[str, str]) -> tuple[bool, str]:
    path, sha256 = Path(detail["path"]), detail["sha256"]
    store = Store(Path(detail["root"])) if is_here(Path(detail["root"])) else None
    method = points_at(path, store.path_of(sha256)) if store and store.has(sha256) else None
    if method is None:
        return False, f"`{path}` was not placed, or cannot be proved to be ours"
    house.book.put_location(locate(path, sha256, method, detail.get("ui", "")))
    return True, f"`{path}` is placed"


def _settle_unplace(house: House, detail: dict[str, str]) -> tuple[bool, str]:
    path = Path(detail["path"])
    if path.is_symlink() or path.exists():
        return False, f"`{path}` is still placed"
    house.book.drop_location(str(path))
    return True, f"`{path}` is gone"


def _settle_discard(house: House, detail: dict[str, str]) -> tuple[bool, str]:
    sha256, root = detail["sha256"], Path(detail["root"])
    if not is_here(root):
        return False, f"the store `{root}` is not there, so {sha256[:12]} may still be in it"
    if Store(root).has(sha256):
        return False, f"{sha256[:12]} is still in the store"
    house.book.drop_blob(sha256, str(root))
    return True, f"{sha256[:12]} left the store"


def _settle_dedupe(house: House, detail: dict[str, str]) -> tuple[bool, str]:
    path, blob, sha256 = _linked(detail)
    method = points_at(path, blob)
    if method and house.book.artifact(sha256):
        known = house.book.location_at(str(path))
        ours = known is not None and known.ours and known.sha256 == sha256
        made = replace(locate(path, sha256, method, detail.get("ui", "")), ours=ours, blob_root=detail["root"])
        house.book.put_location(made)
    draft = detail.get("draft", "")
    if draft and not tidy(Path(draft), path, blob):
        return bool(method), f"`{draft}` holds what lay at `{path}`; look at both"
    return bool(method), f"`{path}` is linked" if method else f"`{path}` stays a file of its own"


def _settle_replace(house: House, detail: dict[str, str]) -> tuple[bool, str]:
    """A placement of one blob that was to show another: whichever it shows now is recorded."""
    path, blob, sha256 = _linked(detail)
    draft, old = Path(detail["draft"]), Store(Path(detail["old_root"])).path_of(detail["old"])
    if not os.path.lexists(path) and _method_of(draft, blob, sha256):
        move_new(draft, path)
    method = _method_of(path, blob, sha256)
    if method and house.book.artifact(sha256):
        house.book.put_location(replace(locate(path, sha256, method, detail["ui"]), blob_root=detail["root"]))
    if not tidy(draft, path, old if method else blob):
        return bool(method), f"`{draft}` holds what lay at `{path}`; look at both"
    return bool(method), f"`{path}` is the newer file" if method else f"`{path}` is the old file still"


def _method_of(path: Path, blob: Path, sha256: str) -> Method | None:
    """How a path shows a blob; a file with its bytes is a copy. None where it does not."""
    method = points_at(path, blob)
    if method or not path.is_file() or not blob.is_file() or path.stat().st_size != blob.stat().st_size:
        return method
    return Method.COPY if sha256_of(path) == sha256 else None


def _settle_update(house: House, detail: dict[str, str]) -> tuple[bool, str]:
    from sdkeep.actions.replacing import finish

    return finish(house, detail)


def _settle_eject(house: House, detail: dict[str, str]) -> tuple[bool, str]:
    path, blob, sha256 = _linked(detail)
    for draft in leftovers(path.parent, house.moment()):
        if points_at(draft, blob):
            tidy(draft, path, blob)
    known = house.book.location_at(str(path))
    if points_at(path, blob) or known is None or not path.is_file() or path.is_symlink():
        return False, f"`{path}` stays as it was"
    if path.stat().st_size != known.size or sha256_of(path) != sha256:
        return False, f"another file lies at `{path}` now"
    house.book.put_location(plain_location(known))
    return True, f"`{path}` is a file of its own"


def plain_location(known: Location) -> Location:
    """The record of a placement that has become a file of its own: a copy of ours, or the person's file again."""
    info = Path(known.path).lstat()
    method = Method.COPY if known.ours else Method.IN_PLACE
    return replace(known, method=method, inode=info.st_ino, mtime_ns=mtime_of(info), size=info.st_size)


def _linked(detail: dict[str, str]) -> tuple[Path, Path, str]:
    root = Path(detail["root"])
    if not is_here(root):
        raise KeyError("root")
    return Path(detail["path"]), Store(root).path_of(detail["sha256"]), detail["sha256"]


def _unknown(_house: House, _detail: dict[str, str]) -> tuple[bool, str]:
    return False, "an intent of another version of sdkeep was closed untouched"


_SETTLERS = {
    STORE: _settle_store,
    PLACE: _settle_place,
    UNPLACE: _settle_unplace,
    DISCARD: _settle_discard,
    DEDUPE: _settle_dedupe,
    EJECT: _settle_eject,
    REPLACE: _settle_replace,
    UPDATE: _settle_update,
}
