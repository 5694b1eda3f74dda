"""What the tests of this room share: looking at bytes, converting them, reading the result with the reference reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sdkeep.formats.contents import Contents
from sdkeep.formats.convert import ConvertOptions, Written, plan, write_safetensors
from sdkeep.formats.look import look
from sdkeep.formats.source import BytesSource, FileSource

Convert = Callable[..., Written]
Loaded = Callable[..., dict[str, torch.Tensor]]


def seen(data: bytes) -> Contents:
    return look(BytesSource(data, "sample"))


def rules(contents: Contents) -> set[str]:
    return {flaw.rule for flaw in contents.flaws}


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Convert bytes by way of a real file."""

    def run(data: bytes, options: ConvertOptions | None = None, name: str = "out.safetensors") -> Written:
        path = tmp_path / f"{name}.source"
        path.write_bytes(data)
        with FileSource(path) as source:
            return write_safetensors(source, plan(look(source), options), tmp_path / name)

    return run


@pytest.fixture
def loaded(convert: Convert) -> Loaded:
    """Convert bytes and read the result with the safetensors package."""

    def run(
        data: bytes, options: ConvertOptions | None = None, name: str = "out.safetensors"
    ) -> dict[str, torch.Tensor]:
        return load_file(convert(data, options, name).path)

    return run
