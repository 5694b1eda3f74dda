"""Bytes read back and compared with what was promised."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.makers import models
from tests.world import World, sha256


def _rot(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_sound_library_is_said_to_be(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021", "civitai:1003")
    checks = world.good("verify").data
    assert {check["condition"] for check in checks} == {"sound"}
    assert len(checks) == 4


def test_a_rotten_blob_is_set_aside_and_fetched_again(world: World, a1111: Path) -> None:
    file = world.good("get", "civitai:1002@10021").data[0]["files"][0]
    (blob,) = world.root.rglob(f"blobs/sha256/*/{file['sha256']}")
    _rot(blob)
    result = world.json("verify", "ink")
    assert result.status == 1
    assert "damaged" in {check["condition"] for check in result.data}
    assert not blob.exists()
    world.good("get", "civitai:1002@10021")
    assert blob.is_file()
    assert world.blobs() == {sha256(world.file(13))}


def test_a_link_that_is_gone_is_missed(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021")
    (a1111 / "models/Lora/ink.safetensors").unlink()
    result = world.json("verify")
    assert result.status == 1
    assert sorted(check["condition"] for check in result.data) == ["missing", "sound"]


def test_a_file_changed_where_it_lies_is_noticed_and_not_touched(world: World) -> None:
    path = world.root / "mine.safetensors"
    path.write_bytes(models.safetensors(models.small_lora(), 52))
    world.good("add", "--in-place", str(path))
    _rot(path)
    changed = path.read_bytes()
    result = world.json("verify", "mine")
    assert (result.status, [check["condition"] for check in result.data]) == (1, ["changed"])
    assert path.read_bytes() == changed


def test_an_unknown_name_is_an_error(world: World) -> None:
    assert world.json("verify", "nothing").codes == ["not-found-here"]


def test_short_runs_add_up_the_longest_unread_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a minute later: with time for one file a run, three runs read three files."""
    from datetime import UTC, datetime, timedelta
    from itertools import count

    from sdkeep.actions.house import House

    for number in range(3):
        path = world.root / f"file {number}.safetensors"
        path.write_bytes(models.safetensors(models.small_lora(), 80 + number))
        world.good("add", *(("--in-place",) if number == 2 else ()), str(path))
    minutes = count()
    start = datetime(2030, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(House, "moment", lambda self: start + timedelta(minutes=next(minutes)))
    read: list[str] = []
    for _ in range(3):
        read += [one["name"] for one in world.good("verify", "--max-time", "3m").data]
    assert sorted(set(read)) == ["file-0", "file-1", "file-2"]
    assert world.good("verify", "--older-than", "1d").data == []


def test_bit_rot_is_found_by_a_run_that_looks_at_what_is_due(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021")
    (blob,) = (path for path in world.root.rglob("blobs/sha256/*/*") if path.is_file())
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    result = world.json("verify", "--older-than", "0d")
    assert result.status == 1
    assert "damaged" in {one["condition"] for one in result.data}


@pytest.mark.parametrize("text", ["soon", "10", "-1d", "1y", "1.5h", "٣d"])
def test_what_is_no_time_is_an_error(world: World, text: str) -> None:
    assert world.json("verify", f"--older-than={text}").codes == ["usage"]
