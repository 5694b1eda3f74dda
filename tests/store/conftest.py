from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from sdkeep.store.blobs import Store
from sdkeep.store.trash import Trash
from tests.makers.people import public_folder

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

Put = Callable[[bytes], Path]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store").prepare()


@pytest.fixture
def trash(store: Store) -> Trash:
    return Trash(store.trash, lambda: NOW)


@pytest.fixture
def put(store: Store) -> Put:
    """Commit these bytes and answer the blob's path."""

    def commit(data: bytes) -> Path:
        staged = store.staging / "x.part"
        staged.write_bytes(data)
        return store.commit(staged, sha256(data).hexdigest(), len(data))

    return commit


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


@pytest.fixture
def other_volume(tmp_path: Path) -> Iterator[Path]:
    """A folder on another volume than `tmp_path`, where this machine has one."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev or not os.access(shm, os.W_OK):
        pytest.skip("this machine has no second volume to write to")
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that a person without privileges may enter."""
    with public_folder() as folder:
        yield folder
