"""Digests are remembered by path, size, time and inode: a change of any one of them makes a file be read again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sdkeep.actions import hashing
from tests.makers import models
from tests.world import World, sha256


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were hashed."""
    paths: list[str] = []
    real = hashing._one

    def counted(location: hashing.Location, stop: hashing.Stop) -> hashing.Hashed | hashing.Failed:
        paths.append(location.path)
        return real(location, stop)

    monkeypatch.setattr(hashing, "_one", counted)
    return paths


@pytest.fixture
def file(world: World, read: list[str]) -> Path:
    path = world.root / "mine" / "a.safetensors"
    path.parent.mkdir()
    path.write_bytes(models.safetensors(models.small_lora(), 7))
    world.good("add", "--in-place", str(path.parent))
    assert read == [str(path)]
    read.clear()
    return path


def touched(path: Path) -> Path:
    info = path.stat()
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns + 1))
    assert (path.stat().st_size, path.stat().st_ino) == (info.st_size, info.st_ino)
    return path


def replaced(path: Path) -> Path:
    """Another file of the same size and time under the same name."""
    info, other = path.stat(), path.with_name("other.tmp")
    other.write_bytes(models.safetensors(models.small_lora(), 8))
    os.utime(other, ns=(info.st_atime_ns, info.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (info.st_size, info.st_mtime_ns)
    assert path.stat().st_ino != info.st_ino
    return path


def grown(path: Path) -> Path:
    info = path.stat()
    with path.open("ab") as out:
        out.write(b"\0")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (info.st_ino, info.st_mtime_ns)
    return path


def linked(path: Path) -> Path:
    """The same inode, size and time under another name."""
    other = path.with_name("b.safetensors")
    other.hardlink_to(path)
    return other


def test_what_did_not_change_is_not_read_again(world: World, file: Path, read: list[str]) -> None:
    world.good("add", "--in-place", str(file.parent))
    world.good("sync")
    assert read == []


@pytest.mark.parametrize("change", [touched, replaced, grown, linked], ids=["mtime", "inode", "size", "path"])
def test_a_change_of_one_part_of_the_key_alone_makes_the_file_be_read(
    world: World, file: Path, read: list[str], change: Callable[[Path], Path]
) -> None:
    path = change(file)
    world.run("add", "--in-place", str(path.parent))
    assert read == [str(path)]
    rows = {row["sha256"] for row in world.good("ls", "--all").data["rows"]}
    assert sha256(path.read_bytes()) in rows
