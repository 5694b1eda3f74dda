"""A whole world for one test: both hubs on the loopback, three WebUIs, an empty home, and the command line.

`World.run` is the command line in this process, `World.process` the real one in a process of its own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer.main

from sdkeep.actions import transferring
from sdkeep.actions.house import House
from sdkeep.cli.app import run as run_cli
from sdkeep.demo.civitai import SampleCivitai
from sdkeep.demo.exchange import Hit
from sdkeep.demo.huggingface import SampleHuggingFace
from sdkeep.demo.server import SampleServer
from sdkeep.ground.events import Event, Said, Stop
from sdkeep.net import client
from sdkeep.net.retry import RetryPolicy
from sdkeep.net.wanted import TransferOptions
from tests.makers import library, schemas
from tests.makers.webuis import make_webui

_command_of = functools.cache(typer.main.get_command)

CIVITAI_KEY = "civ0123456789abcdefSECRET"
HF_KEY = "hf_ada_secret_ada_secret"


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @functools.cached_property
    def document(self) -> dict[str, Any]:
        """Standard output as exactly one JSON document."""
        loaded = json.loads(self.stdout)
        assert isinstance(loaded, dict)
        return loaded

    @property
    def data(self) -> Any:
        return self.document["data"]

    @property
    def codes(self) -> list[str]:
        return [error["code"] for error in self.document["errors"]]

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


@dataclass
class World:
    """The servers, the folders, and the ways to run sdkeep among them."""

    root: Path
    civitai_server: SampleServer
    hf_server: SampleServer
    civitai: SampleCivitai
    huggingface: SampleHuggingFace
    environ: dict[str, str]
    said: list[Event] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def catalogue(self) -> Path:
        return self.home / "registry.db"

    def ui(self, layout: str, *more: str) -> Path:
        """Install a WebUI and register it under its layout's name."""
        folder = make_webui(self.root / "uis" / layout, layout)
        added = self.run("ui", "add", str(folder), *more)
        assert added.status == 0, added.stderr
        return folder

    def run(self, *arguments: str, stdin: str = "") -> Result:
        """`sdkeep ARGUMENTS` in this process, nobody at the terminal."""
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        before, sys.stdin = sys.stdin, io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = run_cli(list(arguments))
        finally:
            sys.stdin = before
        return Result(status, _text(out), _text(err))

    def json(self, *arguments: str, stdin: str = "") -> Result:
        """The same with `--json`; the document is held against its published schema."""
        result = self.run(*arguments, "--json", stdin=stdin)
        schemas.validate(result.document["verb"], result.document)
        return result

    def good(self, *arguments: str, stdin: str = "") -> Result:
        """The same, and it must end well."""
        result = self.json(*arguments, stdin=stdin)
        assert result.status == 0, result.stdout
        assert result.document["ok"] is True
        return result

    def process(self, *arguments: str, stdin: str = "") -> Result:
        """`python -m sdkeep ARGUMENTS` in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "sdkeep", *arguments],
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, running; the caller waits for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "sdkeep", *arguments],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextlib.contextmanager
    def house(self, **flags: str) -> Iterator[House]:
        """What actions work with; what is said goes to `said`."""
        house = House.open(flags, report=self.said.append, stop=Stop())
        try:
            yield house
        finally:
            house.close()

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.said if isinstance(event, Said) and event.level == "warning"]

    def downloads(self) -> list[Hit]:
        """Every request for the bytes of a model so far."""
        hits = [*self.civitai_server.hits, *self.hf_server.hits]
        return [
            hit for hit in hits if hit.path.startswith(("/api/download", "/signed", "/lfs")) or "/resolve/" in hit.path
        ]

    def blobs(self) -> set[str]:
        """The SHA-256 of every blob in every store of this world, proved."""
        found = {path.name: path for path in self.root.rglob("blobs/sha256/*/*") if path.is_file()}
        for name, path in found.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == name
        return set(found)

    def staged(self) -> list[Path]:
        """What lies in staging, locks aside."""
        return [path for path in self.root.rglob("staging/*") if path.suffix != ".lock"]

    def trash(self) -> list[dict[str, Any]]:
        return list(self.good("restore").data)

    def file(self, id_: int) -> bytes:
        return library.civitai_files()[id_]


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def interrupt(running: subprocess.Popen[str]) -> Result:
    """Press Ctrl-C and wait."""
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    return Result(running.returncode, out, err)


@contextlib.contextmanager
def world_in(root: Path, blank: Path | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world below `root`; `blank` is an empty catalogue of today's schema that saves making one each time."""
    home = root / "home"
    home.mkdir(parents=True)
    if blank is not None:
        shutil.copy(blank, home / "registry.db")
    civitai = SampleCivitai(library.civitai_records(), library.civitai_files(), hidden={library.HIDDEN})
    huggingface = SampleHuggingFace(library.repositories(), {HF_KEY: "ada"})
    with SampleServer() as first, SampleServer() as second:
        first.route(civitai)
        second.route(huggingface.handle)
        settings = {
            "HOME": str(root / "user"),
            "USERPROFILE": str(root / "user"),
            "SDKEEP_HOME": str(home),
            "SDKEEP_CONFIG": str(root / "config" / "config.toml"),
            "SDKEEP_CIVITAI_URL": first.url,
            "SDKEEP_HF_URL": second.url,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        (root / "user").mkdir()
        (root / "work").mkdir()
        monkeypatch.chdir(root / "work")
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(Stop, "wait", lambda self, seconds: self.check())
        monkeypatch.setattr(client, "_trust", lambda ca: bool(ca))  # nothing here speaks TLS; its setup takes 0.2 s
        monkeypatch.setattr(typer.main, "get_command", _command_of)
        monkeypatch.setattr(
            transferring, "TransferOptions", functools.partial(TransferOptions, retry=RetryPolicy(2, 0.001, 0.001, 0.0))
        )
        yield World(root, first, second, civitai, huggingface, {**os.environ, **settings})
        assert first.errors == [], first.errors
        assert second.errors == [], second.errors


def blank_catalogue(folder: Path) -> Path:
    """An empty catalogue, made once."""
    from datetime import UTC, datetime

    from sdkeep.catalogue.book import Book

    path = folder / "registry.db"
    Book.open(path, clock=lambda: datetime.now(UTC)).close()
    return path
