"""Plain words are read without pydantic; everything else, and every mistake, is read as Typer reads it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from sdkeep.cli import commands
from sdkeep.cli.app import application
from tests.world import World


def test_every_verb_is_found_in_the_module_that_the_list_names() -> None:
    for word in commands.VERBS:
        app = application(word)
        groups = [group.name for group in app.registered_groups]
        assert word in [*groups, *(command.name for command in app.registered_commands)]


def test_a_word_that_is_no_verb_loads_every_verb() -> None:
    assert len(application("import").registered_commands) == len(application().registered_commands)


@pytest.mark.parametrize("width", [60, 100, 300])
def test_the_list_of_verbs_reads_as_if_every_verb_had_been_loaded(width: int) -> None:
    def listed(app: typer.Typer) -> str:
        command = typer.main.get_command(app)
        return command.get_help(command.make_context("sdkeep", [], resilient_parsing=True, max_content_width=width))

    assert listed(application("")) == listed(application())


def test_help_loads_no_verb() -> None:
    code = "import sys; sys.argv = ['sdkeep', '--help']\nfrom sdkeep.cli.app import run\nrun()\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Look for models" in done.stdout and "sdkeep.cli.commands.search" not in done.stdout.split()


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
