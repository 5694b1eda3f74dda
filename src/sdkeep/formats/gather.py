"""The bytes of one tensor in row-major order, in pieces of bounded size, wherever its storage lies.

Most tensors lie in their storage as they are wanted. A transposed or expanded view is put together block by block, a
big-endian one is turned round, a compressed storage is unpacked once into a temporary file.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sdkeep.formats.contents import Span, Tensor
from sdkeep.formats.dtypes import byte_length, count, item_size
from sdkeep.formats.output import translated
from sdkeep.formats.source import BytesSource, FileSource
from sdkeep.formats.tensors import extent
from sdkeep.ground.errors import FormatError
from sdkeep.ground.events import Stop
from sdkeep.ground.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PIECE = 4 << 20
"""Bytes that are held at once for each tensor that cannot be copied as it lies."""

_SPARSE = 8
_SMALL_READ = 64 << 10
_INFLATE = 1 << 20


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a source: where a tensor's lie."""

    source: Source
    offset: int
    length: int


@dataclass(slots=True)
class Gatherer:
    """Reads tensors of one file. `folder` takes the temporary file of a compressed storage, the last one used."""

    source: Source
    folder: Path
    stop: Stop | None = None
    _unpacked: tuple[Span, Source] | None = None
    _temporary: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._temporary.close()

    def as_it_lies(self, tensor: Tensor) -> Stretch | None:
        """The tensor's bytes when they lie together in the right order, None when they have to be put together."""
        if tensor.strides is not None or (tensor.big_endian and (item_size(tensor.dtype) or 1) > 1):
            return None
        source, base = self._storage(tensor)
        length = byte_length(tensor.dtype, count(tensor.shape)) or 0
        return Stretch(source, base + tensor.start * (item_size(tensor.dtype) or 1), length)

    def pieces(self, tensor: Tensor) -> Iterator[bytes]:
        """The tensor's numbers, little-endian and row-major."""
        stretch = self.as_it_lies(tensor)
        if stretch is not None:
            yield from _pieces(stretch)
            return
        source, base = self._storage(tensor)
        view = _View(source, base, item_size(tensor.dtype) or 1)
        for block in view.blocks(tensor):
            yield block.byteswap().tobytes() if tensor.big_endian else block.tobytes()

    def _storage(self, tensor: Tensor) -> tuple[Source, int]:
        if tensor.literal is not None:
            return BytesSource(tensor.literal, tensor.name), 0
        if tensor.span is None:
            raise FormatError(f"the numbers of `{tensor.name}` are not in the file")
        if not tensor.span.compressed:
            return self.source, tensor.span.offset
        if self._unpacked is None or self._unpacked[0] != tensor.span:
            self._temporary.close()
            self._unpacked = (tensor.span, self._unpack(tensor.span))
        return self._unpacked[1], 0

    def _unpack(self, span: Span) -> Source:
        with translated(self.folder, span.length):
            handle, name = tempfile.mkstemp(".unpacked.part", ".", self.folder)
            self._temporary.callback(Path(name).unlink, missing_ok=True)
            with os.fdopen(handle, "wb") as spill:
                for piece in inflate(self.source, span):
                    if self.stop:
                        self.stop.check()
                    spill.write(piece)
        return self._temporary.enter_context(FileSource(Path(name)))


def _pieces(stretch: Stretch) -> Iterator[bytes]:
    done = 0
    while done < stretch.length:
        piece = stretch.source.read_at(stretch.offset + done, min(PIECE, stretch.length - done))
        if not piece:
            raise FormatError("the file ends inside a tensor", "it was cut while it was read")
        yield piece
        done += len(piece)


def inflate(source: Source, span: Span) -> Iterator[bytes]:
    """The unpacked bytes of a deflated record, exactly as many as it promises; raises `FormatError` otherwise."""
    unpacker = zlib.decompressobj(-15)
    done = at = 0
    try:
        while not unpacker.eof and done <= span.length:
            raw = unpacker.unconsumed_tail
            if not raw:
                raw = source.read_at(span.offset + at, min(_INFLATE, span.compressed - at))
                at += len(raw)
            piece = unpacker.decompress(raw, _INFLATE)
            if not piece and not raw:
                break
            done += len(piece)
            yield piece
    except zlib.error as error:
        raise FormatError("a compressed record cannot be unpacked", str(error), rule="deflate-damaged") from error
    if done != span.length:
        raise FormatError(
            "a compressed record is not as long as it says", f"{span.length:,} bytes promised", rule="size-mismatch"
        )


@dataclass(frozen=True, slots=True)
class _View:
    """Strided access to a storage that begins at `base`, with elements of `item` bytes."""

    source: Source
    base: int
    item: int

    def blocks(self, tensor: Tensor) -> Iterator[NDArray[np.unsignedinteger]]:
        """The view's elements in row-major order, as arrays of at most `PIECE` bytes."""
        import numpy as np

        shape, strides = tensor.shape, tensor.strides or _row_major(tensor.shape)
        if 0 in shape:
            return
        whole = len(shape)  # dimensions counted from the last that fit into one block
        while whole and count(shape[len(shape) - whole :]) * self.item > PIECE:
            whole -= 1
        outer = shape[: len(shape) - whole]
        inner = count(shape[len(shape) - whole :]) * self.item
        rows = min(max(PIECE // inner, 1), outer[-1]) if outer else 1
        for index in product(*map(range, outer[:-1])):
            start = tensor.start + sum(place * stride for place, stride in zip(index, strides, strict=False))
            for row in range(0, outer[-1] if outer else 1, rows):
                height = (min(rows, outer[-1] - row),) if outer else ()
                block = np.empty(height + shape[len(outer) :], f"<u{self.item}")
                steps = strides[max(len(outer) - 1, 0) :]
                self._fill(block, start + (row * strides[len(outer) - 1] if outer else 0), steps)
                yield block

    def _fill(self, block: NDArray[np.unsignedinteger], start: int, strides: tuple[int, ...]) -> None:
        """Read what `block` needs: in one go when the elements lie near each other, else half by half."""
        import numpy as np

        reach = extent(block.shape, strides) * self.item
        dense = reach <= PIECE and (reach <= _SMALL_READ or reach <= _SPARSE * block.nbytes)
        if dense or block.size == 1:
            raw = np.frombuffer(self.source.read_at(self.base + start * self.item, reach), block.dtype)
            if raw.nbytes != reach:
                raise FormatError("the file ends inside a tensor", "it was cut while it was read")
            block[...] = np.lib.stride_tricks.as_strided(raw, block.shape, [step * self.item for step in strides])
            return
        axis = max(range(block.ndim), key=lambda place: (block.shape[place] - 1) * strides[place])
        half = block.shape[axis] // 2
        low, high = np.split(block, [half], axis)
        self._fill(low, start, strides)
        self._fill(high, start + half * strides[axis], strides)


def _row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(count(shape[place + 1 :]) for place in range(len(shape)))
