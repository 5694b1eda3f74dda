"""Settings and the catalogue's file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.world import World


def test_every_setting_has_a_value_and_a_source(world: World) -> None:
    rows = {row["name"]: row for row in world.good("config", "list").data}
    assert rows["nsfw"]["value"] == "pg"
    assert "SDKEEP_CIVITAI_URL" in rows["civitai_url"]["source"]
    assert not any("token" in name for name in rows)


def test_set_get_unset(world: World) -> None:
    assert world.good("config", "set", "nsfw", "r").data["value"] == "r"
    assert world.good("config", "get", "nsfw").data["value"] == "r"
    path = Path(world.good("config", "path").data["path"])
    assert path.is_file()
    assert world.good("config", "unset", "nsfw").data["value"] == "pg"


def test_a_variable_that_overrules_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDKEEP_NSFW", "x")
    result = world.good("config", "set", "nsfw", "r")
    assert any("SDKEEP_NSFW" in warning for warning in result.document["warnings"])


@pytest.mark.parametrize(
    "command", [("get", "nswf"), ("set", "nswf", "r"), ("set", "nsfw", "huge"), ("set", "civitai_token", "x" * 20)]
)
def test_mistakes_are_errors_with_the_nearest_name(world: World, command: tuple[str, ...]) -> None:
    result = world.json("config", *command)
    assert (result.status, result.codes) == (2, ["bad-setting"])


def test_a_broken_file_is_an_error_of_every_verb_and_names_the_file(world: World) -> None:
    Path("sdkeep.toml").write_text("[settings\n")
    result = world.json("ls")
    assert (result.status, result.codes) == (2, ["bad-setting"])
    assert "sdkeep.toml" in result.stdout


def test_a_project_may_not_set_where_tokens_go(world: World) -> None:
    Path("sdkeep.toml").write_text('[settings]\ncivitai_url = "https://evil.example"\n')
    assert world.json("ls").codes == ["bad-setting"]


def test_the_catalogue_is_copied_and_never_over_a_file(world: World) -> None:
    world.good("get", "civitai:1002@10021")
    copy = Path(world.good("db", "backup").data["copy"])
    with sqlite3.connect(copy) as opened:
        assert opened.execute("SELECT count(*) FROM artifact").fetchone() == (1,)
    opened.close()
    assert world.json("db", "backup", str(copy)).codes == ["would-overwrite"]
    folder = world.root / "backups-here"
    folder.mkdir()
    assert Path(world.good("db", "backup", str(folder)).data["copy"]).parent == folder


def test_upgrade_and_path(world: World) -> None:
    done = world.good("db", "upgrade").data
    assert done["before"] == done["after"]
    assert world.good("db", "path").data == {"path": str(world.catalogue), "exists": True}


def test_a_newer_catalogue_is_refused(world: World) -> None:
    with sqlite3.connect(world.catalogue) as opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")
    opened.close()
    result = world.json("ls")
    assert (result.status, result.codes) == (2, ["catalogue-too-new"])


def test_a_file_that_is_no_catalogue_is_refused_untouched(world: World) -> None:
    world.catalogue.write_bytes(b"not a database" * 100)
    assert world.json("ls").codes == ["catalogue-broken"]
    assert world.catalogue.read_bytes() == b"not a database" * 100


def test_a_home_that_cannot_be_made_is_an_error_not_a_bug(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.root / "file").write_text("")
    monkeypatch.setenv("SDKEEP_HOME", str(world.root / "file" / "home"))
    for command in (("ls",), ("get", "civitai:1001"), ("doctor",)):
        result = world.json(*command)
        assert result.status in (1, 2)
        assert "bug" not in result.codes
