"""A small model file of any readable form, its tensors one by one. Nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from sdkeep.formats.contents import Contents
from sdkeep.formats.gather import Gatherer
from sdkeep.formats.identify import identify
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError, NotFoundHere
from sdkeep.ground.identity import Identity
from sdkeep.ground.text import one_line
from sdkeep.weights.dtypes import TORCH
from sdkeep.weights.reading import read


class Opened:
    """The tensors of one file by name; `name` is what a person calls it, the file's stem unless said otherwise."""

    def __init__(self, path: Path, name: str = "") -> None:
        """Open and look at `path`; raises `NotFoundHere`, or `FormatError` for a damaged file or one of no tensors."""
        self.path = path
        self.name = name or path.stem
        if not path.is_file():
            raise NotFoundHere(f"there is no file `{path}`", "nothing has this name", f"sdkeep search '{self.name}'")
        self._source = FileSource(path)
        self.contents: Contents = look(self._source)
        self._tensors = {tensor.name: tensor for tensor in self.contents.tensors}
        self._gatherer = Gatherer(self._source, path.parent)
        grave = next((flaw for flaw in self.contents.flaws if flaw.grave), None)
        if grave or not self._tensors:
            self.close()
        if grave:
            raise FormatError(f"`{path}` is damaged", grave.why, "download the file again", rule=grave.rule)
        if not self._tensors:
            raise FormatError(f"`{path}` holds no tensors", "it is no model", f"sdkeep scan '{path}'")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by name, in the file's order."""
        return {name: tensor.shape for name, tensor in self._tensors.items()}

    @property
    def facts(self) -> Mapping[str, str]:
        """What the file says of itself as text: its metadata, or a pickle's plain values as our converter writes them.

        Values other than text are JSON.
        """
        plain = {key: value for key, value in self.contents.extras.items() if value is not None}
        told = {key: value if isinstance(value, str) else json.dumps(value) for key, value in plain.items()}
        return {**told, **self.contents.metadata}

    @property
    def identity(self) -> Identity:
        """What the file is, told by its structure."""
        return identify(self.contents)

    def tensor(self, name: str) -> Tensor:
        """A tensor as it is stored; raises `FormatError` for one that cannot be read."""
        tensor = self._tensors[name]
        stretch = self._gatherer.as_it_lies(tensor) if tensor.dtype in TORCH else None
        if stretch is not None:
            return read(stretch.source, dtype=tensor.dtype, shape=tensor.shape, offset=stretch.offset)
        if tensor.dtype not in TORCH:
            what = f"`{one_line(name)}` of `{self.path}` cannot be read"
            raise FormatError(what, f"no arithmetic is known for numbers of format {tensor.dtype}", "get another file")
        data = bytearray().join(self._gatherer.pieces(tensor))
        kind = TORCH[tensor.dtype]
        return torch.frombuffer(data, dtype=kind).reshape(tensor.shape) if data else torch.empty(tensor.shape).to(kind)

    def close(self) -> None:
        """Give the file back."""
        self._gatherer.__exit__(None, None, None)
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
