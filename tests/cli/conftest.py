"""Fixtures of the command line: a world of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World, blank_catalogue, world_in


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty catalogue of today's schema."""
    return blank_catalogue(tmp_path_factory.mktemp("blank"))


@pytest.fixture
def world(tmp_path: Path, blank: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Both hubs, an empty home, and no WebUI yet."""
    with world_in(tmp_path, blank, monkeypatch) as made:
        yield made


@pytest.fixture
def a1111(world: World) -> Path:
    """A registered AUTOMATIC1111 WebUI."""
    return world.ui("a1111")
