"""Files that are two things at once: a zip at the end of something else, a pickle at the front of it.

Readers choose by name or by their first guess, so what one takes for tensors another may unpickle.
"""

from __future__ import annotations

from typing import overload

from sdkeep.formats import torchzip
from sdkeep.formats.contents import Container, PickleMember
from sdkeep.formats.draft import Draft
from sdkeep.formats.pickled.budget import Budget
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.pickled.values import EventKind
from sdkeep.formats.zipdir import read_directory
from sdkeep.ground.source import Source

_SMALLEST_ZIP = 22
_ONE_THING = (Container.EMPTY, Container.LFS_POINTER)
_STARTS_AS_OPCODE = (Container.SAFETENSORS, Container.GGUF)  # the other magic numbers are no pickle's first bytes
_BUDGET = Budget(opcodes=100_000, memo=100_000, depth=100_000, literal=1 << 62, seconds=2.0)
_LONG, _BLOCK, _MOST_LINE = 64 << 10, 4096, 64 << 20


def second_nature(draft: Draft, container: Container) -> Container:
    """Look for the other thing that the file may be; returns the container that counts."""
    if container in _STARTS_AS_OPCODE and draft.thorough:
        _as_pickle(draft, container)
    if draft.source.size < _SMALLEST_ZIP or container in _ONE_THING:
        return container
    directory = read_directory(draft.source)
    if directory is None or not directory.entries:
        return container
    if any(member.offset <= directory.start < member.offset + member.size for member in draft.members):
        return container  # a zip within a tar, looked at there
    draft.flaw("two-containers", f"it reads as {container} from its front and as a zip from its end", directory.start)
    tensors = list(draft.tensors)
    found = torchzip.examine(draft, directory)
    if container is Container.UNKNOWN:
        return found
    draft.tensors[:] = tensors
    return container


def _as_pickle(draft: Draft, container: Container) -> None:
    """Read the file as an unpickler would that does not ask what it is; long literals are jumped over."""
    reading = read_pickle(Sparse(draft.source), budget=_BUDGET)
    if any(problem.rule.startswith("budget-") for problem in reading.problems):
        draft.flaw("budget-front", "an unpickler would find more opcodes at its front than are read", 0)
    if any(event.kind is not EventKind.PERSISTENT for event in reading.events):
        draft.flaw("two-containers", f"it reads as {container}, and an unpickler would find opcodes in it", 0)
        draft.note_pickle(PickleMember("", 0, reading))


class Sparse:
    """A source as the bytes of a pickle, read as they are asked for; what no opcode can need comes back empty."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._at = -1
        self._block = b""

    def __len__(self) -> int:
        return self._source.size

    @overload
    def __getitem__(self, key: int, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> bytes: ...
    def __getitem__(self, key: int | slice, /) -> int | bytes:
        """One byte, or a stretch of them; one longer than any name is left out."""
        if isinstance(key, int):
            if key // _BLOCK != self._at:
                self._at = key // _BLOCK
                self._block = self._source.read_at(self._at * _BLOCK, _BLOCK)
            return self._block[key % _BLOCK]
        length = key.stop - key.start
        return b"" if length > _LONG else self._source.read_at(key.start, length)

    def find(self, wanted: bytes, start: int, stop: int | None = None, /) -> int:
        """Where a line ends, -1 when it is longer than any text."""
        limit = min(self._source.size if stop is None else stop, start + _MOST_LINE)
        for at in range(start, limit, _LONG):
            place = self._source.read_at(at, min(_LONG, limit - at)).find(wanted)
            if place >= 0:
                return at + place
        return -1
