"""Verdicts on paths and names, and the exit status that says them."""

from __future__ import annotations

from pathlib import Path

from tests.makers import models
from tests.world import World

CLEAN = models.safetensors(models.small_lora(), 51)


def test_the_exit_status_is_the_verdict(world: World) -> None:
    (world.root / "clean.safetensors").write_bytes(CLEAN)
    (world.root / "bad.ckpt").write_bytes(models.trojan())
    (world.root / "odd.ckpt").write_bytes(b"\x80\x04\x95garbage")
    (world.root / "empty.pt").write_bytes(b"")
    assert world.json("scan", str(world.root / "clean.safetensors")).status == 0
    assert world.json("scan", str(world.root / "bad.ckpt")).status == 1
    assert world.json("scan", str(world.root / "odd.ckpt")).status == 2
    assert world.json("scan", str(world.root / "empty.pt")).status == 2


def test_a_folder_is_scanned_whole_and_the_worst_counts(world: World) -> None:
    folder = world.root / "models"
    folder.mkdir()
    (folder / "a.safetensors").write_bytes(CLEAN)
    (folder / "b.ckpt").write_bytes(models.trojan())
    result = world.json("scan", str(folder))
    assert result.status == 1
    assert {Path(one["path"]).name: one["verdict"]["outcome"] for one in result.data} == {
        "a.safetensors": "clean",
        "b.ckpt": "dangerous",
    }


def test_a_finding_names_the_call_and_where_it_is(world: World) -> None:
    path = world.root / "bad.ckpt"
    path.write_bytes(models.trojan())
    (one,) = world.json("scan", str(path)).data
    finding = one["verdict"]["findings"][0]
    assert "system" in finding["callable"]
    assert finding["member"].endswith("data.pkl")
    assert isinstance(finding["offset"], int)
    assert "system" in world.run("scan", str(path)).stdout


def test_a_bare_path_opens_no_catalogue(world: World) -> None:
    world.catalogue.unlink()
    path = world.root / "clean.safetensors"
    path.write_bytes(CLEAN)
    world.good("scan", str(path))
    world.good("show", str(path))
    world.good("convert", str(path), "-o", str(world.root / "out.safetensors"))
    assert not world.catalogue.exists()


def test_a_catalogued_name_is_scanned_anew_and_remembered(world: World) -> None:
    world.good("get", "civitai:1002@10021")
    (one,) = world.good("scan", "ink").data
    assert one["named"] == "ink"
    assert one["verdict"]["outcome"] == "clean"


def test_an_empty_folder_is_a_warning_and_nothing_there_an_error(world: World) -> None:
    (world.root / "empty").mkdir()
    assert world.json("scan", str(world.root / "empty")).document["warnings"]
    assert world.json("scan", "./nothing.ckpt").codes == ["not-found-here"]
    assert world.json("scan", "nothing").codes == ["not-found-here"]


def test_a_file_that_cannot_be_read_does_not_stop_the_rest(world: World) -> None:
    folder = world.root / "models"
    folder.mkdir()
    (folder / "a.safetensors").write_bytes(CLEAN)
    (folder / "loop.ckpt").symlink_to("loop.ckpt")
    assert len(world.json("scan", str(folder)).data) == 1
