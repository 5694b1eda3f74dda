from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdkeep.ground.errors import FormatError, StoreError
from sdkeep.ground.events import Stop, Stopped
from sdkeep.store.archives import Limits, unpack
from tests.makers.trees import picture_of


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging"


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_members_come_out_flat_under_safe_names(tmp_path: Path, staging: Path) -> None:
    archive = packed(tmp_path / "a.zip", {"cards/": b"", "cards/Animals.TXT": b"cat", "other/animals.txt": b"dog"})
    found = unpack(archive, staging)
    assert [(member.name, member.path.read_bytes()) for member in found.members] == [
        ("Animals.txt", b"cat"),
        ("animals-2.txt", b"dog"),
    ]
    assert {member.path.parent for member in found.members} == {staging}


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "C:\\evil.txt", "..\\evil.txt"])
def test_a_path_that_leads_out_is_skipped(tmp_path: Path, staging: Path, name: str) -> None:
    before = picture_of(tmp_path)
    found = unpack(packed(tmp_path / "a.zip", {name: b"evil", "good.txt": b"x"}), staging)
    assert [member.name for member in found.members] == ["good.txt"]
    assert "leads out" in found.skipped[0].why
    assert set(picture_of(tmp_path)) - set(before) == {str(tmp_path / "a.zip"), str(found.members[0].path)}


def test_a_link_in_an_archive_is_skipped(tmp_path: Path, staging: Path) -> None:
    entry = zipfile.ZipInfo("link.txt")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "link" in unpack(tmp_path / "a.zip", staging).skipped[0].why


def test_an_encrypted_member_is_skipped(tmp_path: Path, staging: Path) -> None:
    archive = packed(tmp_path / "a.zip", {"x.txt": b"secret"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    assert "encrypted" in unpack(archive, staging).skipped[0].why


@pytest.mark.parametrize("name", ["__MACOSX/._a.txt", ".DS_Store", "sub/.hidden.txt"])
def test_hidden_files_are_skipped(tmp_path: Path, staging: Path, name: str) -> None:
    assert unpack(packed(tmp_path / "a.zip", {name: b"x"}), staging).members == ()


def test_only_wanted_extensions_come_out(tmp_path: Path, staging: Path) -> None:
    archive = packed(tmp_path / "a.zip", {"a.txt": b"x", "run.py": b"x", "none": b"x"})
    found = unpack(archive, staging, extensions={".txt"})
    assert [member.name for member in found.members] == ["a.txt"]
    assert len(found.skipped) == 2


def test_a_member_that_unpacks_to_far_too_much_is_skipped(tmp_path: Path, staging: Path) -> None:
    archive = packed(tmp_path / "a.zip", {"bomb.txt": b"\0" * (4 << 20), "long.txt": bytes(range(256)) * 10})
    found = unpack(archive, staging, limits=Limits(member=2000))
    assert found.members == ()
    assert "allowed" in found.skipped[1].why
    assert "far more" in unpack(archive, staging).skipped[0].why


@pytest.mark.parametrize("limits", [Limits(count=2), Limits(total=10)])
def test_an_archive_over_its_limits_is_refused_whole(tmp_path: Path, staging: Path, limits: Limits) -> None:
    archive = packed(tmp_path / "a.zip", {f"{n}.txt": b"xxxxx" for n in range(3)})
    with pytest.raises(FormatError) as caught:
        unpack(archive, staging, limits=limits)
    assert caught.value.rule == "archive-limit"
    assert list(staging.iterdir()) == []


def test_a_member_with_broken_bytes_is_skipped_and_the_others_come_out(tmp_path: Path, staging: Path) -> None:
    archive = packed(tmp_path / "a.zip", {"bad.txt": b"hello hello hello", "good.txt": b"x"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"bad.txt") + 9] ^= 0xFF
    archive.write_bytes(data)
    found = unpack(archive, staging)
    assert [member.name for member in found.members] == ["good.txt"]
    assert "cannot be read" in found.skipped[0].why
    assert len(list(staging.iterdir())) == 1


def test_stopping_leaves_nothing(tmp_path: Path, staging: Path) -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        unpack(packed(tmp_path / "a.zip", {"a.txt": b"x"}), staging, stop=stop)
    assert list(staging.iterdir()) == []


def test_a_missing_archive_is_a_store_error(tmp_path: Path, staging: Path) -> None:
    with pytest.raises(StoreError):
        unpack(tmp_path / "none.zip", staging)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(place=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 60))
def test_broken_archives_are_refused_or_skipped_and_never_crash(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    archive = packed(folder / "a.zip", {"one.txt": b"hello" * 9, "two/three.txt": b"world" * 9})
    data = bytearray(archive.read_bytes())
    data[place % len(data)] = value
    archive.write_bytes(data[: len(data) - cut])
    (folder / "staging").mkdir()
    try:
        found = unpack(archive, folder / "staging")
    except FormatError:
        assert list((folder / "staging").iterdir()) == []
    else:
        assert sorted((folder / "staging").iterdir()) == sorted(member.path for member in found.members)
