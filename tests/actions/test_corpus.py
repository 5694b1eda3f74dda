"""Every real model file is taken in: catalogued where it lies; where it holds tensors, converted into the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from tests.world import World

pytestmark = pytest.mark.corpus

PROGRAMS = {"torchscript_silero_vad.jit"}
"""Code with weights, which only torch can run: refused with a reason."""


def files(corpus: Path) -> list[Path]:
    return sorted(path for path in (corpus / "models").iterdir() if path.is_file() and path.suffix != ".md")


def test_every_real_file_is_catalogued_where_it_lies_and_untouched(world: World, corpus: Path) -> None:
    before = [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in files(corpus)]
    added = world.good("add", "--in-place", *map(str, files(corpus))).document["data"]
    assert [one["path"] for one in added] == [str(path) for path, _, _ in before]
    assert all(one["verdict"] and one["in_place"] for one in added)
    assert before == [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in files(corpus)]
    assert not world.blobs()


def test_every_real_file_with_tensors_comes_into_the_store_as_safetensors(world: World, corpus: Path) -> None:
    holding = [path for path in files(corpus) if path.name not in PROGRAMS and _tensors(path)]
    assert len(holding) >= 35
    added = world.good("add", "--disarm", *map(str, holding)).document["data"]
    assert world.blobs() == {one["sha256"] for one in added}
    for blob in world.root.rglob("blobs/sha256/*/*"):
        with FileSource(blob) as source:
            assert look(source).container == "safetensors"


def _tensors(path: Path) -> int:
    with FileSource(path) as source:
        return len(look(source).tensors)
