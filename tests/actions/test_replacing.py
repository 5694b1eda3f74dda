"""A newer file in the place of the old one: at every moment, and after every crash, the WebUI finds one of the two."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdkeep.actions.busy import alone
from sdkeep.store import platform
from tests.actions.test_outdated import NEW, newer, publish
from tests.actions.test_trust import FUSE, Crash, fused
from tests.makers import library
from tests.world import World, sha256

OLD = library.civitai_files()[13]
UPDATE = ("update", "--replace", "--yes")


@pytest.fixture
def placed(world: World, a1111: Path) -> tuple[Path, Path]:
    """The old release in two WebUIs, in one of them under a name of the person's."""
    comfy = world.ui("comfyui")
    world.good("get", "civitai:1002@10021")
    mine = a1111 / "models/Lora/my brush.safetensors"
    (a1111 / "models/Lora/ink.safetensors").rename(mine)
    world.good("sync", "--yes")
    publish(world)
    return mine, comfy / "models/loras/ink.safetensors"


def crashed(world: World, step: int, *arguments: str) -> bool:
    """Whether the command was stopped dead at that step."""
    with pytest.MonkeyPatch.context() as patch, fused(patch):
        FUSE.light(step)
        try:
            world.run(*arguments)
        except Crash:
            return True
        finally:
            FUSE.light(None)
    return False


def check_goes_on(world: World, placed: tuple[Path, Path], then: tuple[str, ...]) -> None:
    """Whatever was done, both paths show a whole file; `then` ends with the newer one and nothing open."""
    assert all(path.read_bytes() in (OLD, NEW) for path in placed)
    world.run(*then)
    world.run(*UPDATE)
    assert [path.read_bytes() for path in placed] == [NEW, NEW]
    assert newer(world) == []
    with world.house() as house:
        assert house.book.open_intents() == ()
        assert house.book.locations_of(sha256(OLD)) == ()
    assert not [path for folder in placed for path in folder.parent.glob(".sdkeep-[dp]*.tmp")]
    assert world.good("sync", "--check").data["differences"] == []


@pytest.mark.parametrize("then", [("doctor",), UPDATE], ids=["doctor", "update"])
@pytest.mark.parametrize("part", range(4))
def test_a_kill_between_any_two_steps_leaves_one_of_the_two_files(
    world: World, placed: tuple[Path, Path], part: int, then: tuple[str, ...]
) -> None:
    """One crash after the other in one update, further on each time, until it comes to its end."""
    stopped = 0
    for step in range(1 + part, 400, 4):
        if not crashed(world, step, *UPDATE):
            break
        stopped += 1
        assert all(path.read_bytes() in (OLD, NEW) for path in placed), step
    assert stopped > 3
    check_goes_on(world, placed, then)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("step", range(1, 150))
def test_a_kill_at_each_single_step_of_an_update_is_made_good(
    world: World, placed: tuple[Path, Path], step: int
) -> None:
    crashed(world, step, *UPDATE)
    check_goes_on(world, placed, ("doctor",) if step % 2 else UPDATE)


def test_the_path_is_never_empty_while_it_changes(
    world: World, placed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at before each step that changes a name on the disk."""
    seen: set[bytes] = set()
    real_unlink, real_rename = os.unlink, platform._rename_with

    def look() -> None:
        seen.update(path.read_bytes() for path in placed)

    def unlink(*arguments: object, **named: object) -> None:
        look()
        real_unlink(*arguments, **named)  # type: ignore[arg-type]

    def rename(*arguments: object) -> bool:
        look()
        return real_rename(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "unlink", unlink)
    monkeypatch.setattr(platform, "_rename_with", rename)
    world.good(*UPDATE)
    assert seen == {OLD, NEW}


def test_where_names_cannot_be_exchanged_one_rename_does_it(
    world: World, placed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "exchange", lambda one, other: False)
    world.good(*UPDATE)
    check_goes_on(world, placed, ("doctor",))


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "no exchange"])
def test_the_last_copy_of_the_old_bytes_goes_to_the_trash(
    world: World, placed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(platform, "exchange", lambda one, other: False)
    (blob,) = world.root.rglob(f"blobs/sha256/*/{sha256(OLD)}")
    blob.unlink()
    world.good(*UPDATE)
    assert [path.read_bytes() for path in placed] == [NEW, NEW]
    assert {one["sha256"] for one in world.trash()} == {sha256(OLD)}


def test_a_placement_that_a_person_changed_stays_with_the_old_file(world: World, placed: tuple[Path, Path]) -> None:
    mine, comfy = placed
    mine.unlink()
    mine.write_bytes(b"painted over")
    (done,) = world.good(*UPDATE).data
    assert mine.read_bytes() == b"painted over"
    assert (done["placed"], done["kept"], done["trash"]) == ([str(comfy)], [str(mine)], [])
    assert comfy.read_bytes() == NEW
    assert {sha256(OLD), sha256(NEW)} <= world.blobs()


def test_a_placement_that_is_gone_comes_back_as_the_newer_file(world: World, placed: tuple[Path, Path]) -> None:
    placed[0].unlink()
    world.good(*UPDATE)
    assert [path.read_bytes() for path in placed] == [NEW, NEW]


def test_an_update_that_another_command_kept_waiting_goes_on_later(
    world: World, placed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone.__wrapped__, "__defaults__", (0.0, "files"))  # type: ignore[attr-defined]
    with world.house() as house, alone(house):
        assert world.json(*UPDATE).codes == ["in-use"]
    assert [path.read_bytes() for path in placed] == [OLD, OLD]
    check_goes_on(world, placed, UPDATE)
