"""Where a setting's value comes from, and what a file may not set."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.ground.errors import BadSetting
from sdkeep.ground.kinds import NsfwLevel
from sdkeep.settings.load import load
from sdkeep.settings.values import Origin
from sdkeep.settings.variables import BY_NAME, VARIABLES, Type


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def user_file(home: Path, text: str) -> Path:
    home.mkdir(exist_ok=True)
    file = home / "config.toml"
    file.write_text(text)
    return file


def project_file(cwd: Path, text: str) -> Path:
    file = cwd / "sdkeep.toml"
    file.write_text(text)
    return file


def test_defaults_come_from_the_table(cwd: Path, home: Path) -> None:
    loaded = load({}, cwd, home)
    assert loaded.settings.home == home
    assert loaded.settings.catalogue == home / "registry.db"
    assert loaded.settings.layouts_dir == home / "layouts"
    assert loaded.settings.connections == 4
    assert loaded.settings.nsfw is NsfwLevel.PG
    assert {source.origin for source in loaded.sources.values()} == {Origin.DEFAULT}


def test_a_flag_beats_the_environment_beats_the_project_beats_the_user_file(cwd: Path, home: Path) -> None:
    user = user_file(home, 'precision = "fp32"\n')
    assert load({}, cwd, home).settings.precision == "fp32"
    assert str(load({}, cwd, home).sources["precision"]) == f"user file {user}"
    project = project_file(cwd, '[settings]\nprecision = "bf16"\n')
    assert load({}, cwd, home).settings.precision == "bf16"
    assert load({}, cwd, home).sources["precision"].where == str(project)
    environ = {"SDKEEP_PRECISION": "fp8"}
    assert load(environ, cwd, home).settings.precision == "fp8"
    assert str(load(environ, cwd, home).sources["precision"]) == "environment SDKEEP_PRECISION"
    loaded = load(environ, cwd, home, {"precision": "int8"})
    assert loaded.settings.precision == "int8"
    assert str(loaded.sources["precision"]) == "flag --precision"


def test_our_own_variable_beats_the_one_of_another_tool(cwd: Path, home: Path) -> None:
    environ = {"HF_ENDPOINT": "https://mirror.example", "SDKEEP_HF_URL": "https://ours.example/"}
    loaded = load(environ, cwd, home)
    assert loaded.settings.hf_url == "https://ours.example"
    assert loaded.sources["hf_url"].where == "SDKEEP_HF_URL"
    assert load({"HF_ENDPOINT": "https://mirror.example"}, cwd, home).settings.hf_url == "https://mirror.example"


def test_an_empty_variable_counts_as_unset(cwd: Path, home: Path) -> None:
    assert load({"SDKEEP_PRECISION": ""}, cwd, home).sources["precision"].origin is Origin.DEFAULT


def test_paths_start_at_the_place_that_names_them(cwd: Path, home: Path) -> None:
    file = user_file(home, 'blob_root = "models"\n')
    assert load({}, cwd, home).settings.blob_root == file.parent / "models"
    assert load({"SDKEEP_BLOB_ROOT": "big"}, cwd, home).settings.blob_root == cwd / "big"
    assert load({"SDKEEP_BLOB_ROOT": "~/big", "HOME": "/h"}, cwd, home).settings.blob_root == Path("/h/big")
    assert load({}, cwd, home, {"home": "here"}).settings.catalogue == cwd / "here" / "registry.db"


def test_the_user_file_can_lie_elsewhere(cwd: Path, home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "dotfiles" / "sdkeep.toml"
    elsewhere.parent.mkdir()
    elsewhere.write_text("connections = 9\n")
    loaded = load({"SDKEEP_CONFIG": str(elsewhere)}, cwd, home)
    assert loaded.settings.connections == 9
    assert loaded.settings.config_file == elsewhere
    assert loaded.settings.layouts_dir == elsewhere.parent / "layouts"


def test_the_platform_s_folders_are_the_default(cwd: Path) -> None:
    settings = load({}, cwd).settings
    assert settings.home.name == "sdkeep"
    assert settings.config_file.name == "config.toml"


@pytest.mark.parametrize("name", [v.name for v in VARIABLES if not v.project])
def test_a_project_file_may_not_set_what_is_no_preference(cwd: Path, home: Path, name: str) -> None:
    file = project_file(cwd, f'[settings]\n{name} = "x"\n')
    with pytest.raises(BadSetting) as caught:
        load({}, cwd, home)
    assert f"`{file}` sets `{name}`" in caught.value.what
    assert "ui, format, precision, size, nsfw" in caught.value.why


@pytest.mark.parametrize("name", ["hf_token", "civitai_token", "config_file", "hf_home"])
def test_tokens_and_the_place_of_the_files_are_not_read_from_the_user_file(cwd: Path, home: Path, name: str) -> None:
    user_file(home, f'{name} = "hf_secretsecretsecret"\n')
    with pytest.raises(BadSetting) as caught:
        load({}, cwd, home)
    assert "secretsecret" not in f"{caught.value.what}{caught.value.why}{caught.value.next}"


def test_a_project_file_may_hold_other_tables(cwd: Path, home: Path) -> None:
    project_file(cwd, '[settings]\nui = "forge"\n[models]\nx = "civitai:1"\n')
    assert load({}, cwd, home).settings.ui == "forge"


@pytest.mark.parametrize(
    ("text", "near"), [("precison", "precision"), ("NSFW-", "nsfw"), ("conections", "connections")]
)
def test_an_unknown_key_names_the_nearest_known_one(cwd: Path, home: Path, text: str, near: str) -> None:
    file = user_file(home, f"{text} = 1\n")
    with pytest.raises(BadSetting) as caught:
        load({}, cwd, home)
    assert f"`{text}` in `{file}`" in caught.value.what
    assert f"`{near}`" in caught.value.why


def test_an_unknown_flag_is_refused_and_so_is_a_token_in_a_flag(cwd: Path, home: Path) -> None:
    for name in ("no-such-thing", "hf_token"):
        with pytest.raises(BadSetting):
            load({}, cwd, home, {name: "x"})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("SDKEEP_CONNECTIONS", "0", "between 1 and 16"),
        ("SDKEEP_CONNECTIONS", "2.5", "whole"),
        ("SDKEEP_CONNECTIONS", "many", "many"),
        ("SDKEEP_TIMEOUT", "nan", "between"),
        ("SDKEEP_OFFLINE", "perhaps", "neither true nor false"),
        ("SDKEEP_PRECISION", "fp12", "fp16"),
        ("SDKEEP_NSFW", "all", "xxx"),
        ("SDKEEP_HF_URL", "huggingface.co", "https://HOST"),
        ("SDKEEP_HF_URL", "ftp://huggingface.co", "https://HOST"),
        ("SDKEEP_HF_URL", "https://huggingface.co/?a=1", "query"),
        ("SDKEEP_PROXY", "gopher://x", "http://HOST:PORT"),
        ("SDKEEP_UI", "a\x1b[31m", "control"),
        ("SDKEEP_PROXY", "http://", "http://HOST:PORT"),
    ],
)
def test_a_value_of_the_wrong_type_says_what_is_right(cwd: Path, home: Path, name: str, value: str, why: str) -> None:
    with pytest.raises(BadSetting) as caught:
        load({name: value}, cwd, home)
    assert why in caught.value.why
    assert name in caught.value.why


def test_credentials_in_an_address_are_refused_and_not_repeated(cwd: Path, home: Path) -> None:
    with pytest.raises(BadSetting) as caught:
        load({"HF_ENDPOINT": "https://user:hunter2@mirror.example"}, cwd, home)
    assert "hunter2" not in f"{caught.value.what}{caught.value.why}"


def test_credentials_of_a_proxy_are_kept_and_never_shown(cwd: Path, home: Path) -> None:
    settings = load({"https_proxy": "http://user:hunter2@proxy:3128"}, cwd, home).settings
    assert settings.proxy == "http://user:hunter2@proxy:3128"
    assert settings.shown("proxy") == "http://***@proxy:3128"


def test_the_proxy_variables_of_the_system_are_understood(cwd: Path, home: Path) -> None:
    settings = load({"ALL_PROXY": "proxy:3128", "no_proxy": "localhost, .lan ,"}, cwd, home).settings
    assert settings.proxy == "http://proxy:3128"
    assert settings.no_proxy == ("localhost", ".lan")
    assert settings.shown("no_proxy") == "localhost,.lan"


def test_values_are_shown_as_they_are_written(cwd: Path, home: Path) -> None:
    settings = load({}, cwd, home).settings
    shown = [settings.shown(name) for name in ("offline", "timeout", "blob_root", "home")]
    assert shown == ["false", "30", "", str(home)]


def test_a_broken_file_is_named_with_the_line(cwd: Path, home: Path) -> None:
    file = user_file(home, "connections = \n")
    with pytest.raises(BadSetting, match="no valid TOML") as caught:
        load({}, cwd, home)
    assert str(file) in caught.value.what
    assert "line 1" in caught.value.why


def test_a_file_that_cannot_be_read_is_an_error_not_a_default(cwd: Path, home: Path) -> None:
    (home / "config.toml").mkdir(parents=True)
    with pytest.raises(BadSetting, match="cannot be read"):
        load({}, cwd, home)


def test_settings_of_a_project_must_be_a_table(cwd: Path, home: Path) -> None:
    project_file(cwd, "settings = 3\n")
    with pytest.raises(BadSetting, match="no table"):
        load({}, cwd, home)


def test_toml_types_are_taken_as_they_are(cwd: Path, home: Path) -> None:
    user_file(home, 'offline = true\ntimeout = 2.5\nconnections = "7"\nkeep-original = "yes"\nno_proxy = ["a", "b"]\n')
    settings = load({}, cwd, home).settings
    assert (settings.offline, settings.timeout, settings.connections) == (True, 2.5, 7)
    assert settings.keep_original is True
    assert settings.no_proxy == ("a", "b")


@pytest.mark.parametrize("text", ["connections = true", "ui = 3", "offline = 1.5", "no_proxy = [1]"])
def test_toml_of_the_wrong_type_is_refused(cwd: Path, home: Path, text: str) -> None:
    user_file(home, text)
    with pytest.raises(BadSetting):
        load({}, cwd, home)


_NAMES = sorted(env for variable in VARIABLES for env in variable.env if variable.type is not Type.SECRET)


@given(st.dictionaries(st.sampled_from(_NAMES), st.text(max_size=20), max_size=4))
def test_any_environment_gives_settings_or_one_kind_of_error(environ: dict[str, str]) -> None:
    nowhere = Path("/nonexistent")
    try:
        loaded = load(environ, nowhere, nowhere)
    except BadSetting as error:
        assert error.what
    else:
        assert set(loaded.sources) <= set(BY_NAME)


def test_the_table_is_sound() -> None:
    assert len(BY_NAME) == len(VARIABLES)
    envs = [env for variable in VARIABLES for env in variable.env]
    assert len(envs) == len(set(envs))
    assert {v.name for v in VARIABLES if v.project} == {"ui", "format", "precision", "size", "nsfw", "sidecars"}
    for variable in VARIABLES:
        assert variable.what
        assert not variable.what.endswith(".")
        assert variable.env[0].startswith("SDKEEP_") or variable.name == "hf_home"
        assert (variable.type is Type.CHOICE) == bool(variable.choices)
