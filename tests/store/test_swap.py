"""A file put in the place of another by one rename: the right one goes, and never a byte that is held nowhere else."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from sdkeep.ground.errors import StoreError, WouldOverwrite
from sdkeep.ground.record import Location, Method
from sdkeep.store import platform
from sdkeep.store.blobs import Store
from sdkeep.store.copying import sha256_of
from sdkeep.store.links import locate, place
from sdkeep.store.swap import Swap, draft_beside, put_instead, replace_by_link, tidy
from sdkeep.store.trash import Trash

OLD, NEW = b"the old bytes", b"the newer bytes"
METHODS = [Method.HARDLINK, Method.SYMLINK, Method.COPY]


def stored(store: Store, data: bytes) -> Path:
    staged = store.staging / "x"
    staged.write_bytes(data)
    return store.commit(staged, sha256(data).hexdigest(), len(data))


class Shelf:
    """A store with two blobs, and a folder where the older one is placed."""

    def __init__(self, root: Path, method: Method) -> None:
        self.store = Store(root / "store").prepare()
        self.old, self.new = stored(self.store, OLD), stored(self.store, NEW)
        self.path = root / "ui" / "x.safetensors"
        self.location: Location = locate(self.path, self.old.name, place(self.old, self.path, [method]))
        self.trash = Trash(self.store.trash, lambda: datetime.now(UTC))

    def swap(self, *order: Method) -> Method:
        return put_instead(
            Swap(self.path, self.new, draft_beside(self.path), order),
            self.location,
            self.old,
            self.trash,
            lambda path: sha256_of(path) == self.location.sha256,
        )

    def is_tidy(self) -> bool:
        return [one.name for one in self.path.parent.iterdir()] == [self.path.name]


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "no exchange"])
@pytest.mark.parametrize("new", METHODS)
@pytest.mark.parametrize("old", METHODS)
def test_a_placement_shows_the_newer_blob(
    tmp_path: Path, old: Method, new: Method, exchanges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path, old)
    if not exchanges:
        monkeypatch.setattr(platform, "exchange", lambda one, other: False)
    assert shelf.swap(new) is new
    assert (shelf.path.read_bytes(), shelf.path.is_symlink()) == (NEW, new is Method.SYMLINK)
    assert shelf.is_tidy()
    assert shelf.trash.list() == ()
    assert shelf.old.read_bytes() == OLD


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "no exchange"])
@pytest.mark.parametrize("old", [Method.HARDLINK, Method.COPY])
def test_bytes_that_no_blob_holds_any_more_go_to_the_trash(
    tmp_path: Path, old: Method, exchanges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path, old)
    shelf.old.unlink()
    if not exchanges:
        monkeypatch.setattr(platform, "exchange", lambda one, other: False)
    shelf.swap(Method.HARDLINK)
    assert shelf.path.read_bytes() == NEW
    (kept,) = shelf.trash.list()
    assert (Path(kept.path).read_bytes(), kept.sha256) == (OLD, shelf.location.sha256)
    assert shelf.is_tidy()


@pytest.mark.parametrize("old", METHODS)
def test_what_somebody_put_there_stays(tmp_path: Path, old: Method) -> None:
    shelf = Shelf(tmp_path, old)
    shelf.path.unlink()
    shelf.path.write_bytes(b"mine")
    with pytest.raises(WouldOverwrite):
        shelf.swap(Method.HARDLINK)
    assert shelf.path.read_bytes() == b"mine"
    assert shelf.is_tidy()


def test_what_somebody_puts_there_in_the_last_moment_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path, Method.HARDLINK)
    real, done = platform.exchange, []

    def exchange(one: Path, other: Path) -> bool:
        if not done:
            done.append(True)
            shelf.path.unlink()
            shelf.path.write_bytes(b"mine, just now")
        return real(one, other)

    monkeypatch.setattr(platform, "exchange", exchange)
    with pytest.raises(WouldOverwrite):
        shelf.swap(Method.HARDLINK)
    assert shelf.path.read_bytes() == b"mine, just now"
    assert shelf.is_tidy()


def test_a_blob_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, Method.HARDLINK)
    shelf.new.unlink()
    with pytest.raises(StoreError):
        shelf.swap(Method.HARDLINK)
    assert shelf.path.samefile(shelf.old)
    assert shelf.is_tidy()


def test_only_equal_files_become_links(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, Method.COPY)
    draft = draft_beside(shelf.path)
    with pytest.raises(WouldOverwrite):
        replace_by_link(Swap(shelf.path, shelf.new, draft))
    assert replace_by_link(Swap(shelf.path, shelf.old, draft)) is Method.HARDLINK
    assert shelf.path.samefile(shelf.old)
    assert shelf.is_tidy()


@pytest.mark.parametrize(
    ("left", "gone"),
    [("link", True), ("copy", True), ("other", False), ("nothing", True)],
)
def test_drafts_are_removed_only_where_they_are_ours(tmp_path: Path, left: str, gone: bool) -> None:
    shelf = Shelf(tmp_path, Method.HARDLINK)
    draft = draft_beside(shelf.path)
    if left == "link":
        os.link(shelf.old, draft)
    elif left != "nothing":
        draft.write_bytes(OLD if left == "copy" else b"somebody's")
    assert tidy(draft, shelf.path, shelf.old) is gone
    assert draft.exists() is not gone
