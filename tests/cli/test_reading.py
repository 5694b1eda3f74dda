"""Plain words are read without pydantic; everything else, and every mistake, is read as Typer reads it."""

from __future__ import annotations

from sdkeep.cli import commands
from sdkeep.cli.app import application
from tests.world import World


def test_each_module_brings_the_verb_or_group_of_its_own_name() -> None:
    for name in commands.MODULES:
        app = application(name)
        groups = [group.name for group in app.registered_groups]
        assert name in [*groups, *(command.name for command in app.registered_commands)]


def test_a_word_that_is_no_module_loads_every_verb() -> None:
    assert len(application("import").registered_commands) == len(application().registered_commands)


def test_words_stay_words(world: World) -> None:
    done = world.json("scan", "1", "", "--report", "sarif")
    assert done.codes and all(code != "bug" for code in done.codes)


def test_a_wrong_number_is_refused_in_our_words(world: World) -> None:
    done = world.json("gc", "--keep-days", "soon")
    assert (done.status, done.codes) == (2, ["usage"])
    assert "--keep-days" in done.document["errors"][0]["what"]


def test_a_path_option_is_a_path(world: World) -> None:
    (world.root / "a.bin").write_bytes(b"\x80\x02}q\x00.")
    done = world.json("scan", str(world.root / "a.bin"), "--report", "sarif", "-o", str(world.root / "out.sarif"))
    assert (world.root / "out.sarif").exists(), done


def test_common_options_may_stand_before_the_verb(world: World) -> None:
    assert world.run("--json", "ls").document["verb"] == "ls"
    assert world.run("-q", "ls").stdout == ""
