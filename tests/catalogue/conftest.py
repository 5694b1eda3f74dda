"""A fresh catalogue for each test: the migrations run once, the tests get copies."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdkeep.catalogue.book import Book
from tests.makers.records import noon


@pytest.fixture(scope="session")
def empty_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue at head without a row."""
    path = tmp_path_factory.mktemp("catalogue") / "registry.db"
    Book.open(path, noon).close()
    return path


@pytest.fixture
def path(tmp_path: Path, empty_catalogue: Path) -> Path:
    """Where this test's catalogue lies."""
    return shutil.copy(empty_catalogue, tmp_path / "registry.db")


@pytest.fixture
def book(path: Path) -> Iterator[Book]:
    """An open, empty catalogue."""
    with Book.open(path, noon) as opened:
        yield opened
