"""A terminal for the commands of a page: one after the other in one home, with what a person would see."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.world import furnish, hubs

SHOWN_HOME = "/home/ada"


class Screen(io.StringIO):
    """Both streams of a command, as a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@dataclass
class Terminal:
    """A home folder and the commands run in it."""

    home: Path
    monkeypatch: pytest.MonkeyPatch

    def run(self, command: str) -> tuple[int, str]:
        """The exit status and everything printed, with the home folder called `/home/ada`."""
        from sdkeep.cli.app import run

        words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in shlex.split(command)]
        assert words[0] == "sdkeep", f"`{command}` is no command of sdkeep"
        screen = Screen()
        with self.monkeypatch.context() as patched:
            patched.setattr("sys.stdout", screen)
            patched.setattr("sys.stderr", screen)
            patched.setattr("sys.stdin", io.StringIO())
            status = run(words[1:])
        return status, screen.getvalue().replace(str(self.home), SHOWN_HOME)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal in a furnished home that reaches the sample hubs."""
    home = tmp_path / "ada"
    home.mkdir()
    furnish(home)
    with hubs() as url:
        for name, value in {
            "HOME": str(home),
            "SDKEEP_HOME": str(home / ".local/share/sdkeep"),
            "SDKEEP_CONFIG": str(home / ".config/sdkeep/config.toml"),
            "SDKEEP_CIVITAI_URL": url,
            "SDKEEP_HF_URL": url,
            "SDKEEP_NO_PROGRESS": "1",
            "COLUMNS": "200",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("TERM", raising=False)
        monkeypatch.chdir(home)
        yield Terminal(home, monkeypatch)
