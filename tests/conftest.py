"""What every test stands on: no home folder, no real token, no network beyond the loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

CORPUS = os.environ.get("SDKEEP_CORPUS", "")
_FOREIGN = ("SDKEEP_", "CIVITAI_", "HF_", "HUGGING_FACE_", "XDG_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not CORPUS:
        skip = pytest.mark.skip(reason="SDKEEP_CORPUS names no folder of recorded answers and real files")
        for item in items:
            if item.get_closest_marker("corpus"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recorded answers and real model files."""
    folder = Path(CORPUS)
    assert folder.is_dir(), f"SDKEEP_CORPUS names {CORPUS!r}, which is no folder"
    return folder.resolve()


@pytest.fixture(autouse=True)
def _a_house_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(_FOREIGN):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("SDKEEP_HOME", str(home / "sdkeep"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    real = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0]) if isinstance(address, tuple) else ""
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise AssertionError(f"a test tried to reach {address!r}")
        real(self, address)  # type: ignore[arg-type]

    socket.socket.connect = connect  # type: ignore[method-assign, assignment]
    yield
    socket.socket.connect = real  # type: ignore[method-assign]
