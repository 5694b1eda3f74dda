"""What lies beside a placement follows when a person moves it, unless the person made it theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.actions.test_replacing import crashed
from tests.world import World


@pytest.fixture
def ink(world: World, a1111: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SDKEEP_SIDECARS", "a1111-json,lora-manager")
    world.good("get", "civitai:1002@10021")
    path = a1111 / "models/Lora/ink.safetensors"
    assert {one.name for one in path.parent.iterdir()} >= {"ink.json", "ink.metadata.json", "ink.safetensors"}
    return path


def beside(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".safetensors"}


def moved(ink: Path, to: str) -> Path:
    target = ink.parent / to
    target.parent.mkdir(exist_ok=True)
    ink.rename(target)
    return target


@pytest.mark.parametrize("to", ["brush.safetensors", "new/ink.safetensors", "new/brush.v2.safetensors"])
def test_sidecars_follow_and_say_where_the_file_is_now(world: World, ink: Path, to: str) -> None:
    before = {name.removeprefix("ink") for name in beside(ink.parent)}
    target = moved(ink, to)
    world.good("sync", "--yes")
    assert beside(target.parent) == {target.stem + ending for ending in before}
    said = json.loads(target.with_name(f"{target.stem}.metadata.json").read_text())
    assert (said["file_path"], said["file_name"]) == (target.as_posix(), target.stem)
    assert world.good("sync", "--check").data["differences"] == []
    world.good("rm", "ink", "--yes")
    assert not beside(target.parent)


def test_an_edited_sidecar_stays_where_it_is_and_is_the_person_s(world: World, ink: Path) -> None:
    mine = ink.with_name("ink.json")
    mine.write_text('{"notes": "mine"}')
    moved(ink, "brush.safetensors")
    world.good("sync", "--yes")
    assert mine.read_text() == '{"notes": "mine"}'
    world.good("rm", "ink", "--yes")
    assert mine.read_text() == '{"notes": "mine"}'


def test_nothing_in_the_way_is_written_over(world: World, ink: Path) -> None:
    theirs = ink.with_name("brush.json")
    theirs.write_text('{"nodes": []}')
    moved(ink, "brush.safetensors")
    world.good("sync", "--yes")
    assert theirs.read_text() == '{"nodes": []}'
    assert ink.with_name("ink.json").is_file()
    assert ink.with_name("brush.metadata.json").is_file()


def test_sidecars_that_a_person_moved_along_stay_ours(world: World, ink: Path) -> None:
    for name in beside(ink.parent):
        ink.with_name(name).rename(ink.with_name(name.replace("ink", "brush", 1)))
    moved(ink, "brush.safetensors")
    world.good("sync", "--yes")
    world.good("rm", "ink", "--yes")
    assert not beside(ink.parent)


@pytest.mark.parametrize("step", range(1, 16, 2))
def test_a_kill_while_they_follow_is_made_good_by_the_next_sync(world: World, ink: Path, step: int) -> None:
    before = {name.removeprefix("ink") for name in beside(ink.parent)}
    target = moved(ink, "new/brush.safetensors")
    crashed(world, step, "sync", "--yes")
    world.good("sync", "--yes")
    drafts = {name for name in beside(target.parent) if name.startswith(".sdkeep-")}
    assert beside(target.parent) - drafts == {f"brush{ending}" for ending in before}
    assert beside(ink.parent) == set()
