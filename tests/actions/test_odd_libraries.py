"""Libraries as they are found in the wild: moved, nested, linked, full of odd names, and sidecars of all sizes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.makers import models
from tests.makers.trees import picture_of
from tests.makers.webuis import make_webui
from tests.world import World, sha256

MINE = models.safetensors(models.small_lora(), 90)
OTHER = models.safetensors(models.small_lora(), 91)


def shelf(root: Path) -> Path:
    return root / "models/Lora"


def in_step(world: World) -> None:
    """A sync leaves nothing to do, and the catalogue is sound."""
    world.good("sync", "--yes")
    assert world.good("sync", "--check").data["differences"] == []
    with world.house() as house:
        assert house.book.check() == ()


def test_a_webui_that_moved_as_a_whole_is_registered_anew_and_nothing_is_lost(world: World, a1111: Path) -> None:
    (shelf(a1111) / "mine.safetensors").write_bytes(MINE)
    world.good("get", "civitai:1002@10021")
    world.good("sync", "--yes")
    moved = a1111.with_name("elsewhere")
    a1111.rename(moved)
    assert str(a1111) in world.json("sync", "--check").data["away"]
    world.good("ui", "add", str(moved))
    world.good("ui", "rm", "a1111")
    in_step(world)
    with world.house() as house:
        places = {one.path: (one.ours, one.ui, one.missing) for one in house.book.locations()}
    ink, mine = str(shelf(moved) / "ink.safetensors"), str(shelf(moved) / "mine.safetensors")
    assert places == {ink: (True, "a1111-2", ""), mine: (False, "a1111-2", "")}
    world.good("rm", "ink", "--yes")
    assert not Path(ink).exists() and Path(mine).read_bytes() == MINE


def test_a_webui_whose_root_is_a_link_is_one_webui(world: World) -> None:
    real = make_webui(world.root / "big" / "webui", "a1111")
    link = world.root / "webui"
    link.symlink_to(real)
    (shelf(real) / "mine.safetensors").write_bytes(MINE)
    world.good("ui", "add", str(link))
    world.good("add", "--in-place", str(real))
    world.good("get", "civitai:1002@10021")
    in_step(world)
    tree = picture_of(shelf(real))
    world.good("dedupe", "--yes")
    in_step(world)
    assert picture_of(shelf(real)).keys() == tree.keys()
    assert len(world.good("ls").data["rows"]) == 2


def test_a_webui_inside_another_one_s_folder_is_walked_once(world: World, a1111: Path) -> None:
    inner = make_webui(a1111 / "extensions" / "ComfyUI", "comfyui")
    deep = make_webui(shelf(a1111) / "oops", "forge")
    (inner / "models/loras/mine.safetensors").write_bytes(MINE)
    (shelf(deep) / "other.safetensors").write_bytes(OTHER)
    for root in (inner, deep):
        world.good("ui", "add", str(root))
    in_step(world)
    with world.house() as house:
        assert len(house.book.locations()) == 2
    world.good("get", "civitai:1002@10021")
    in_step(world)
    world.good("dedupe", "--yes")
    world.good("eject", "--all", "--yes")
    in_step(world)
    assert (shelf(deep) / "other.safetensors").read_bytes() == OTHER


@pytest.mark.parametrize(
    "name",
    [b"caf\xe9.safetensors", b"\xff\xfe.safetensors", b"a\nb.safetensors", b" .safetensors", b"-rf.safetensors",
     b"\xf0\x9f\x8f\xb0.safetensors", b"[x]*?.safetensors", b"name:x.safetensors", b"\x1b[31mred.safetensors"],
)  # fmt: skip
def test_files_with_any_name_go_the_whole_way(world: World, a1111: Path, name: bytes) -> None:
    comfy = world.ui("comfyui")
    ours, theirs = os.fsencode(shelf(a1111)) + b"/" + name, os.fsencode(comfy / "models/loras") + b"/" + name
    for path in (ours, theirs):
        Path(os.fsdecode(path)).write_bytes(MINE)
    world.good("add", "--in-place", str(a1111), str(comfy))
    world.good("dedupe", "--yes")
    assert os.stat(ours).st_ino == os.stat(theirs).st_ino
    for verb in (["ls"], ["du"], ["verify"], ["sync", "--check"], ["show", sha256(MINE)]):
        assert "\x1b" not in world.run(*verb).stdout
    world.good("dedupe", "--undo", "--yes")
    assert os.stat(ours).st_ino != os.stat(theirs).st_ino
    world.catalogue.unlink()
    world.good("db", "rebuild")
    in_step(world)
    assert Path(os.fsdecode(ours)).read_bytes() == MINE


def test_loops_of_links_and_folders_named_like_models_are_passed_over(world: World, a1111: Path) -> None:
    folder = shelf(a1111)
    (folder / "loop").symlink_to(folder)
    (folder / "a.safetensors").symlink_to("b.safetensors")
    (folder / "b.safetensors").symlink_to("a.safetensors")
    (folder / "gone.safetensors").symlink_to("/nowhere/at/all")
    (folder / "ink.safetensors").mkdir()
    (folder / "ink.safetensors" / "mine.safetensors").write_bytes(MINE)
    os.mkfifo(folder / "pipe.safetensors")
    before = picture_of(folder)
    world.good("sync", "--yes")
    refused = world.json("get", "civitai:1002@10021")
    assert refused.codes == ["would-overwrite"]
    (folder / "ink.safetensors").rename(folder / "ink")
    before = picture_of(folder)
    world.good("get", "civitai:1002@10021")
    in_step(world)
    world.good("rm", "ink", "--yes")
    assert {name: picture_of(folder)[name] for name in before} == before
    assert len(world.good("ls").data["rows"]) == 1


def test_names_that_differ_by_case_alone_are_kept_apart_and_never_placed_over(world: World, a1111: Path) -> None:
    (shelf(a1111) / "INK.safetensors").write_bytes(MINE)
    (shelf(a1111) / "Mine.safetensors").write_bytes(OTHER)
    (shelf(a1111) / "mine.safetensors").write_bytes(MINE)
    world.good("sync", "--yes")
    (got,) = world.good("get", "civitai:1002@10021").data
    assert Path(got["files"][0]["placed"][0]["path"]).stem.lower() not in ("ink", "mine")
    in_step(world)
    assert (shelf(a1111) / "INK.safetensors").read_bytes() == MINE


def test_one_inode_under_many_names_is_counted_once_and_ejected_whole(world: World, a1111: Path) -> None:
    comfy = world.ui("comfyui")
    first = shelf(a1111) / "mine.safetensors"
    first.write_bytes(MINE)
    names = [shelf(a1111) / "again.safetensors", comfy / "models/loras/mine.safetensors"]
    for path in names:
        os.link(first, path)
    in_step(world)
    assert len(world.good("ls").data["rows"]) == 1
    world.good("dedupe", "--yes")
    in_step(world)
    world.good("eject", "--all", "--yes")
    in_step(world)
    assert all(path.read_bytes() == MINE for path in (first, *names))


def test_times_in_the_future_and_before_the_epoch_are_only_times(world: World, a1111: Path) -> None:
    for number, seconds in enumerate((-5_000_000_000, 0, 40_000_000_000)):
        path = shelf(a1111) / f"{number}.safetensors"
        path.write_bytes(MINE[:-1] + bytes([number]))
        os.utime(path, (seconds, seconds))
    in_step(world)
    assert world.good("verify").data


def test_sidecars_of_missing_models_and_huge_ones_are_nobody_s_trouble(world: World, a1111: Path) -> None:
    folder = shelf(a1111)
    (folder / "gone.civitai.info").write_text('{"id": 10021}')
    (folder / "gone.preview.png").write_bytes(b"\x89PNG")
    (folder / "mine.safetensors").write_bytes(MINE)
    (folder / "mine.civitai.info").write_text(json.dumps({"id": 1, "pad": "x" * (40 << 20)}))
    (folder / "mine.json").write_text("[" * 100_000)
    before = picture_of(folder)
    in_step(world)
    assert len(world.good("ls").data["rows"]) == 1
    assert picture_of(folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_left(world: World, a1111: Path) -> None:
    (shelf(a1111) / "mine.safetensors").write_bytes(MINE)
    shelf(a1111).chmod(0o555)
    try:
        in_step(world)
        world.json("dedupe", "--yes")
    finally:
        shelf(a1111).chmod(0o755)


def test_a_shelf_on_a_drive_that_went_away_makes_nothing_missing(world: World, a1111: Path) -> None:
    drive = world.root / "drive"
    shutil.move(shelf(a1111), drive)
    shelf(a1111).symlink_to(drive)
    (drive / "mine.safetensors").write_bytes(MINE)
    in_step(world)
    drive.rename(world.root / "unplugged")
    found = world.json("sync", "--check").data
    assert found["differences"] == [] and found["away"]
    (world.root / "unplugged").rename(drive)
    in_step(world)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux' table of mounts")
@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_home_on_another_machine_keeps_no_write_ahead_log(
    world: World, a1111: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    table = Path("/proc/self/mountinfo").read_text()
    point = str(world.home).replace(" ", "\\040")
    there = f"{table}999 1 0:99 / {point} rw shared:9 - {kind} nas:/share rw\n"
    plain = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, *a, **k: there if str(self) == "/proc/self/mountinfo" else plain(self, *a, **k)
    )
    world.catalogue.unlink()
    (shelf(a1111) / "mine.safetensors").write_bytes(MINE)
    world.good("ui", "add", str(a1111))
    in_step(world)
    with closing(sqlite3.connect(world.catalogue)) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert "network" in {one["name"] for one in world.good("doctor").data}
