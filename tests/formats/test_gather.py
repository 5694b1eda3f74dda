from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.formats import gather
from sdkeep.formats.contents import Span, Tensor
from sdkeep.formats.gather import Gatherer, inflate
from sdkeep.formats.source import BytesSource
from sdkeep.ground.errors import DiskFull, FormatError
from sdkeep.ground.events import Stop, Stopped


def packed(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


@settings(max_examples=30)
@given(st.integers(-300, 300), st.integers(0, 3), st.binary(min_size=1, max_size=3))
def test_unpacking_gives_every_byte_at_every_length(more: int, times: int, pattern: bytes) -> None:
    length = max(times * (1 << 20) + more, 0)
    data = (pattern * (length // len(pattern) + 1))[:length]
    raw = packed(data)
    assert b"".join(inflate(BytesSource(b"xx" + raw), Span(2, length, len(raw)))) == data


@pytest.mark.parametrize("change", [-1, 1])
def test_another_length_than_promised_is_an_error(change: int) -> None:
    raw = packed(bytes(1000))
    with pytest.raises(FormatError) as caught:
        list(inflate(BytesSource(raw), Span(0, 1000 + change, len(raw))))
    assert caught.value.rule == "size-mismatch"


@pytest.mark.parametrize(
    ("data", "rule"), [(packed(os.urandom(500))[:300], "size-mismatch"), (b"\xff" * 9, "deflate-damaged")]
)
def test_a_damaged_stream_is_an_error(data: bytes, rule: str) -> None:
    with pytest.raises(FormatError) as caught:
        list(inflate(BytesSource(data), Span(0, 500, len(data))))
    assert caught.value.rule == rule


def test_a_bomb_is_cut_where_its_promise_ends() -> None:
    raw = packed(bytes(64 << 20))
    taken = 0
    with pytest.raises(FormatError):
        for piece in inflate(BytesSource(raw), Span(0, 100, len(raw))):
            taken += len(piece)
    assert taken <= 2 << 20


SHAPES = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@given(SHAPES, st.data(), st.sampled_from([16, 64, 1 << 20]), st.sampled_from([8, 1 << 16]), st.booleans())
def test_any_view_is_put_together_whatever_the_size_of_the_blocks(
    shape: list[int], data: st.DataObject, piece: int, small: int, big: bool
) -> None:
    base = torch.arange(4000, dtype=torch.int32)
    strides = [data.draw(st.integers(0, 60)) for _ in shape]
    start = data.draw(st.integers(0, 50))
    view = torch.as_strided(base, shape, strides, start)
    raw = base.numpy().astype(">i4" if big else "<i4").tobytes()
    tensor = Tensor("a", "I32", tuple(shape), Span(3, len(raw)), "0", start, tuple(strides), big)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "PIECE", piece)
        patch.setattr(gather, "_SMALL_READ", small)
        with Gatherer(BytesSource(b"???" + raw), Path()) as gatherer:
            pieces = list(gatherer.pieces(tensor))
    assert b"".join(pieces) == view.contiguous().numpy().tobytes()
    assert max(map(len, pieces)) <= max(piece, 4)


def test_a_storage_is_unpacked_once_and_leaves_nothing(tmp_path: Path) -> None:
    numbers = torch.arange(100.0).numpy().tobytes()
    raw = packed(numbers)
    tensors = [Tensor("a", "F32", (10,), Span(0, 400, len(raw)), "0", start) for start in (0, 50)]
    with Gatherer(BytesSource(raw), tmp_path) as gatherer:
        assert [b"".join(gatherer.pieces(t)) for t in tensors] == [numbers[:40], numbers[200:240]]
        assert len(os.listdir(tmp_path)) == 1
    assert os.listdir(tmp_path) == []


def test_a_stop_while_unpacking_leaves_nothing(tmp_path: Path) -> None:
    stop, raw = Stop(), packed(bytes(400))
    stop.ask()
    with pytest.raises(Stopped), Gatherer(BytesSource(raw), tmp_path, stop) as gatherer:
        list(gatherer.pieces(Tensor("a", "F32", (100,), Span(0, 400, len(raw)))))
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_while_unpacking_is_said_to_be_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fdopen", full)
    raw = packed(bytes(400))
    with pytest.raises(DiskFull), Gatherer(BytesSource(raw), tmp_path) as gatherer:
        list(gatherer.pieces(Tensor("a", "F32", (100,), Span(0, 400, len(raw)))))


@pytest.mark.parametrize("strides", [None, (2,)])
def test_a_source_shorter_than_its_tensors_is_an_error(strides: tuple[int, ...] | None) -> None:
    with pytest.raises(FormatError), Gatherer(BytesSource(bytes(8)), Path()) as gatherer:
        list(gatherer.pieces(Tensor("a", "F32", (10,), Span(0, 80), "0", 0, strides)))


def test_a_tensor_without_bytes_is_an_error() -> None:
    with pytest.raises(FormatError), Gatherer(BytesSource(b""), Path()) as gatherer:
        gatherer.as_it_lies(Tensor("a", "F32", (1,)))
