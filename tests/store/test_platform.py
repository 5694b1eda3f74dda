from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sdkeep.ground.errors import DiskFull, InUse, NotWritable, StoreError, WouldOverwrite
from sdkeep.store import platform
from sdkeep.store.platform import _mounted
from sdkeep.store.trouble import as_store_error, told


@pytest.mark.parametrize("native", [True, False], ids=["own call", "without it"])
@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_move_never_lands_on_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool, links: bool
) -> None:
    if not native:
        monkeypatch.setattr(platform, "_rename_exclusively", lambda source, target: False)
    if not links:
        monkeypatch.setattr(platform, "hard_link", refuses)
    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    with pytest.raises(FileExistsError):
        platform.move_new(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"
    platform.move_new(tmp_path / "new", tmp_path / "free")
    assert (tmp_path / "free").read_text() == "new"
    assert not (tmp_path / "new").exists()


def refuses(source: Path, target: Path) -> None:
    raise OSError(errno.EPERM, "no hard links here")


def test_a_move_to_another_volume_is_refused(tmp_path: Path, other_volume: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(OSError) as caught:
        platform.move_new(tmp_path / "x", other_volume / "x")
    assert caught.value.errno == errno.EXDEV
    assert not (other_volume / "x").exists()


def test_a_reflink_is_a_copy_or_an_honest_refusal_that_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("bytes")
    try:
        platform.reflink(tmp_path / "a", tmp_path / "b")
    except OSError:
        assert not (tmp_path / "b").exists()
    else:
        assert (tmp_path / "b").read_text() == "bytes"


def test_the_volume_of_a_path_that_is_not_there_yet_is_its_parents(tmp_path: Path, other_volume: Path) -> None:
    assert platform.same_volume(tmp_path / "a" / "b" / "c", tmp_path)
    assert not platform.same_volume(tmp_path / "a", other_volume / "b")


MOUNTS = """\
22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/nas\\040one rw - nfs4 host:/x rw
31 22 8:17 / /mnt/stick rw - exFAT /dev/sdb1 rw
32 22 0:41 / /mnt/stick/in rw - fuse.sshfs host:/y rw
broken line
"""


@pytest.mark.parametrize(
    "path, name",
    [
        ("/home/me", "ext4"),
        ("/mnt/nas one/models", "nfs4"),
        ("/mnt/stick", "exfat"),
        ("/mnt/sticky", "ext4"),
        ("/mnt/stick/in/x", "fuse.sshfs"),
    ],
)
def test_the_filesystem_of_a_path_is_the_deepest_mount_above_it(path: str, name: str) -> None:
    assert _mounted(MOUNTS, path) == name


def test_probes_leave_nothing_behind(tmp_path: Path) -> None:
    platform.folds_case(tmp_path)
    platform.can_symlink(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert platform.is_network(tmp_path) in (True, False)
    assert platform.free_space(tmp_path / "not" / "there") > 0


def test_links_are_told_from_files(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").touch()
    assert platform.is_link(tmp_path / "link")
    assert platform.link_target(tmp_path / "link") == tmp_path / "nowhere"
    assert not platform.is_link(tmp_path / "file")
    assert not platform.is_link(tmp_path / "none")


@pytest.mark.parametrize(
    "code, kind",
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EACCES, NotWritable),
        (errno.EROFS, NotWritable),
        (errno.EBUSY, InUse),
        (errno.EEXIST, WouldOverwrite),
        (errno.EXDEV, StoreError),
        (errno.EIO, StoreError),
    ],
)
def test_what_the_system_says_is_said_in_our_words(code: int, kind: type[StoreError]) -> None:
    error = as_store_error(OSError(code, os.strerror(code), "/some/file"), "cannot store `x`")
    assert type(error) is kind
    assert error.what == "cannot store `x`"
    assert error.why
    assert error.next


def test_the_system_error_stays_attached_as_the_cause() -> None:
    with pytest.raises(StoreError) as caught, told("cannot do it"):
        raise OSError(errno.EIO, "Input/output error")
    assert isinstance(caught.value.__cause__, OSError)


def test_only_windows_limits_paths() -> None:
    assert platform.long_paths_enabled() or platform.WINDOWS
    assert platform.WINDOWS or platform.long(Path("/x" * 300)) == Path("/x" * 300)
