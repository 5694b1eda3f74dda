"""One tiny model a family, opened once; tests put things on top of it and take them off again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sdkeep.diffusion.checkpoint import Model, open_checkpoint
from tests.makers.tinymodels import Tiny, save, tiny


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def sd1() -> Tiny:
    return tiny("sd1")


@pytest.fixture(scope="session")
def sd1_file(sd1: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("sd1") / "sd1.safetensors", sd1.weights())


@pytest.fixture(scope="session")
def sdxl_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("sdxl") / "sdxl.safetensors", tiny("sdxl").weights())


@pytest.fixture(scope="session")
def model(sd1_file: Path) -> Model:
    return open_checkpoint(sd1_file)


@pytest.fixture(scope="session")
def large(sdxl_file: Path) -> Model:
    return open_checkpoint(sdxl_file)
