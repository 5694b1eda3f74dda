from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sdkeep.ground.errors import NotFoundHere, StoreError, WouldOverwrite
from sdkeep.store.blobs import Store
from sdkeep.store.trash import Trash
from tests.makers.trees import picture_of
from tests.store.conftest import NOW


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "ui" / "old.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


def test_what_is_thrown_away_can_be_listed_and_comes_back_as_it_was(trash: Trash, mine: Path) -> None:
    before = picture_of(mine.parent)
    thrown = trash.throw(mine, "replaced", "ab" * 32)
    assert not mine.exists()
    assert trash.list() == (thrown,)
    assert (thrown.original, thrown.size, thrown.reason) == (str(mine), 7, "replaced")
    assert (thrown.sha256, thrown.at) == ("ab" * 32, "2026-11-22T10:00:00Z")
    assert trash.restore(trash.find(thrown.id)) == mine
    assert picture_of(mine.parent) == before
    assert list(trash.folder.iterdir()) == []


def test_two_files_of_one_second_do_not_collide(trash: Trash, mine: Path) -> None:
    first = trash.throw(mine, "one")
    mine.write_bytes(b"again")
    second = trash.throw(mine, "two")
    assert first.id != second.id
    assert [entry.reason for entry in trash.list()] == ["one", "two"]


def test_restoring_never_writes_over(trash: Trash, mine: Path) -> None:
    thrown = trash.throw(mine, "x")
    mine.write_bytes(b"new")
    with pytest.raises(WouldOverwrite):
        trash.restore(thrown)
    assert mine.read_bytes() == b"new"
    assert trash.restore(thrown, mine.with_name("elsewhere")).read_bytes() == b"weights"


def test_restoring_makes_the_folder_that_went_meanwhile(trash: Trash, mine: Path) -> None:
    thrown = trash.throw(mine, "x")
    mine.parent.rmdir()
    assert trash.restore(thrown).read_bytes() == b"weights"


def test_a_link_is_thrown_away_and_its_target_is_not(trash: Trash, mine: Path) -> None:
    link = mine.with_name("link")
    link.symlink_to(mine)
    thrown = trash.throw(link, "x")
    assert mine.read_bytes() == b"weights"
    trash.restore(thrown)
    assert os.readlink(link) == str(mine)


def test_a_folder_is_never_thrown_away(trash: Trash, mine: Path) -> None:
    with pytest.raises(StoreError, match="cannot move"):
        trash.throw(mine.parent, "x")
    assert mine.exists()


def test_nothing_crosses_volumes_on_its_way_into_the_trash(trash: Trash, other_volume: Path) -> None:
    (other_volume / "x").write_bytes(b"x")
    with pytest.raises(StoreError) as caught:
        trash.throw(other_volume / "x", "x")
    assert "another volume" in caught.value.why
    assert (other_volume / "x").exists()
    assert trash.list() == ()


def test_restoring_to_another_volume_copies(trash: Trash, mine: Path, other_volume: Path) -> None:
    thrown = trash.throw(mine, "x")
    assert trash.restore(thrown, other_volume / "x").read_bytes() == b"weights"
    assert trash.list() == ()


def test_a_note_whose_bytes_never_arrived_is_no_entry(trash: Trash) -> None:
    trash.folder.mkdir(exist_ok=True)
    (trash.folder / "20261122T100000Z-000.json").write_text("{}")
    assert trash.list() == ()


@pytest.mark.parametrize("note", [None, "", "[1]", "{" * 9000, '{"original": 5}'])
def test_bytes_with_a_lost_note_are_still_listed(trash: Trash, note: str | None) -> None:
    trash.folder.mkdir(exist_ok=True)
    (trash.folder / "20261122T100000Z-000").write_bytes(b"weights")
    if note is not None:
        (trash.folder / "20261122T100000Z-000.json").write_text(note)
    (entry,) = trash.list()
    assert entry.size == 7
    assert entry.at == "2026-11-22T10:00:00Z"
    if note != '{"original": 5}':
        with pytest.raises(StoreError, match="cannot restore"):
            trash.restore(entry)


def test_an_unknown_id_is_not_found(trash: Trash) -> None:
    with pytest.raises(NotFoundHere):
        trash.find("20261122T100000Z-000")


def test_emptying_lets_go_of_what_is_old_enough(store: Store, mine: Path) -> None:
    Trash(store.trash, lambda: NOW - timedelta(days=40)).throw(mine, "old")
    mine.write_bytes(b"young")
    trash = Trash(store.trash, lambda: NOW)
    trash.throw(mine, "young")
    assert [entry.reason for entry in trash.empty(NOW - timedelta(days=30))] == ["old"]
    assert [entry.reason for entry in trash.list()] == ["young"]
    assert [entry.reason for entry in trash.empty()] == ["young"]
    assert list(store.trash.iterdir()) == []


def test_times_are_kept_in_utc(store: Store, mine: Path) -> None:
    from datetime import timezone

    local = datetime(2026, 11, 22, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    thrown = Trash(store.trash, lambda: local).throw(mine, "x")
    assert thrown.at == local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") == "2026-11-23T04:30:00Z"
