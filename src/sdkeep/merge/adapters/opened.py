"""A model file of any readable form, opened for reading single tensors."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

from sdkeep.formats.contents import Contents, Tensor
from sdkeep.formats.gather import Gatherer
from sdkeep.formats.identify import identify
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError
from sdkeep.ground.events import Stop
from sdkeep.ground.kinds import Family
from sdkeep.weights.adapters.parsing import adapters_of
from sdkeep.weights.adapters.values import Adapter, Naming, Part, Shape
from sdkeep.weights.dtypes import TORCH
from sdkeep.weights.reading import read


class Opened:
    """The tensors of one file by name. Safe to share between threads."""

    def __init__(self, path: Path, stop: Stop | None = None, name: str = "") -> None:
        """Open and look at `path`; raises `FormatError` when it holds no tensors. `name` is what a person calls it."""
        self.path = path
        self.name = name or path.name
        self.source = FileSource(path)
        self.contents: Contents = look(self.source, stop=stop)
        self._tensors = {tensor.name: tensor for tensor in self.contents.tensors}
        self._gatherer = Gatherer(self.source, path.parent, stop)
        self._lock = threading.Lock()
        if not self._tensors:
            self.close()
            raise FormatError(f"`{path}` holds no tensors", "it is no model, or is damaged", f"`sdkeep scan '{path}'`")

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every tensor by name."""
        return {name: tensor.shape for name, tensor in self._tensors.items()}

    def dtype(self, name: str) -> str:
        """The number format of a tensor, as safetensors' code."""
        return self._tensors[name].dtype

    @property
    def metadata(self) -> Mapping[str, str]:
        """The file's own metadata."""
        return self.contents.metadata

    @property
    def family(self) -> Family:
        """The family that its structure is of."""
        return identify(self.contents).family

    def adapter(self) -> Adapter:
        """The file taken apart as an adapter; raises `FormatError` when nothing in it is one."""
        adapter = adapters_of(self.contents.tensors, self.metadata)
        if not adapter.parts:
            raise FormatError(
                f"`{self.name}` is no adapter",
                "no key in it ends like one of LoRA, LoHa, LoKr, GLoRA, IA3, OFT or a full difference",
                f"`sdkeep show '{self.path}'` says what it is",
            )
        if adapter.naming is Naming.INDEXED:
            raise FormatError(
                f"`{self.name}` counts its layers instead of naming them",
                "which layer a number means depends on the program that trained it (the first ones, of 2022, did so)",
                "look for the same adapter in kohya's or diffusers' names",
            )
        return adapter

    def tensor(self, name: str) -> torch.Tensor:
        """A tensor as it is stored; raises `FormatError` for one that is not there or cannot be read."""
        tensor = self._tensors.get(name)
        if tensor is None:
            raise FormatError(f"`{self.name}` has no tensor `{name}`")
        with self._lock:
            stretch = self._gatherer.as_it_lies(tensor)
            if stretch is not None:
                return read(stretch.source, dtype=tensor.dtype, shape=tensor.shape, offset=stretch.offset)
            return self._gathered(tensor)

    def _gathered(self, tensor: Tensor) -> torch.Tensor:
        data = bytearray().join(self._gatherer.pieces(tensor))
        kind = TORCH[tensor.dtype]
        return torch.frombuffer(data, dtype=kind).reshape(tensor.shape) if data else torch.empty(tensor.shape).to(kind)

    def tensors(self, part: Part) -> dict[str, torch.Tensor]:
        """The tensors of a part by role."""
        return {role: self.tensor(key) for role, key in part.keys.items()}

    def close(self) -> None:
        """Give the file back."""
        self._gatherer.__exit__(None, None, None)
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
