from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.source import BytesSource, FileSource, Window
from sdkeep.ground.errors import NotFoundHere, StoreError


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 400))
def test_reading_is_slicing(data: bytes, offset: int, length: int) -> None:
    assert BytesSource(data).read_at(offset, length) == data[offset : offset + length]


@given(st.binary(max_size=100), st.integers(0, 120), st.integers(0, 120), st.integers(0, 120), st.integers(0, 120))
def test_a_window_is_a_slice_of_its_source(data: bytes, at: int, size: int, offset: int, length: int) -> None:
    window = Window(BytesSource(data), at, size)
    part = data[at : at + size]
    assert window.size == len(part)
    assert window.read_at(offset, length) == part[offset : offset + length]


def test_a_file_reads_like_its_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 100
    (tmp_path / "a").write_bytes(data)
    with FileSource(tmp_path / "a") as source:
        assert (source.size, source.name) == (len(data), str(tmp_path / "a"))
        assert source.read_at(250, 20) == data[250:270]
        assert source.read_at(len(data) - 3, 10) == data[-3:]
        assert source.read_at(len(data) + 5, 10) == b""


def test_threads_share_a_file_without_disturbing_each_other(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    (tmp_path / "a").write_bytes(data)
    with FileSource(tmp_path / "a") as source, ThreadPoolExecutor(8) as pool:
        offsets = range(0, len(data), 997)
        assert list(pool.map(lambda at: source.read_at(at, 50), offsets)) == [data[at : at + 50] for at in offsets]


def test_a_file_is_read_on_systems_without_pread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    monkeypatch.delattr("os.pread")
    with FileSource(tmp_path / "a") as source:
        assert source.read_at(3, 4) == b"3456"


def test_a_file_that_shrinks_gives_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with FileSource(path) as source:
        path.write_bytes(b"01234")
        assert source.read_at(2, 8) == b"234"
        assert source.read_at(7, 2) == b""


def test_a_missing_file_is_not_found_here(tmp_path: Path) -> None:
    with pytest.raises(NotFoundHere, match="there is no file"):
        FileSource(tmp_path / "nothing")


def test_a_folder_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        FileSource(tmp_path)


def test_reading_after_closing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123")
    source = FileSource(tmp_path / "a")
    source.close()
    with pytest.raises(ValueError, match="closed file"):
        source.read_at(0, 1)


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1)])
def test_negative_numbers_are_programming_errors(offset: int, length: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        BytesSource(b"abc").read_at(offset, length)
