"""Bytes to tensors: an owning read of one tensor, and a memory-mapped file whose tensors are views."""

from __future__ import annotations

import mmap
from math import prod
from pathlib import Path

import torch

from sdkeep.ground.errors import FormatError, NotFoundHere, StoreError
from sdkeep.ground.source import Source, SourceInto
from sdkeep.weights.dtypes import TORCH, item_size


def read(source: Source, *, dtype: str, shape: tuple[int, ...], offset: int) -> torch.Tensor:
    """The tensor whose numbers lie at `offset` of `source`, row after row, in memory of its own.

    `dtype` is a safetensors code. Raises `FormatError` when the source ends first or no tensor can be made of the code.
    """
    if dtype not in TORCH:
        raise FormatError(f"`{source.name}` holds numbers of format {dtype}", "no arithmetic is known for them")
    length = prod(shape) * item_size(dtype)
    if offset + length > source.size:
        raise _short(source)
    buffer = torch.empty(length, dtype=torch.uint8)  # [bytes]
    fill(source, offset, buffer.numpy().data)
    return buffer.view(TORCH[dtype]).reshape(shape)


def fill(source: Source, offset: int, buffer: memoryview) -> None:
    """Read until `buffer` (of bytes) is full, without a copy where the source can; raises `FormatError` at its end."""
    if isinstance(source, SourceInto):
        done = source.read_into(offset, buffer)
    else:
        piece = source.read_at(offset, len(buffer))
        done = len(piece)
        buffer[:done] = piece
    if done != len(buffer):
        raise _short(source)


def _short(source: Source) -> FormatError:
    return FormatError(f"`{source.name}` ends inside a tensor", "the file was cut short", "download the file again")


class Mapped:
    """A file mapped into memory; tensors are views of it, read from the disk when they are touched.

    The mapping is private: writing into a tensor changes no byte of the file. It goes when this object and the last
    tensor of it have gone, and cannot be closed before: a tensor would look into nothing.
    """

    def __init__(self, path: Path) -> None:
        """Map `path`; raises `NotFoundHere` or `StoreError`."""
        self._name = str(path)
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except FileNotFoundError as error:
            raise NotFoundHere(f"there is no file `{path}`", "nothing has this name", "check the spelling") from error
        except (OSError, ValueError) as error:
            raise StoreError(f"`{path}` cannot be mapped into memory", str(error)) from error

    def tensor(self, *, dtype: str, shape: tuple[int, ...], offset: int) -> torch.Tensor:
        """A view of the numbers at `offset`; a copy where they lie off their own alignment."""
        if dtype not in TORCH:
            raise FormatError(f"`{self._name}` holds numbers of format {dtype}", "no arithmetic is known for them")
        kind, elements = TORCH[dtype], prod(shape)
        if offset + elements * kind.itemsize > len(self._map):
            raise FormatError(
                f"`{self._name}` ends inside a tensor", "the file was cut short", "download the file again"
            )
        if not elements:
            return torch.empty(shape, dtype=kind)
        if offset % kind.itemsize:
            bytes_ = bytearray(self._map[offset : offset + elements * kind.itemsize])
            return torch.frombuffer(bytes_, dtype=kind).reshape(shape)
        return torch.frombuffer(self._map, dtype=kind, count=elements, offset=offset).reshape(shape)
