"""What every verb promises: common options anywhere, one document, exit statuses, three-part errors."""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from rich.cells import cell_len

from sdkeep.cli.app import application
from sdkeep.cli.output import Look, Mode
from sdkeep.ground.errors import KeepError, tree
from sdkeep.ground.events import Stopped
from tests.makers import library, models
from tests.world import Result, World


def _verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    for name, child in command.commands.items():
        if hasattr(child, "commands"):
            yield from _verbs(child, (*path, name))
        else:
            yield (*path, name), child.hidden


ALL = list(_verbs(typer.main.get_command(application())))
VERBS = [path for path, hidden in ALL if not hidden]
ALIASES = [path for path, hidden in ALL if hidden]
COMMON = ["--json", "-q", "--quiet", "-v", "--verbose", "--debug", "--json-events"]
FULL = {
    "search": ["castle"], "get": ["civitai:1001", "--dry-run"], "show": ["civitai:1001"], "add": ["PATH", "--dry-run"],
    "scan": ["PATH"], "convert": ["PATH", "--dry-run"], "config get": ["nsfw"], "config set": ["nsfw", "r"],
    "config unset": ["nsfw"], "ui add": ["UI"], "db backup": ["FRESH"],
}  # fmt: skip
"""Arguments with which a verb ends well in an empty house; a verb that is not named here takes none, or fails."""


def _ids(path: tuple[str, ...]) -> str:
    return "-".join(path)


def _arguments(world: World, path: tuple[str, ...]) -> list[str]:
    file = world.root / "old.ckpt"
    if not file.exists():
        file.write_bytes(models.checkpoint_pickle())
    places = {"PATH": str(file), "UI": str(world.root), "FRESH": str(world.root / f"{time.monotonic_ns()}.db")}
    more = ["--layout", "a1111"] if path == ("ui", "add") else []
    return [places.get(word, word) for word in FULL.get(" ".join(path), [])] + more


def _is_one_document(result: Result) -> dict[str, Any]:
    document = json.loads(result.stdout)
    assert list(document) == ["schema", "verb", "ok", "data", "errors", "warnings"]
    assert document["ok"] is (result.status == 0)
    for error in document["errors"]:
        assert set(error) == {"ref", "code", "what", "why", "next"}
    return dict(document)


# common options


@pytest.mark.parametrize("path", VERBS, ids=_ids)
def test_common_options_mean_the_same_before_and_after_the_verb(world: World, path: tuple[str, ...]) -> None:
    if path == ("demo",):
        pytest.skip("the tour has tests of its own")
    arguments = _arguments(world, path)
    after = world.run(*path, *arguments, "--json")
    before = world.run("--json", *path, *_arguments(world, path))
    document = _is_one_document(after)
    assert document["verb"] == " ".join(path) or document["errors"][0]["code"] == "usage"
    assert before.status == after.status
    assert _is_one_document(before)["errors"] == document["errors"]
    for quiet in (["-q", *path, *_arguments(world, path)], [*path, *_arguments(world, path), "--quiet"]):
        result = world.run(*quiet)
        assert result.status == after.status
        assert "hint:" not in result.stderr


def test_every_verbs_help_has_the_common_options_and_an_example(world: World) -> None:
    for path in VERBS:
        result = world.run(*path, "--help")
        assert (result.status, result.stderr) == (0, "")
        for option in ("--json", "--json-events", "-q, --quiet", "-v, --verbose", "--debug"):
            assert option in result.stdout, path
        assert "Examples:" in result.stdout, path
        assert f"$ sdkeep {' '.join(path)}" in result.stdout or "$(sdkeep" in result.stdout, path


def test_an_unknown_option_is_one_document_and_status_2(world: World) -> None:
    for path in VERBS + ALIASES:
        for words in ([*path, "--json", "--no-such-option"], ["--json", *path, "--no-such-option"]):
            result = world.run(*words)
            document = _is_one_document(result)
            assert (result.status, result.stderr) == (2, ""), words
            assert [error["code"] for error in document["errors"]] == ["usage"]
            assert "--help" in document["errors"][0]["next"]


def test_an_unknown_verb_is_a_usage_error(world: World) -> None:
    assert _is_one_document(world.run("--json", "fly"))["errors"][0]["code"] == "usage"
    spoken = world.run("fly")
    assert (spoken.status, spoken.stdout) == (2, "")
    assert spoken.stderr.startswith("error: ")


@pytest.mark.parametrize("words", [[], ["ui"], ["auth"]], ids=str)
def test_no_verb_shows_the_help(world: World, words: list[str]) -> None:
    result = world.run(*words)
    assert result.stderr.startswith(f"Usage: {' '.join(['sdkeep', *words])} ")
    assert (result.status, result.stdout) == (2, "")
    assert _is_one_document(world.run("--json", *words))["errors"][0]["code"] == "usage"


def test_the_version_is_printed(world: World) -> None:
    from sdkeep import __version__

    assert world.run("--version").stdout == f"sdkeep {__version__}\n"


# one document, whatever happens


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("boom\x1b[31m"), 2, "bug"),
        (KeyError("x"), 2, "bug"),
        (Stopped(), 130, "interrupted"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device"), 2, "bug"),
    ],
)
def test_a_break_inside_an_action_is_still_one_document(
    world: World, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, code: str
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("sdkeep.actions.listing.ls", broken)
    result = world.run("ls", "--json")
    assert (result.status, [one["code"] for one in _is_one_document(result)["errors"]]) == (status, [code])
    spoken = world.run("ls")
    assert (spoken.status, spoken.stdout) == (status, "")
    assert "Traceback" not in spoken.stderr
    assert "\x1b" not in spoken.stderr


def test_debug_shows_the_traceback_on_standard_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdkeep.actions.listing.ls", lambda *_: 1 / 0)
    result = world.run("ls", "--json", "--debug")
    assert "ZeroDivisionError" in result.stderr
    _is_one_document(result)


def test_every_error_code_is_unique_and_its_status_is_one_of_the_documented() -> None:
    codes = [error.code for error in tree(KeepError) if error.__module__ == "sdkeep.ground.errors"]
    assert len(codes) == len(set(codes))
    assert {error.status for error in tree(KeepError)} <= {1, 2, 3, 4, 130}


def test_an_error_is_said_in_three_parts_on_standard_error(world: World) -> None:
    result = world.run("get", "civitai:1007")
    first, second, third = result.stderr.splitlines()[:3]
    assert first.startswith("error: ")
    assert second.startswith("  why: ")
    assert third.startswith("  next: ")
    assert (result.status, result.stdout) == (4, "")


def test_an_undecodable_argument_is_an_error_not_a_bug(world: World) -> None:
    for verb in ("show", "scan", "add", "get", "verify", "place"):
        result = world.run(verb, "./\udcff\x1b[31m.ckpt", "--json")
        assert "bug" not in [error["code"] for error in _is_one_document(result)["errors"]]
        assert "\x1b" not in world.run(verb, "./\udcff\x1b[31m.ckpt").stderr


def test_an_undecodable_file_name_is_shown_and_scanned(world: World) -> None:
    path = world.root / "\udcff.safetensors"
    path.write_bytes(models.safetensors(models.small_lora(), 60))
    for verb in ("show", "scan", "add"):
        result = world.run(verb, str(path), "--json")
        assert result.status == 0, result.stdout
        assert _is_one_document(result)["data"][0]["path"]
        assert world.run(verb, str(path)).status == 0


# streams


def test_standard_output_is_data_and_tab_separated_when_piped(world: World) -> None:
    world.good("get", "civitai:1002@10021", "civitai:1001")
    for row in world.run("ls").lines:
        assert len(row.split("\t")) == 6
    assert all("\t" in row for row in world.run("search", "castle").lines)
    assert world.run("ls", "-q").lines == ["castlemix-v2", "ink"]
    assert world.run("show", "-q", "ink").lines == ["ink"]
    empty = world.run("ls", "nothingfits")
    assert (empty.stdout, empty.status) == ("", 0)


@pytest.mark.parametrize("width", [40, 72, 160])
def test_a_table_on_a_terminal_has_heads_and_fits_it(world: World, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    world.good("get", "civitai:1002@10021", "civitai:1001", f"civitai:{library.SPITEFUL}", "--no-preview")
    look = Look(Mode.HUMAN, colour=False, width=width)
    monkeypatch.setattr("sdkeep.cli.frame.look_from", lambda _common: look)
    for command in (["ls"], ["search", "castle"]):
        head, *rows = world.run(*command).lines
        assert "NAME" in head
        assert rows
        assert all(cell_len(line) <= max(width, 6 * 10 + 7) for line in [head, *rows])
    assert world.run("show", "ink").lines[0] == "Ink Brush for 1.5"
    assert "hint: `sdkeep show" in world.run("get", "civitai:1002@10021").stderr


def test_events_are_lines_of_json_on_standard_error(world: World) -> None:
    result = world.run("get", "civitai:1001", "--json", "--json-events")
    _is_one_document(result)
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert {"started", "ended", "said"} <= {event["event"] for event in events}


MODES = [
    pytest.param([], id="plain"),
    pytest.param(["-q"], id="quiet", marks=pytest.mark.slow),
    pytest.param(["-v", "--debug"], id="verbose", marks=pytest.mark.slow),
    pytest.param(["--json", "--json-events"], id="json"),
]


@pytest.mark.parametrize("mode", MODES)
def test_outside_text_never_steers_the_terminal(world: World, mode: list[str]) -> None:
    world.ui("a1111")
    for command in (
        ["search", "Spite"],
        ["show", f"civitai:{library.SPITEFUL}"],
        ["get", f"civitai:{library.SPITEFUL}"],
        ["show", f"civitai:{library.SPITEFUL}@10141"],
        ["show", "spitered-evil-tail"],
        ["ls"],
        ["verify", "-v"],
        ["unplace", "spitered-evil-tail"],
        ["get", f"civitai:{library.ODD}", "--all", "--no-preview"],
    ):
        result = world.run(*command, *mode)
        assert result.status == 0, result.stderr
        for text in (result.stdout, result.stderr):
            assert {c for c in text if _steers(c)} == set()
    assert "\n" in result.stderr + result.stdout


def _steers(character: str) -> bool:
    return character not in "\n\t\u200d" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")


def test_a_line_feed_in_a_published_name_cannot_pass_for_a_line_of_ours(world: World) -> None:
    result = world.run("get", f"civitai:{library.ODD}", "--all", "--no-preview")
    assert not any(line.startswith("b c.safetensors") for line in (result.stderr + result.stdout).splitlines())


# house-keeping options


@pytest.mark.parametrize("path", [("rm", "ink"), ("gc", "--keep-days", "0")], ids=_ids)
def test_what_deletes_has_yes_and_dry_run(world: World, path: tuple[str, ...]) -> None:
    shown = world.run(path[0], "--help").stdout
    assert "--yes" in shown
    assert "--dry-run" in shown


def test_hidden_aliases_work_and_stay_hidden(world: World) -> None:
    visible = world.run("--help").stdout
    for alias in ("pull", "list", "info", "import", "check", "link", "remove", "prune"):
        assert (alias,) in ALIASES
        assert f"\n  {alias} " not in visible
    assert world.run("list").status == 0
