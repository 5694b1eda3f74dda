"""Models in several files with an index, `pytorch_model.bin.index.json` and the like, read as if they were one.

The index is JSON: `{"metadata": {...}, "weight_map": {"key": "pytorch_model-00001-of-00002.bin", ...}}`, the shards
lie beside it (transformers, `load_sharded_checkpoint`).
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.formats.contents import Contents, Tensor
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import CannotConvert, FormatError, NotFoundHere
from sdkeep.ground.events import Stop
from sdkeep.ground.source import Source
from sdkeep.ground.text import one_line

SUFFIX = ".index.json"
_MOST_INDEX = 64 << 20
_MOST_SHARDS = 1000


@dataclass(frozen=True, slots=True)
class Sharded:
    """The shards end to end as one `source`, what they hold together, and the contents of each by its name."""

    source: Source
    contents: Contents
    shards: Mapping[str, Contents]


def is_index(path: Path) -> bool:
    """Whether a name is that of an index of shards."""
    return path.name.endswith(SUFFIX)


@contextmanager
def opened(index: Path, stop: Stop | None = None) -> Iterator[Sharded]:
    """Open every shard of an index; raises `NotFoundHere` for a missing one, `CannotConvert` for a missing key."""
    weights = _weight_map(index)
    with ExitStack() as stack:
        sources: list[FileSource] = []
        for name in dict.fromkeys(weights.values()):
            path = index.with_name(name)
            if not path.is_file():
                raise NotFoundHere(
                    f"the shard `{one_line(name)}` is not there",
                    f"`{index.name}` lists it, and the model is not whole without it",
                    f"put it beside `{index.name}`",
                )
            sources.append(stack.enter_context(FileSource(path)))
        joined = Joined(sources, str(index))
        seen = {Path(source.name).name: look(source, stop=stop) for source in sources}
        yield Sharded(joined, _joined(joined, seen, weights), seen)


def _weight_map(index: Path) -> dict[str, str]:
    with FileSource(index) as source:
        raw = source.read_at(0, min(source.size, _MOST_INDEX))
    try:
        value: object = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"`{index.name}` cannot be read", str(error), rule="index-unreadable") from error
    weights = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(weights, dict) or not weights or not all(isinstance(name, str) for name in weights.values()):
        raise FormatError(f"`{index.name}` is no index of shards", "it has no `weight_map`", rule="index-unreadable")
    names = set(weights.values())
    if len(names) > _MOST_SHARDS or any(name in ("", ".", "..") or set(name) & set("/\\\0") for name in names):
        raise FormatError(
            f"`{index.name}` is no index of shards", "its shards are no file names", rule="index-unreadable"
        )
    return weights


def _joined(source: Joined, seen: Mapping[str, Contents], weights: Mapping[str, str]) -> Contents:
    tensors: list[Tensor] = []
    left = 0
    for place, (name, contents) in enumerate(seen.items()):
        found = {tensor.name for tensor in contents.tensors}
        missing = sorted(key for key, home in weights.items() if home == name and key not in found)
        if missing:
            why = f"`{one_line(name)}` does not hold it, though the index says so"
            raise CannotConvert(f"the tensor `{one_line(missing[0])}` is missing", why)
        for tensor in contents.tensors:
            if weights.get(tensor.name) == name:
                tensors.append(_moved(tensor, source.starts[place], place))
            else:
                left += 1
    first = next(iter(seen.values()))
    return Contents(
        container=first.container,
        size=source.size,
        tensors=tuple(tensors),
        metadata={key: value for contents in seen.values() for key, value in contents.metadata.items()},
        extras={key: value for contents in seen.values() for key, value in contents.extras.items()},
        pickles=tuple(pickle for contents in seen.values() for pickle in contents.pickles),
        flaws=tuple(flaw for contents in seen.values() for flaw in contents.flaws),
        notes=(
            f"{len(seen)} shards",
            *([f"{left:,} tensors that the index does not list were left out"] if left else []),
        ),
    )


def _moved(tensor: Tensor, start: int, place: int) -> Tensor:
    """The tensor at its place among the joined shards."""
    span = (
        replace(tensor.span, offset=tensor.span.offset + start)
        if tensor.span and tensor.literal is None
        else tensor.span
    )
    return replace(tensor, span=span, storage=f"{place}/{tensor.storage}" if tensor.storage else "")


class Joined:
    """Several sources end to end; `starts` are the offsets at which each begins."""

    def __init__(self, sources: list[FileSource], name: str) -> None:
        self._sources = sources
        self._name = name
        self.starts: list[int] = []
        end = 0
        for source in sources:
            self.starts.append(end)
            end += source.size
        self._size = end

    @property
    def name(self) -> str:
        """What it was called at construction."""
        return self._name

    @property
    def size(self) -> int:
        """Length of all in bytes."""
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, across the seams."""
        pieces: list[bytes] = []
        while length > 0 and offset < self._size:
            place = bisect_right(self.starts, offset) - 1
            piece = self._sources[place].read_at(offset - self.starts[place], length)
            if not piece:
                break
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return b"".join(pieces)
