from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sdkeep.ground.errors import StoreError, WouldOverwrite
from sdkeep.layouts.writing import rewrite, write_new


def no_links(source: Path, target: Path) -> None:
    raise OSError(errno.EPERM, "no hard links here")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_new_file_is_whole_and_never_lands_on_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    written = write_new(tmp_path / "x.json", b"first")
    assert (written.path.read_bytes(), written.created) == (b"first", True)
    with pytest.raises(WouldOverwrite):
        write_new(tmp_path / "x.json", b"second")
    assert (tmp_path / "x.json").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["x.json"]


def test_a_rewrite_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_new(tmp_path / "x.json", b"old")

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreError, match="cannot write"):
        rewrite(tmp_path / "x.json", b"new", created=True)
    assert (tmp_path / "x.json").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        write_new(tmp_path / "none" / "x.json", b"x")
