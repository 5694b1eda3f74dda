"""Folders and catalogue: every way in which they drift apart is recognised and recorded; no foreign byte moves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sdkeep.actions import folders
from sdkeep.demo.exchange import json_response
from sdkeep.demo.server import SampleServer
from tests.makers import models
from tests.makers.trees import picture_of
from tests.world import World, sha256

ONE, TWO, THREE = (models.safetensors(models.small_lora(), seed) for seed in (51, 52, 53))


@pytest.fixture
def mine(world: World) -> Path:
    """An adopted folder with two models."""
    folder = world.root / "mine"
    (folder / "sub").mkdir(parents=True)
    (folder / "one.safetensors").write_bytes(ONE)
    (folder / "sub/two.safetensors").write_bytes(TWO)
    world.good("add", "--in-place", str(folder))
    return folder


def seen(world: World, *more: str) -> list[tuple[str, str]]:
    """What `sync --check` finds, as kind and file name."""
    result = world.json("sync", "--check", *more)
    found = [(one["what"], Path(one["path"]).name) for one in result.data["differences"]]
    assert result.status == (1 if found else 0)
    return found


def names_at(world: World, path: Path) -> str:
    (shown,) = world.good("show", f"path:{path}").data
    return str(shown["artifact"]["name"])


def sha_at(world: World, path: Path) -> str:
    (shown,) = world.good("show", f"path:{path}").data
    return str(shown["artifact"]["sha256"])


def test_in_step_means_that_nothing_is_read(world: World, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mine
    opened: list[str] = []
    monkeypatch.setattr("sdkeep.formats.source.FileSource.__init__", lambda *_: opened.append("read"))
    assert seen(world) == []
    assert world.good("sync").data["differences"] == []
    assert opened == []


def test_a_new_file_is_catalogued_and_hashed(world: World, mine: Path) -> None:
    (mine / "three.safetensors").write_bytes(THREE)
    assert seen(world) == [("new", "three.safetensors")]
    assert world.good("sync", "--yes").data["hashed"] == 1
    assert sha_at(world, mine / "three.safetensors") == sha256(THREE)
    assert seen(world) == []


def test_a_moved_and_a_renamed_file_keep_their_record(world: World, mine: Path) -> None:
    (mine / "one.safetensors").rename(mine / "sub/one.safetensors")
    (mine / "sub/two.safetensors").rename(mine / "sub/zwei.safetensors")
    assert sorted(seen(world)) == [("moved", "one.safetensors"), ("renamed", "two.safetensors")]
    world.good("sync", "--yes")
    assert names_at(world, mine / "sub/one.safetensors") == "one"
    assert names_at(world, mine / "sub/zwei.safetensors") == "two"
    assert len(world.good("ls").data["rows"]) == 2


def test_a_file_that_crossed_volumes_is_told_by_its_bytes(world: World, mine: Path) -> None:
    (mine / "other").mkdir()
    shutil.copy(mine / "one.safetensors", mine / "other/one.safetensors")  # another inode, another time
    (mine / "one.safetensors").unlink()
    assert seen(world) == [("moved", "one.safetensors")]
    world.good("sync", "--yes")
    assert names_at(world, mine / "other/one.safetensors") == "one"


def test_an_edited_file_becomes_another_artifact_and_the_old_record_stays(world: World, mine: Path) -> None:
    path = mine / "one.safetensors"
    path.write_bytes(THREE)
    assert seen(world) == [("edited", "one.safetensors")]
    world.good("sync", "--yes")
    assert sha_at(world, path) == sha256(THREE)
    (old,) = world.good("show", f"sha256:{sha256(ONE)}").data
    assert (old["artifact"]["name"], old["locations"]) == ("one", [])
    assert seen(world) == []


def test_an_edit_that_keeps_size_and_time_but_not_the_inode_is_found(world: World, mine: Path) -> None:
    path, changed = mine / "one.safetensors", ONE[:-1] + bytes([ONE[-1] ^ 1])
    before = path.stat()
    (mine / "draft").write_bytes(changed)
    os.utime(mine / "draft", ns=(before.st_atime_ns, before.st_mtime_ns))
    (mine / "draft").replace(path)
    assert seen(world) == [("edited", "one.safetensors")]


def test_a_touched_file_is_no_drift_and_is_read_once(world: World, mine: Path) -> None:
    os.utime(mine / "one.safetensors", (1_000_000_000, 1_000_000_000))
    assert seen(world) == []
    world.good("sync", "--yes")
    assert world.good("sync").data == {
        "differences": [], "applied": True, "away": {}, "waiting": 0, "hashed": 0, "identified": 0, "refreshed": []
    }  # fmt: skip


def test_a_time_in_the_future_or_before_the_epoch_is_only_a_number(world: World, mine: Path) -> None:
    for name, when in (("future.safetensors", 4_000_000_000), ("past.safetensors", -1000)):
        (mine / name).write_bytes(models.safetensors(models.small_lora(), when % 97))
        os.utime(mine / name, (when, when))
    world.good("sync", "--yes")
    assert seen(world) == []


def test_a_missing_file_keeps_its_record_and_may_come_back(world: World, mine: Path) -> None:
    path = mine / "one.safetensors"
    path.rename(world.root / "away.safetensors")
    assert seen(world) == [("missing", "one.safetensors")]
    world.good("sync", "--yes")
    assert seen(world) == []  # said once
    assert [row["name"] for row in world.good("ls").data["rows"]] == ["two"]
    assert world.good("show", f"sha256:{sha256(ONE)}").data[0]["locations"][0]["missing"]
    (world.root / "away.safetensors").rename(path)
    assert seen(world) == [("back", "one.safetensors")]
    world.good("sync", "--yes")
    assert {row["name"] for row in world.good("ls").data["rows"]} == {"one", "two"}


def test_a_duplicate_is_one_artifact_with_two_paths(world: World, mine: Path) -> None:
    shutil.copy(mine / "one.safetensors", mine / "again.safetensors")
    os.link(mine / "one.safetensors", mine / "linked.safetensors")
    plan = world.good("sync", "--dry-run").data["differences"]
    assert [(one["what"], one["twin"]) for one in plan] == [("duplicate", str(mine / "one.safetensors"))] * 2
    world.good("sync", "--yes")
    assert len(world.good("show", "one").data[0]["locations"]) == 3
    assert len(world.good("ls").data["rows"]) == 2


def test_a_plan_writes_nothing_and_asks(world: World, mine: Path) -> None:
    (mine / "three.safetensors").write_bytes(THREE)
    assert world.json("sync").codes == ["needs-answer"]
    world.good("sync", "--dry-run")
    assert seen(world) == [("new", "three.safetensors")]


def test_a_drive_that_is_away_makes_nothing_missing(world: World, mine: Path) -> None:
    mine.rename(world.root / "unplugged")
    answer = world.good("sync", "--check").data
    assert answer["differences"] == []
    assert str(mine) in answer["away"]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root reads everything")
def test_a_folder_that_cannot_be_read_makes_nothing_missing(
    world: World, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def guarded(path: str) -> object:
        if str(path) == str(mine / "sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(folders.os, "scandir", guarded)
    answer = world.good("sync", "--check").data
    assert (answer["differences"], list(answer["away"])) == ([], [str(mine / "sub")])


def test_loops_of_links_end_and_linked_folders_are_entered_once(world: World, mine: Path) -> None:
    (mine / "loop").symlink_to(mine)
    (mine / "self").symlink_to(mine / "self")
    (mine / "broken.safetensors").symlink_to(mine / "nowhere")
    (mine / "twice").symlink_to(mine / "sub")
    assert seen(world) == []


ODD = [
    "new\nline.safetensors",
    "\udcff\udcfe.safetensors",
    "x" * 243 + ".safetensors",
    "🎀 日本語.safetensors",
    "ONE.safetensors",
    " .safetensors",
    "'; DROP TABLE location; --.safetensors",
    "a\tb%s{}.safetensors",
    "-rf.safetensors",
]


@pytest.mark.skipif(os.name == "nt", reason="such names exist on Linux alone")
def test_odd_names_are_told_apart_and_stay_in_step(world: World, mine: Path) -> None:
    for number, name in enumerate(ODD):
        (mine / name).write_bytes(models.safetensors(models.small_lora(), 100 + number))
    before = picture_of(mine)
    world.good("sync", "--yes")
    assert seen(world) == []
    assert len(world.good("ls", "--all").data["rows"]) == 2 + len(ODD)
    (mine / ODD[0]).rename(mine / "other\nline.safetensors")
    assert seen(world) == [("renamed", ODD[0])]
    (mine / "other\nline.safetensors").rename(mine / ODD[0])
    assert picture_of(mine) == before


def test_a_file_that_changes_while_it_is_hashed_waits(
    world: World, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sdkeep.actions import hashing

    path, read, digests = mine / "three.safetensors", os.read, hashing.digest_file
    path.write_bytes(THREE)

    def grow() -> None:
        with path.open("ab") as growing:
            growing.write(b"more")

    def disturbed(file: int, length: int) -> bytes:
        data = read(file, length)
        grow()
        return data

    def disturbed_too(*more: Any, **named: Any) -> object:
        found = digests(*more, **named)
        grow()
        return found

    monkeypatch.setattr(hashing.os, "read", disturbed)
    monkeypatch.setattr(hashing, "digest_file", disturbed_too)
    result = world.json("sync", "--yes")
    assert (result.status, result.data["waiting"]) == (1, 1)
    monkeypatch.undo()


def test_what_vanished_from_a_ui_is_placed_again(world: World, a1111: Path) -> None:
    (got,) = world.good("get", "civitai:1002@10021").data
    path = Path(got["files"][0]["placed"][0]["path"])
    path.unlink()
    assert seen(world) == [("vanished", path.name)]
    answer = world.good("sync", "--yes").data
    assert [one["done"] for one in answer["differences"]] == ["placed again"]
    assert path.is_file()
    assert a1111 in path.parents
    assert seen(world) == []


def test_a_running_ui_is_asked_to_look_again_after_a_sync(world: World) -> None:
    with SampleServer() as server:
        server.route(lambda _: json_response({"sd_model_checkpoint": None}))
        world.ui("a1111", "--url", server.url)
        (got,) = world.good("get", "civitai:1002@10021").data
        Path(got["files"][0]["placed"][0]["path"]).unlink()
        before = len(server.hits)
        assert world.good("sync", "--yes").data["refreshed"] == ["a1111"]
        assert [(hit.method, hit.path) for hit in server.hits[before:]] == [
            ("GET", "/sdapi/v1/options"),
            ("POST", "/sdapi/v1/refresh-loras"),
        ]
        assert world.good("sync", "--yes").data["refreshed"] == []
        assert len(server.hits) == before + 2


def test_or_it_is_forgotten_when_it_was_meant_to_go(world: World, a1111: Path) -> None:
    assert a1111
    (got,) = world.good("get", "civitai:1002@10021").data
    path = Path(got["files"][0]["placed"][0]["path"])
    path.unlink()
    world.good("sync", "--yes", "--forget")
    assert not path.exists()
    assert seen(world) == []


def test_a_placement_that_was_moved_by_hand_stays_ours(world: World, a1111: Path) -> None:
    (got,) = world.good("get", "civitai:1002@10021").data
    path = Path(got["files"][0]["placed"][0]["path"])
    new = path.with_name("my name.safetensors")
    path.rename(new)
    assert seen(world) == [("renamed", path.name)]
    world.good("sync", "--yes")
    (shown,) = world.good("show", f"path:{new}").data
    assert [(one["path"], one["ours"], one["ui"]) for one in shown["locations"]] == [(str(new), True, "a1111")]
    world.good("rm", "--yes", shown["artifact"]["name"])
    assert not new.exists()
    assert a1111.is_dir()


def test_a_foreign_file_in_our_place_is_theirs_from_then_on(world: World, a1111: Path) -> None:
    assert a1111
    (got,) = world.good("get", "civitai:1002@10021").data
    path = Path(got["files"][0]["placed"][0]["path"])
    path.unlink()
    path.write_bytes(THREE)
    assert seen(world) == [("edited", path.name)]
    world.good("sync", "--yes")
    (shown,) = world.good("show", f"path:{path}").data
    assert [one["ours"] for one in shown["locations"]] == [False]
    world.run("rm", "--yes", shown["artifact"]["name"])
    assert path.read_bytes() == THREE


def test_a_link_that_somebody_made_into_the_store_is_known_without_reading(world: World, a1111: Path) -> None:
    (got,) = world.good("get", "civitai:1002@10021").data
    placed = Path(got["files"][0]["placed"][0]["path"])
    os.link(placed, a1111 / "models/Lora/second.safetensors")
    (one,) = world.good("sync", "--dry-run").data["differences"]
    assert one["what"] == "duplicate"
    world.good("sync", "--yes")
    world.good("rm", "--yes", got["files"][0]["name"])
    assert (a1111 / "models/Lora/second.safetensors").is_file()


def test_two_at_once_leave_one_record_a_file(world: World, mine: Path) -> None:
    for number in range(30):
        (mine / f"n{number}.safetensors").write_bytes(models.safetensors(models.small_lora(), 200 + number))
    running = [world.start("sync", "--yes") for _ in range(2)]
    for process in running:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    world.good("sync", "--yes")
    assert seen(world) == []
    rows = world.good("ls", "--all").data["rows"]
    assert len(rows) == 32
    assert all(row["sha256"] for row in rows)


KILLED = """
import os, signal, sys
from sdkeep.catalogue.book import Book
when = sys.argv.pop(1)
real = getattr(Book, when)
count = 0
def dying(self, *more, **named):
    global count
    count += 1
    if when == "put_adopted" or count == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *more, **named)
setattr(Book, when, dying)
import sdkeep.actions.adopt as adopt, sdkeep.actions.hashing as hashing
adopt._BATCH = 5
hashing._MOST_KEPT = 5
from sdkeep.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("when", ["put_adopted", "put_sightings", "settle"])
def test_a_kill_between_phases_loses_nothing_that_was_kept(world: World, when: str) -> None:
    folder = world.root / "many"
    folder.mkdir()
    for number in range(20):
        (folder / f"n{number}.safetensors").write_bytes(models.safetensors(models.small_lora(), 20 + number))
    before = picture_of(folder)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, when, "add", "--in-place", str(folder)], env=world.environ, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    world.good("add", "--in-place", str(folder))
    rows = world.good("ls", "--all").data["rows"]
    assert sorted(row["name"] for row in rows) == sorted(f"n{number}" for number in range(20))
    assert {row["sha256"] for row in rows} == {sha256(path.read_bytes()) for path in folder.iterdir()}
    assert picture_of(folder) == before


def test_watching_goes_on_until_it_is_stopped(world: World, mine: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "sdkeep", "sync", "--watch", "--yes"],
        env={**world.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr
    assert "watching" in running.stderr.readline()
    (mine / "three.safetensors").write_bytes(THREE)
    assert running.stdout
    line = running.stdout.readline()
    assert line.startswith("new")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not world.json("show", f"sha256:{sha256(THREE)}").data:
        time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert sha_at(world, mine / "three.safetensors") == sha256(THREE)
