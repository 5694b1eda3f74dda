from __future__ import annotations

import json
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from sdkeep.ground.errors import DigestMismatch, DiskFull, NotWritable, StoreError, Truncated
from sdkeep.ground.events import Stop, Stopped
from sdkeep.store import platform
from sdkeep.store.blobs import MARKER, Condition, Store
from tests.makers.people import as_nobody
from tests.makers.trees import picture_of
from tests.store.conftest import Put, digest


def test_looking_at_a_store_makes_nothing(tmp_path: Path) -> None:
    Store(tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_prepared_store_has_its_folders_and_says_that_it_is_ours(store: Store) -> None:
    assert store.staging.is_dir()
    assert store.trash.is_dir()
    assert json.loads((store.root / MARKER).read_text()) == {"what": "sdkeep store", "format": 1}
    assert picture_of(store.root) == picture_of(Store(store.root).prepare().root)


def test_a_folder_with_other_files_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    before = picture_of(tmp_path)
    with pytest.raises(StoreError, match="not a store of sdkeep"):
        Store(tmp_path / "photos")
    assert picture_of(tmp_path) == before


def test_a_store_whose_making_was_killed_can_be_finished(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / f"{MARKER}-123-0.tmp").write_text("{")
    assert Store(tmp_path / "store").prepare().staging.is_dir()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"what": "something else", "format": 1}', '{"what": "sdkeep store"}']
)
def test_a_marker_that_cannot_be_read_refuses_the_folder(tmp_path: Path, text: str) -> None:
    (tmp_path / MARKER).write_text(text)
    with pytest.raises(StoreError, match="not a store of sdkeep"):
        Store(tmp_path)


def test_a_newer_store_is_refused_with_the_upgrade(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text('{"what": "sdkeep store", "format": 2}')
    with pytest.raises(StoreError, match="newer") as caught:
        Store(tmp_path)
    assert "upgrade" in caught.value.next


def test_a_store_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="no folder"):
        Store(tmp_path / "file")


def test_a_committed_blob_is_whole_read_only_and_named_by_its_digest(store: Store, put: Put) -> None:
    path = put(b"weights")
    assert path == store.root / "blobs" / "sha256" / digest(b"weights")[:2] / digest(b"weights")
    assert path.read_bytes() == b"weights"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert list(store.staging.iterdir()) == []
    assert store.has(digest(b"weights"))


def test_committing_the_same_bytes_again_keeps_the_first_blob(store: Store, put: Put) -> None:
    first = put(b"weights").stat()
    again = put(b"weights").stat()
    assert (first.st_ino, first.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)
    assert list(store.staging.iterdir()) == []


@pytest.mark.parametrize("promised", [0, 6, 8, 7000])
def test_a_body_of_the_wrong_length_is_never_committed(store: Store, promised: int) -> None:
    staged = store.staging / "x.part"
    staged.write_bytes(b"weights")
    with pytest.raises(Truncated):
        store.commit(staged, digest(b"weights"), promised)
    assert staged.read_bytes() == b"weights"
    assert list(store.each()) == []


def test_a_link_in_staging_is_never_committed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"weights")
    (store.staging / "x.part").symlink_to(tmp_path / "mine")
    with pytest.raises(StoreError, match="no plain file"):
        store.commit(store.staging / "x.part", digest(b"weights"), 7)


def test_a_damaged_blob_is_named_and_not_replaced(store: Store, put: Put) -> None:
    path = put(b"weights")
    path.chmod(0o644)
    path.write_bytes(b"weig")
    staged = store.staging / "y.part"
    staged.write_bytes(b"weights")
    with pytest.raises(StoreError, match="damaged") as caught:
        store.commit(staged, digest(b"weights"), 7)
    assert "sdkeep verify" in caught.value.next
    assert staged.exists()


@pytest.mark.parametrize("name", ["", "ab", "A" * 64, "../" * 22, "g" * 64, "a" * 65])
def test_what_is_no_digest_has_no_path(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="no SHA-256"):
        store.path_of(name)


def test_adopting_copies_and_leaves_the_original_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    original = tmp_path / "mine" / "model.ckpt"
    original.write_bytes(b"weights" * 1000)
    before = picture_of(tmp_path / "mine")
    blob = store.adopt(original, digest(b"weights" * 1000))
    assert blob.read_bytes() == original.read_bytes()
    assert blob.stat().st_ino != original.stat().st_ino
    assert picture_of(tmp_path / "mine") == before


def test_adopting_a_file_that_changed_meanwhile_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"changed")
    with pytest.raises(DigestMismatch):
        store.adopt(tmp_path / "model", digest(b"weights"))
    assert list(store.each()) == []
    assert list(store.staging.iterdir()) == []


def test_adopting_stops_when_asked_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"weights")
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        store.adopt(tmp_path / "model", digest(b"weights"), stop=stop)
    assert list(store.staging.iterdir()) == []


def test_adopting_says_when_there_is_no_room(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").write_bytes(b"weights")
    monkeypatch.setattr(platform, "free_space", lambda path: 3)
    with pytest.raises(DiskFull) as caught:
        store.adopt(tmp_path / "model", digest(b"weights"))
    assert (caught.value.needed, caught.value.free) == (7, 3)


def test_checking_tells_sound_missing_and_damaged_apart(store: Store, put: Put) -> None:
    path = put(b"weights")
    assert store.check(digest(b"weights")) is Condition.SOUND
    assert store.check(digest(b"other")) is Condition.MISSING
    path.chmod(0o644)
    path.write_bytes(b"weighty")
    assert store.check(digest(b"weights")) is Condition.DAMAGED


def test_strangers_among_the_blobs_are_told_from_blobs(store: Store, put: Put) -> None:
    blob = put(b"weights")
    stranger = blob.with_name("notes.txt")
    stranger.write_text("mine")
    misplaced = store.blobs / "00" / digest(b"else")
    misplaced.parent.mkdir(exist_ok=True)
    misplaced.write_text("else")
    assert [found.path for found in store.each()] == [blob]
    assert set(store.strays()) == {stranger, misplaced}


def test_a_store_that_may_not_be_written_says_so(public: Path) -> None:
    def work() -> None:
        with pytest.raises(NotWritable) as caught:
            Store(public / "locked" / "store").prepare()
        assert "ls -ld" in caught.value.next

    (public / "locked").mkdir(mode=0o555)
    as_nobody(work)


def test_a_kill_at_any_moment_leaves_each_blob_whole_or_absent(tmp_path: Path) -> None:
    root = tmp_path / "store"
    Store(root).prepare()
    for wait_ms in (0, 2, 5, 9, 14):
        child = os.fork()
        if child == 0:
            store = Store(root)
            for number in range(100_000):
                data = b"%d" % number * 5000
                staged = store.staging / f"{os.getpid()}.part"
                staged.write_bytes(data)
                store.commit(staged, digest(data), len(data))
            os._exit(0)
        time.sleep(wait_ms / 100)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    store = Store(root)
    assert all(store.check(blob.sha256) is Condition.SOUND for blob in store.each())
    assert store.strays() == ()
