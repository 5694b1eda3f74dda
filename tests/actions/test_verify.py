"""Bytes read back and compared with what was promised."""

from __future__ import annotations

from pathlib import Path

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
