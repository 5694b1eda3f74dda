"""Changing the user's file: comments stay, nothing is half written, nothing wrong gets in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.errors import BadSetting, NotWritable
from sdkeep.settings.load import load
from sdkeep.settings.user_file import replace_file, unset, write
from sdkeep.settings.variables import VARIABLES, Scope, Type


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "config.toml"


def test_a_written_value_is_read_back(file: Path, tmp_path: Path) -> None:
    write(file, "connections", "8", tmp_path)
    write(file, "keep-original", "yes", tmp_path)
    write(file, "blob_root", "models", tmp_path)
    settings = load({}, tmp_path, file.parent).settings
    assert (settings.connections, settings.keep_original) == (8, True)
    assert settings.blob_root == tmp_path / "models"
    assert "connections = 8\n" in file.read_text()


def test_comments_and_order_survive(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    file.write_text('# mine\nprecision = "fp32"  # for training\n\n# later\nconnections = 2\n')
    write(file, "precision", "bf16", tmp_path)
    assert file.read_text() == '# mine\nprecision = "bf16"  # for training\n\n# later\nconnections = 2\n'
    assert unset(file, "precision") is True
    assert unset(file, "precision") is False
    assert file.read_text().startswith("# mine\n")
    assert "precision" not in file.read_text()


def test_a_key_spelt_with_dashes_is_changed_not_doubled(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    file.write_text("keep-original = false\n")
    write(file, "keep_original", "true", tmp_path)
    assert file.read_text() == "keep-original = true\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [("connections", "0"), ("precision", "fp12"), ("nonsense", "1"), ("hf_token", "hf_secret"), ("config_file", "x")],
)
def test_what_is_wrong_never_reaches_the_file(file: Path, tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSetting) as caught:
        write(file, name, value, tmp_path)
    assert "hf_secret" not in f"{caught.value.what}{caught.value.why}"
    assert not file.exists()


def test_a_broken_file_is_left_alone(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    file.write_text("connections = = 2\n")
    with pytest.raises(BadSetting):
        write(file, "connections", "3", tmp_path)
    assert file.read_text() == "connections = = 2\n"


def test_unset_without_a_file_writes_none(file: Path) -> None:
    assert unset(file, "connections") is False
    assert not file.exists()


@pytest.mark.skipif(os.name != "posix", reason="links and modes of POSIX")
def test_a_linked_file_stays_a_link_and_keeps_its_mode(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("")
    real.chmod(0o640)
    file.parent.mkdir()
    file.symlink_to(real)
    write(file, "connections", "3", tmp_path)
    assert file.is_symlink()
    assert real.read_text() == "connections = 3\n"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_failed_write_leaves_the_old_text_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "x.toml"
    target.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(target, "\udc80")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.toml"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    with pytest.raises(NotWritable) as caught:
        replace_file(tmp_path / "blocked" / "config.toml", "x")
    assert "blocked" in caught.value.what


_CHOICES = [(v.name, choice) for v in VARIABLES if v.type is Type.CHOICE for choice in v.choices if choice]
_FLAGS = [
    (v.name, word)
    for v in VARIABLES
    if v.type is Type.FLAG and v.scope is not Scope.OUTSIDE
    for word in ("true", "false")
]


@given(st.lists(st.sampled_from(_CHOICES + _FLAGS), max_size=6))
def test_the_last_of_several_writes_wins(pairs: list[tuple[str, str]]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        home = Path(folder)
        for name, value in pairs:
            write(home / "config.toml", name, value, home)
        settings = load({}, home / "work", home).settings
        for name, value in dict(pairs).items():
            assert settings.shown(name) == value


def test_every_personal_setting_can_be_written_and_removed(file: Path, tmp_path: Path) -> None:
    samples = {Type.ADDRESS: "https://x.example", Type.PROXY: "http://x:1", Type.COUNT: "3", Type.SECONDS: "9"}
    for variable in VARIABLES:
        if variable.scope is Scope.OUTSIDE:
            continue
        value = samples.get(variable.type) or (variable.choices[-1] if variable.choices else "true")
        write(file, variable.name, value, tmp_path)
        load({}, tmp_path, file.parent)
        assert unset(file, variable.name)
