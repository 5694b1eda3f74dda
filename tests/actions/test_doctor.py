"""What a crash left is settled, and newcomers' troubles are named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdkeep.actions.intents import DISCARD, PLACE, STORE, UNPLACE
from tests.world import World, sha256


@pytest.fixture
def ink(world: World, a1111: Path) -> Path:
    """A LoRA that was fetched and placed."""
    world.good("get", "civitai:1002@10021")
    return a1111 / "models/Lora/ink.safetensors"


def _leave_open(world: World, action: str, **detail: str) -> None:
    with world.house() as house:
        house.book.begin_intent(action, detail)


def _settled(world: World) -> list[str]:
    sentences = [check["what"] for check in world.json("doctor").data if check["name"] == "unfinished"]
    with world.house() as house:
        assert house.book.open_intents() == ()
    return sentences


def _root(world: World) -> str:
    with world.house() as house:
        return house.book.blob_roots()[0]


def test_a_healthy_house_has_no_problem(world: World, ink: Path) -> None:
    checks = world.good("doctor").data
    assert "problem" not in {check["state"] for check in checks}
    assert {"python", "catalogue", "space", "ui", "token"} <= {check["name"] for check in checks}


def test_a_store_that_was_cut_off_after_the_rename_is_recorded(world: World, ink: Path) -> None:
    digest, root = sha256(world.file(13)), _root(world)
    with world.house() as house:
        house.book.drop_blob(digest, root)
    _leave_open(world, STORE, sha256=digest, root=root)
    assert "is in the store" in _settled(world)[0]
    assert world.good("verify", "ink").data[0]["condition"] == "sound"


def test_a_store_that_never_happened_is_undone(world: World, ink: Path) -> None:
    _leave_open(world, STORE, sha256="0" * 64, root=_root(world))
    assert "never reached" in _settled(world)[0]


def test_a_link_that_was_made_is_recorded(world: World, ink: Path) -> None:
    digest, root = sha256(world.file(13)), _root(world)
    with world.house() as house:
        house.book.drop_location(str(ink))
    _leave_open(world, PLACE, path=str(ink), sha256=digest, root=root, ui="a1111")
    assert "is placed" in _settled(world)[0]
    assert [one["outcome"] for one in world.good("unplace", "ink").data] == ["removed"]


def test_a_foreign_file_is_never_taken_for_a_link_of_ours(world: World, ink: Path) -> None:
    foreign = ink.with_name("theirs.safetensors")
    foreign.write_bytes(ink.read_bytes())
    _leave_open(world, PLACE, path=str(foreign), sha256=sha256(world.file(13)), root=_root(world), ui="a1111")
    assert "not placed" in _settled(world)[0]
    with world.house() as house:
        assert house.book.location_at(str(foreign)) is None


def test_an_unplace_that_happened_is_recorded(world: World, ink: Path) -> None:
    os.unlink(ink)
    _leave_open(world, UNPLACE, path=str(ink))
    assert "is gone" in _settled(world)[0]
    with world.house() as house:
        assert house.book.location_at(str(ink)) is None


def test_an_unplace_that_did_not_happen_is_undone(world: World, ink: Path) -> None:
    _leave_open(world, UNPLACE, path=str(ink))
    assert "still placed" in _settled(world)[0]
    assert ink.is_file()


def test_a_discard_that_happened_is_recorded_and_one_that_did_not_is_undone(world: World, ink: Path) -> None:
    digest, root = sha256(world.file(13)), _root(world)
    _leave_open(world, DISCARD, sha256=digest, root=root)
    assert "still in the store" in _settled(world)[0]
    world.good("rm", "ink", "--yes")
    _leave_open(world, DISCARD, sha256=digest, root=root)
    assert "left the store" in _settled(world)[0]


def test_an_intent_of_another_version_is_closed_untouched(world: World) -> None:
    _leave_open(world, "teleport", path="/x")
    assert "another version" in _settled(world)[0]


def test_an_intent_whose_detail_is_broken_does_not_stop_the_rest(world: World) -> None:
    _leave_open(world, PLACE)
    result = world.json("doctor")
    assert "bug" not in result.codes
    assert {"space", "token"} <= {check["name"] for check in result.data}


def test_what_is_gone_is_a_problem_with_a_command(world: World, ink: Path) -> None:
    ink.unlink()
    result = world.json("doctor")
    assert result.status == 1
    (problem,) = [check for check in result.data if check["state"] == "problem"]
    assert problem["mend"]


def test_a_blob_that_is_gone_is_a_problem(world: World, ink: Path) -> None:
    (blob,) = world.root.rglob(f"blobs/sha256/*/{sha256(world.file(13))}")
    blob.chmod(0o644)
    blob.unlink()
    assert world.json("doctor").status == 1
