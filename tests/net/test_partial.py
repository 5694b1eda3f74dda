"""The partial file: what the disk's refusals become, and that a failed sync is never vouched for."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sdkeep.ground.errors import DiskFull, KeepError, NotWritable, StoreError
from sdkeep.net.journal import Journal, load
from sdkeep.net.partial import Partial, disk_errors

JOURNAL = Journal("https://h.test/x", 100, "ab" * 32)


@pytest.fixture
def partial(tmp_path: Path) -> Partial:
    return Partial(tmp_path, "key", JOURNAL)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EACCES, NotWritable),
        (errno.EROFS, NotWritable),
        (errno.EFBIG, StoreError),
        (errno.EIO, StoreError),
    ],
)
def test_the_disks_refusals_are_ours(tmp_path: Path, number: int, kind: type[KeepError]) -> None:
    with pytest.raises(StoreError) as caught, disk_errors(tmp_path / "x", 5):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind
    assert isinstance(caught.value.__cause__, OSError)


def test_only_what_was_checkpointed_comes_back(partial: Partial, tmp_path: Path) -> None:
    partial.write(0, b"a" * 40)
    partial.checkpoint()
    partial.write(40, b"b" * 20)
    partial.close()
    again = Partial(tmp_path, "key", JOURNAL)
    assert (again.covered, again.prefix, again.missing(100)) == (40, 40, [(40, 100)])
    assert again.read(0, 100)[:40] == b"a" * 40
    again.close()


def test_a_partial_file_shorter_than_its_journal_is_not_believed(partial: Partial, tmp_path: Path) -> None:
    partial.write(0, b"a" * 40)
    partial.checkpoint()
    partial.close()
    os.truncate(tmp_path / "key.part", 10)
    again = Partial(tmp_path, "key", JOURNAL)
    assert again.covered == 0
    again.close()


def test_the_journal_of_another_file_does_not_count(partial: Partial, tmp_path: Path) -> None:
    partial.write(0, b"a" * 40)
    partial.checkpoint()
    partial.close()
    other = Partial(tmp_path, "key", Journal("https://h.test/x", 100, "cd" * 32))
    assert other.covered == 0
    other.close()


def test_after_a_failed_sync_nothing_more_is_vouched_for(partial: Partial, tmp_path: Path) -> None:
    partial.write(0, b"a" * 40)
    real, partial._fd = partial._fd, 10_000_000  # a descriptor that cannot be synced
    with pytest.raises(StoreError):
        partial.checkpoint()
    partial._fd = real
    with pytest.raises(StoreError):
        partial.checkpoint()
    with pytest.raises(StoreError):
        partial.finish(40)
    assert load(tmp_path / "key.json") is None
    partial.close()


def test_room_is_set_aside_before_writing(partial: Partial) -> None:
    partial.set_aside(1_000_000, 0)
    assert partial.path.stat().st_size == 1_000_000
    with pytest.raises(DiskFull) as caught:
        partial.set_aside(1 << 60, 0)
    assert caught.value.needed > caught.value.free
    partial.close()


def test_what_is_condemned_is_kept_and_never_resumed(partial: Partial, tmp_path: Path) -> None:
    partial.write(0, b"bad")
    partial.checkpoint()
    assert partial.condemn().read_bytes() == b"bad"
    again = Partial(tmp_path, "key", JOURNAL)
    assert again.covered == 0
    again.close()
