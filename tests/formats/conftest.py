"""Converting bytes by way of real files, and reading the result with the reference reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sdkeep.formats.convert import ConvertOptions, Written, plan, write_safetensors
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from tests.makers.looking import Convert, Loaded

if TYPE_CHECKING:
    import torch


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Convert bytes to the file `name`."""

    def run(data: bytes, options: ConvertOptions | None = None, name: str = "out.safetensors") -> Written:
        path = tmp_path / f"{name}.source"
        path.write_bytes(data)
        with FileSource(path) as source:
            return write_safetensors(source, plan(look(source), options), tmp_path / name)

    return run


@pytest.fixture
def loaded(convert: Convert) -> Loaded:
    """Convert bytes and read the result with the safetensors package."""
    from safetensors.torch import load_file

    def run(data: bytes, options: ConvertOptions | None = None, name: str = "out") -> dict[str, torch.Tensor]:
        return load_file(convert(data, options, name).path)

    return run
