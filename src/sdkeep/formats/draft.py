"""What is known of a file while it is being looked at, and how pickles in it are read into that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sdkeep.formats.contents import Container, Contents, Flaw, Member, PickleMember, Tensor
from sdkeep.formats.extract import Scalar, extract
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.pickled.values import Reading, Value
from sdkeep.formats.tensors import Locate
from sdkeep.ground.events import Stop
from sdkeep.ground.source import Source

MOST_PICKLE = 64 << 20
"""Bytes of one pickle that are read; a checkpoint's is a few hundred KiB."""

MOST_STACKED = 64
"""Pickles in a row that are read from one place."""

MOST_PICKLES, MOST_OPCODES, MOST_UNPACKED = 1024, 16_000_000, 512 << 20
"""Pickles of one file, their opcodes and their bytes; a TorchScript program has some dozens of small ones."""

_FIRST_WINDOW, _GROWTH = 1 << 20, 8
_FIRST_GLANCE, _SLOW_GROWTH = 1 << 16, 2  # from afar every byte counts, and what was read is kept


@dataclass(slots=True)
class Draft:
    """Everything found so far. `thorough` asks for every local header; a remote file is looked at without.

    `count`, `opcodes` and `unpacked` are what pickles have cost so far. A file inside another has a draft of its own,
    which begins with the outer one's costs; `depth` counts how many are around it, and `enter` looks at one.
    """

    source: Source
    thorough: bool = True
    stop: Stop | None = None
    tensors: list[Tensor] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    extras: dict[str, Scalar] = field(default_factory=dict)
    pickles: list[PickleMember] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    opcodes: int = 0
    unpacked: int = 0
    count: int = 0
    depth: int = 0
    enter: Callable[[Draft], Container] | None = None
    container: Container = Container.UNKNOWN
    root: Value = None
    packed: Container | None = None

    def check(self) -> None:
        """Leave with `Stopped` when somebody asked."""
        if self.stop:
            self.stop.check()

    def flaw(self, rule: str, why: str, offset: int | None = None, member: str = "", grave: bool = True) -> None:
        """Note something wrong with the structure."""
        self.flaws.append(Flaw(rule, why, offset, member, grave))

    def take(self, root: Value, locate: Locate) -> None:
        """Add what a pickle that built `root` turned out to hold."""
        extraction = extract(root, locate)
        self.root = root
        self.tensors.extend(extraction.tensors)
        self.extras.update(extraction.extras)
        self.flaws.extend(extraction.flaws)
        self.notes.extend(extraction.notes)

    def pickle(self, data: bytes, offset: int, member: str = "") -> Reading:
        """Read the pickle at the start of `data`, which lies at `offset` in the file."""
        self.check()
        reading = read_pickle(data)
        self.note_pickle(PickleMember(member, offset, reading))
        return reading

    def note_pickle(self, pickle: PickleMember) -> None:
        """Add a pickle that was read, and what it cost."""
        self.pickles.append(pickle)
        self.opcodes += pickle.reading.opcodes
        self.count += 1

    def is_spent(self, more: int = 0) -> bool:
        """Whether the pickles of this file have cost what one file may cost, `more` bytes to unpack included.

        The first time they have, that is a flaw.
        """
        self.unpacked += more
        spent = self.count >= MOST_PICKLES or self.opcodes > MOST_OPCODES or self.unpacked > MOST_UNPACKED
        if spent and "budget-pickles" not in {flaw.rule for flaw in self.flaws[-1:]}:
            self.flaw("budget-pickles", f"the file holds more pickles than are read; {self.count:,} were")
        return spent

    def contents(self, container: Container) -> Contents:
        """The finished reading."""
        return Contents(
            container=container,
            size=self.source.size,
            tensors=tuple(self.tensors),
            metadata=self.metadata,
            extras=self.extras,
            pickles=tuple(self.pickles),
            members=tuple(self.members),
            flaws=tuple(dict.fromkeys(self.flaws)),
            unread=tuple(self.unread),
            notes=tuple(self.notes),
            root=self.root,
            packed=self.packed,
        )


def is_binary_pickle(front: bytes) -> bool:
    """Whether bytes begin as a pickle of protocol 2 to 5 does."""
    return len(front) > 1 and front[0] == 0x80 and 2 <= front[1] <= 5


def pickle_at(draft: Draft, offset: int, member: str = "") -> Reading:
    """Read one pickle that lies bare in the file from `offset` on, fetching no more than it needs."""
    source = draft.source
    window, growth = (_FIRST_WINDOW, _GROWTH) if draft.thorough else (_FIRST_GLANCE, _SLOW_GROWTH)
    while True:
        draft.check()
        data = source.read_at(offset, min(window, source.size - offset))
        reading = read_pickle(data)
        whole = offset + len(data) >= source.size
        if reading.complete or whole or window >= MOST_PICKLE or not _cut(reading):
            break
        window *= growth
    if not reading.complete and not whole and _cut(reading):
        draft.flaw("pickle-too-large", f"a pickle is longer than {MOST_PICKLE:,} bytes", offset, member)
        draft.unread.append(f"the pickle at byte {offset:,} beyond its first {len(data):,} bytes")
    draft.note_pickle(PickleMember(member, offset, reading))
    return reading


def _cut(reading: Reading) -> bool:
    """Whether a reading may have gone wrong because the bytes ended."""
    return any(problem.rule in ("truncated", "frame-mismatch") for problem in reading.problems)
