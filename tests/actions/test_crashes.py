"""Real processes: killed at any moment, two at once, and a disk that is full."""

from __future__ import annotations

import errno
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from sdkeep.store import copying, platform
from tests.actions.test_trust import FUSE, Crash, fused
from tests.makers import models
from tests.world import World, sha256

LORA = models.safetensors(models.small_lora(), 95)
COMMANDS = [["dedupe", "--yes"], ["dedupe", "--undo", "--yes"], ["dedupe", "--yes"], ["eject", "--all", "--yes"]]


@pytest.fixture
def doubles(world: World, a1111: Path) -> dict[Path, bytes]:
    """Many foreign files in two WebUIs, each twice."""
    comfy = world.ui("comfyui")
    kept: dict[Path, bytes] = {}
    for number in range(12):
        data = models.safetensors(models.small_lora(), 100 + number)
        for folder in (a1111 / "models/Lora", comfy / "models/loras"):
            path = folder / f"file {number}.safetensors"
            path.write_bytes(data)
            kept[path] = data
    return kept


def intact(kept: dict[Path, bytes]) -> bool:
    return all(path.is_file() and path.read_bytes() == data for path, data in kept.items())


def in_step(world: World) -> None:
    """After a repair nothing is open, and every link that is recorded is there."""
    world.run("doctor")
    with world.house() as house:
        assert house.book.open_intents() == ()
        assert house.book.check() == ()
        for one in house.book.locations():
            if one.method.value == "hardlink":
                blob = next(world.root.rglob(f"blobs/sha256/*/{one.sha256}"))
                assert Path(one.path).samefile(blob)


@pytest.mark.slow
@pytest.mark.parametrize("round", range(8))
def test_kill_9_at_any_moment_of_dedupe_and_eject_loses_nothing(
    world: World, doubles: dict[Path, bytes], round: int
) -> None:
    chance = random.Random(round)
    for arguments in (
        ["dedupe", "--yes"],
        ["eject", "--all", "--yes"],
        ["dedupe", "--yes"],
        ["db", "rebuild", "--yes"],
    ):
        running = world.start(*arguments)
        time.sleep(chance.uniform(0.3, 1.5))
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=60)
        assert intact(doubles)
        world.blobs()
        in_step(world)
    assert world.run("dedupe", "--yes").status == 0
    assert intact(doubles)
    in_step(world)


def test_two_processes_at_once_do_not_disturb_each_other(world: World, doubles: dict[Path, bytes]) -> None:
    running = [world.start("dedupe", "--yes"), world.start("dedupe", "--yes"), world.start("eject", "--all", "--yes")]
    ended = [(one.communicate(timeout=60), one.returncode) for one in running]
    for (_, errors), _ in ended:
        assert "sdkeep itself broke" not in errors
    assert intact(doubles)
    in_step(world)
    world.good("dedupe", "--yes")
    assert all(path.stat().st_nlink == 3 for path in doubles)


@pytest.mark.parametrize("step", range(1, 9))
def test_a_disk_that_fills_up_at_any_step_changes_nothing(
    world: World, a1111: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the n-th write on there is no room; what could not be done is said, what was there is there."""
    twins = [a1111 / "models/Lora/a.safetensors", a1111 / "models/Lora/b.safetensors"]
    for path in twins:
        path.write_bytes(LORA)
    steps = 0

    def full(real: Any) -> Any:
        def guarded(*arguments: Any, **named: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps >= step:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **named)

        return guarded

    with monkeypatch.context() as patch:
        for owner, name in ((os, "link"), (os, "mkdir"), (os, "fsync"), (copying, "_pour"), (platform, "_rename_with")):
            patch.setattr(owner, name, full(getattr(owner, name)))
        for arguments in (("dedupe", "--yes"), ("eject", "--all", "--yes")):
            steps = 0
            result = world.run(*arguments)
            assert "sdkeep itself broke" not in result.stderr
            assert [path.read_bytes() for path in twins] == [LORA, LORA]
    in_step(world)
    assert not list(a1111.rglob(".sdkeep-*"))
    world.good("dedupe", "--yes")
    assert twins[0].samefile(twins[1])


def test_eject_is_refused_before_the_first_byte_where_it_does_not_fit(
    world: World, a1111: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.good("get", "civitai:1002@10021")
    monkeypatch.setattr("sdkeep.actions.eject.free_space", lambda path: 1000)
    assert world.json("eject", "--all", "--yes").codes == ["disk-full"]
    assert (a1111 / "models/Lora/ink.safetensors").stat().st_nlink == 2


def test_a_file_that_is_written_to_is_left(world: World, a1111: Path) -> None:
    twins = [a1111 / "models/Lora/a.safetensors", a1111 / "models/Lora/b.safetensors"]
    for path in twins:
        path.write_bytes(LORA)
    with twins[1].open("r+b"):
        done = world.good("dedupe", "--yes").data
    left = [one for one in done["files"] if one["outcome"] == "left"]
    assert [(one["path"], one["why"]) for one in left] == [(str(twins[1]), "another program is writing to it")]
    assert not twins[0].samefile(twins[1])


def test_what_a_person_puts_there_in_the_last_moment_goes_back(
    world: World, a1111: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the comparison and the exchange another file takes the name: it must be there afterwards."""
    twins = [a1111 / "models/Lora/a.safetensors", a1111 / "models/Lora/b.safetensors"]
    for path in twins:
        path.write_bytes(LORA)
    real = platform.exchange

    def exchange(one: Path, other: Path) -> bool:
        if other == twins[1] and other.read_bytes() == LORA:
            (other.parent / "draft").write_bytes(b"mine, just now")
            (other.parent / "draft").replace(other)
        return real(one, other)

    monkeypatch.setattr(platform, "exchange", exchange)
    done = world.good("dedupe", "--yes").data
    assert {one["outcome"] for one in done["files"] if one["path"] == str(twins[1])} == {"left"}
    assert (twins[0].read_bytes(), twins[1].read_bytes()) == (LORA, b"mine, just now")
    assert not list(a1111.rglob(".sdkeep-*"))
    assert sha256(LORA) in world.blobs()


def crash_everywhere(world: World, kept: dict[Path, bytes], commands: list[list[str]], steps: range) -> int:
    """Each command stopped dead at each of its file steps in turn, then repaired; at how many it really stopped."""
    stopped = 0
    with pytest.MonkeyPatch.context() as patch, fused(patch):
        for at in steps:
            for arguments in commands:
                FUSE.light(at)
                try:
                    world.run(*arguments)
                except Crash:
                    stopped += 1
                finally:
                    FUSE.light(None)
                assert intact(kept), (at, arguments)
                world.blobs()
                in_step(world)
    return stopped


def test_no_single_step_of_dedupe_and_eject_can_lose_a_file(world: World, a1111: Path) -> None:
    kept = {a1111 / "models/Lora" / name: LORA for name in ("a.safetensors", "b.safetensors")}
    for path, data in kept.items():
        path.write_bytes(data)
    assert crash_everywhere(world, kept, COMMANDS, range(1, 30, 3)) > 8


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_step_at_all_of_dedupe_and_eject_and_rebuild_can_lose_a_file(world: World, a1111: Path) -> None:
    kept = {a1111 / "models/Lora" / name: LORA for name in ("a.safetensors", "b.safetensors", "c.safetensors")}
    for path, data in kept.items():
        path.write_bytes(data)
    assert crash_everywhere(world, kept, [*COMMANDS, ["db", "rebuild", "--yes"]], range(1, 70)) > 100
