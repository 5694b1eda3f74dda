"""What only a real process shows: start-up, signals, pipes, terminals, completion."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sdkeep.cli import completion
from sdkeep.demo.faults import Fault, Trouble
from tests.world import World, interrupt

HEAVY = ("torch", "sqlalchemy", "sqlmodel", "alembic", "httpx2", "pydantic", "rich", "huggingface_hub", "numpy", "PIL")
LOOK = f"""
import sys
from sdkeep.cli.app import run
run(sys.argv[1:])
print("LOADED", [name for name in {HEAVY!r} if name in sys.modules])
"""


@pytest.mark.parametrize("words", [["--help"], ["get", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_nothing_heavy(world: World, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *words], env=world.environ, capture_output=True, text=True, timeout=60
    )
    loaded = done.stdout.rpartition("LOADED")[2].replace("'pydantic'", "" if words[0] == "get" else "'pydantic'")
    assert loaded.strip() == "[]", (
        done.stderr
    )  # Typer itself asks pydantic, where it is installed, about a verb's types


def test_a_list_loads_no_network_and_no_torch(world: World) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, "ls"], env=world.environ, capture_output=True, text=True, timeout=60
    )
    loaded = done.stdout.rpartition("LOADED")[2]
    assert "sqlalchemy" in loaded
    for name in ("torch", "alembic", "httpx2", "huggingface_hub", "rich"):
        assert f"'{name}'" not in loaded


def test_a_process_ends_with_the_status_of_the_verb(world: World) -> None:
    assert world.process("ls").status == 0
    assert world.process("show", "nothing").status == 2


def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(world: World) -> None:
    world.civitai_server.misbehave(Fault(Trouble.SLOW, "/signed", times=None, seconds=0.1))
    running = world.start("get", "civitai:1001", "--json")
    deadline = time.monotonic() + 30
    while sum(hit.sent for hit in world.downloads()) < 200_000 and time.monotonic() < deadline:
        time.sleep(0.02)
    result = interrupt(running)
    assert (result.status, result.codes) == (130, ["interrupted"])
    assert "Traceback" not in result.stderr
    assert world.blobs() == set()
    world.civitai_server.behave()
    world.civitai_server.hits.clear()
    world.good("get", "civitai:1001")
    assert sum(hit.sent for hit in world.downloads()) < len(world.file(2)) - 50_000


@pytest.mark.parametrize("words", [["config", "list"], ["config", "list", "--json"], ["--help"], ["fly"]], ids=" ".join)
def test_a_reader_that_left_is_no_news(world: World, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sdkeep", *words],
            env=world.environ,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writing)
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "NO_COLOR"])
def test_colour_on_a_terminal_unless_it_is_refused(world: World, plain: bool) -> None:
    environ = {name: value for name, value in world.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "sdkeep", "doctor"],
        env=environ | ({"NO_COLOR": "1"} if plain else {}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:  # Linux's way to say that the other end is closed
        pass
    running.wait(30)
    os.close(ours)
    assert b"Python" in shown
    assert (b"\x1b[" in shown) is not plain


# completion


def _completed(world: World, shell: str, line: str) -> list[str]:
    environ = {**world.environ, "_SDKEEP_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        environ |= {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    else:
        environ |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [sys.executable, "-m", "sdkeep"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    return re.findall(r"[\w-]+", done.stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_made_and_completes_verbs(world: World, shell: str) -> None:
    world.environ["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
    script = world.process("--show-completion", shell)
    assert script.status == 0
    assert "_SDKEEP_COMPLETE" in script.stdout
    assert "verify" in _completed(world, shell, "sdkeep ver")


@pytest.mark.slow
def test_names_complete_in_a_shell(world: World) -> None:
    world.good("get", "civitai:1002@10021")
    for verb in ("show", "place", "unplace", "rm", "verify", "scan", "convert", "restore"):
        assert _completed(world, "bash", f"sdkeep {verb} in") == ["ink"], verb


def test_names_in_the_catalogue_complete(world: World, a1111: Path) -> None:
    world.good("get", "civitai:1002@10021")
    assert completion.catalogue_names("in") == ["ink"]
    assert completion.catalogue_names("zzz") == []
    assert completion.ui_names("a") == ["a1111"]
    assert completion.kinds("lo") == ["lora"]
    assert completion.families("sdxl") == ["sdxl", "sdxl-refiner"]
    assert "nsfw" in completion.setting_names("ns")
    assert completion.setting_names("civitai_to") == []
    assert completion.hubs("h") == ["huggingface"]


def test_completion_never_raises_and_makes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.catalogue.write_bytes(b"no database")
    assert completion.catalogue_names("") == []
    world.catalogue.unlink()
    assert completion.catalogue_names("") == []
    assert not world.catalogue.exists()
    Path("sdkeep.toml").write_text("[broken")
    assert completion.ui_names("") == []
