from __future__ import annotations

from pathlib import Path

import pytest

from sdkeep.store import platform
from sdkeep.store.roots import root_for


@pytest.fixture
def two_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`tmp_path/disk` plays another volume."""
    monkeypatch.setattr(platform, "volume_of", lambda path: 2 if path.is_relative_to(tmp_path / "disk") else 1)
    (tmp_path / "disk" / "ai" / "webui" / "models").mkdir(parents=True)
    return tmp_path


def test_on_the_volume_of_the_home_the_home_serves(tmp_path: Path) -> None:
    choice = root_for(tmp_path / "ui" / "models", [], [tmp_path / "ui"], tmp_path / "home")
    assert (choice.path, choice.links) == (tmp_path / "home" / "store", True)


def test_on_another_volume_a_root_is_made_beside_the_first_webui_there(two_disks: Path) -> None:
    webui = two_disks / "disk" / "ai" / "webui"
    choice = root_for(webui / "models", [], [two_disks / "elsewhere", webui], two_disks / "home")
    assert choice.path == two_disks / "disk" / "ai" / "sdkeep-store"
    assert choice.links


def test_a_registered_root_on_the_volume_comes_first(two_disks: Path) -> None:
    known = two_disks / "disk" / "known"
    choice = root_for(two_disks / "disk" / "ai" / "webui", [two_disks / "other", known], [], two_disks / "home")
    assert choice.path == known


def test_a_folder_moved_to_a_volume_of_its_own_gets_a_root_beside_it(two_disks: Path) -> None:
    choice = root_for(two_disks / "disk" / "ai" / "loras", [], [two_disks / "ui"], two_disks / "home")
    assert choice.path == two_disks / "disk" / "ai" / "sdkeep-store"


def test_where_no_root_can_be_made_the_home_serves_across_volumes(two_disks: Path) -> None:
    choice = root_for(two_disks / "disk", [], [], two_disks / "home")
    assert choice.path == two_disks / "home" / "store"
    assert not choice.links
    assert "another volume" in choice.why
