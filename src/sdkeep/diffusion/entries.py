"""What the files of a model hold, by canonical key, before any weight is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from sdkeep.diffusion.networks.config import VAE
from sdkeep.diffusion.networks.names import canonical
from sdkeep.formats.contents import Container, Tensor
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError
from sdkeep.ground.text import one_line
from sdkeep.weights.dtypes import is_float, item_size
from sdkeep.weights.reading import Mapped

_READABLE = (Container.SAFETENSORS, Container.TORCH_ZIP)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a mapped file. `key` is its name there."""

    file: Mapped
    path: Path
    tensor: Tensor

    def load(self) -> torch.Tensor:
        """Its numbers as a view of the file; raises `FormatError`, which names the key, where that cannot be had."""
        tensor = self.tensor
        if not is_float(tensor.dtype):
            raise self._refused(f"its numbers are {tensor.dtype}, quantized or no weights at all")
        span = tensor.span
        if span is None or span.compressed or tensor.strides or tensor.big_endian or tensor.literal is not None:
            raise self._refused("its bytes do not lie in the file as they are in memory")
        offset = span.offset + tensor.start * item_size(tensor.dtype)
        return self.file.tensor(dtype=tensor.dtype, shape=tensor.shape, offset=offset)

    def _refused(self, why: str) -> FormatError:
        what = f"`{one_line(self.tensor.name)}` of `{self.path}` cannot be read as a weight"
        return FormatError(what, why, f"sdkeep convert '{self.path}' --to safetensors", rule="weight-unreadable")


@dataclass(frozen=True, slots=True)
class Entries:
    """The tensors of a file by canonical key, and its metadata."""

    by_key: Mapping[str, Entry]
    metadata: Mapping[str, str]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor."""
        return {key: entry.tensor.shape for key, entry in self.by_key.items()}


def read_entries(path: Path) -> Entries:
    """The tensors of a safetensors file, or of a torch archive, which is never unpickled.

    Raises `FormatError` for another kind of file, a damaged one, or two keys that mean the same weight.
    """
    with FileSource(path) as source:
        contents = look(source)
    grave = next((flaw for flaw in contents.flaws if flaw.grave), None)
    if contents.container not in _READABLE:
        kind = contents.container.value
        raise FormatError(
            f"`{path}` is no checkpoint that can be opened",
            f"it is of the kind `{kind}`; safetensors and torch archives can be",
            f"sdkeep convert '{path}' --to safetensors",
            rule="not-a-checkpoint",
        )
    if grave:
        raise FormatError(f"`{path}` is damaged", grave.why, "download the file again", rule=grave.rule)
    mapped = Mapped(path)
    today = canonical(tensor.name for tensor in contents.tensors)
    found: dict[str, Entry] = {}
    for tensor in contents.tensors:
        key = today[tensor.name]
        if key in found and found[key].tensor.name != key:
            found.pop(key)
        elif key in found:
            continue  # the name as it is today wins over a historic one
        found[key] = Entry(mapped, path, tensor)
    return Entries(found, contents.metadata)


def with_vae(entries: Entries, vae: Entries, path: Path) -> Entries:
    """`entries` with the autoencoder of another file in place of its own; raises `FormatError` when it holds none."""
    theirs = {key: entry for key, entry in vae.by_key.items() if key.startswith(VAE)}
    if not theirs:
        raise FormatError(
            f"`{path}` holds no autoencoder of the single-file layout",
            "no key of it begins with `first_stage_model.` or `decoder.conv_in`",
            f"sdkeep show '{path}'",
            rule="component-missing",
        )
    own = {key: entry for key, entry in entries.by_key.items() if not key.startswith(VAE)}
    return Entries(own | theirs, entries.metadata)
