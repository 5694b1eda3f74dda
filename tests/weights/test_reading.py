from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sdkeep.formats.source import BytesSource, FileSource
from sdkeep.ground.errors import FormatError, NotFoundHere, StoreError
from sdkeep.ground.source import Source, SourceInto
from sdkeep.weights.reading import Mapped, read

DATA = np.arange(24, dtype="<f4")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "numbers"
    path.write_bytes(b"12345678" + DATA.tobytes())
    return path


@pytest.fixture(params=["file", "bytes"])
def source(request: pytest.FixtureRequest, path: Path) -> Iterator[Source]:
    with FileSource(path) as file:
        yield file if request.param == "file" else BytesSource(path.read_bytes(), "numbers")


def test_a_tensor_is_read_from_where_it_lies(source: Source) -> None:
    found = read(source, dtype="F32", shape=(2, 3), offset=8 + 4 * 4)
    assert torch.equal(found, torch.arange(4, 10, dtype=torch.float32).reshape(2, 3))
    found += 1  # the memory is its own
    assert float(read(source, dtype="F32", shape=(), offset=8)) == 0.0


def test_an_empty_tensor_and_a_misaligned_one_are_read(source: Source) -> None:
    assert read(source, dtype="F16", shape=(0, 4), offset=8).shape == (0, 4)
    assert read(source, dtype="U8", shape=(3,), offset=1).tolist() == [50, 51, 52]
    assert read(source, dtype="I16", shape=(1,), offset=1).tolist() == [0x3332]


def test_a_file_that_ends_inside_a_tensor_is_told(source: Source) -> None:
    with pytest.raises(FormatError, match="ends inside a tensor"):
        read(source, dtype="F32", shape=(25,), offset=8)


def test_a_format_without_arithmetic_is_told(source: Source) -> None:
    with pytest.raises(FormatError, match="F4"):
        read(source, dtype="F4", shape=(2,), offset=8)


def test_a_file_fills_memory_without_a_copy_and_a_source_that_cannot_is_copied(path: Path) -> None:
    assert not isinstance(BytesSource(b""), SourceInto)
    with FileSource(path) as source:
        assert isinstance(source, SourceInto)
        buffer = bytearray(200)
        assert source.read_into(8, memoryview(buffer)) == 96
        assert bytes(buffer[:96]) == DATA.tobytes()
        assert source.read_into(1000, memoryview(buffer)) == 0


def test_a_file_cut_while_it_is_read_is_told(path: Path) -> None:
    with FileSource(path) as source:
        path.write_bytes(b"12345678")
        with pytest.raises(FormatError, match="ends inside"):
            read(source, dtype="F32", shape=(4,), offset=8)


def test_mapped_tensors_are_views_that_outlive_the_mapping_and_never_write(path: Path) -> None:
    before = path.read_bytes()
    mapped = Mapped(path)
    found = mapped.tensor(dtype="F32", shape=(4, 6), offset=8)
    assert found.data_ptr() == mapped.tensor(dtype="F32", shape=(4, 6), offset=8).data_ptr()
    found[0, 0] = 7.0
    del mapped
    assert float(found[0, 0]) == 7.0
    assert float(found[3, 5]) == 23.0
    assert path.read_bytes() == before


def test_mapped_tensors_off_their_alignment_are_copied(path: Path) -> None:
    mapped = Mapped(path)
    assert mapped.tensor(dtype="I16", shape=(1,), offset=1).tolist() == [0x3332]
    assert mapped.tensor(dtype="F32", shape=(0,), offset=8).shape == (0,)
    with pytest.raises(FormatError, match="ends inside"):
        mapped.tensor(dtype="F32", shape=(25,), offset=8)
    with pytest.raises(FormatError, match="F4"):
        mapped.tensor(dtype="F4", shape=(2,), offset=8)


def test_what_cannot_be_mapped_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundHere):
        Mapped(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    with pytest.raises(StoreError):
        Mapped(tmp_path / "empty")
