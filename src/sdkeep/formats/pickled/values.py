"""The abstract values a pickle builds when nothing it names is ever imported or called.

A value is a constant (None, bool, int, float, str, bytes) or one of the nodes below. Containers keep identity: two
memo reads of one list are the same node, so a doubling bomb costs a reference, not memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Union

Value = Union[  # a recursive alias needs the names quoted
    None, bool, int, float, str, bytes,
    "ListNode", "DictNode", "TupleNode", "SetNode", "GlobalNode", "CallNode", "PersistentNode", "UnknownNode",
]  # fmt: skip


@dataclass(slots=True, eq=False)
class ListNode:
    """A list, or a bytearray's worth of nothing: only list opcodes build it."""

    items: list[Value] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class DictNode:
    """A dict as the sequence of its assignments; later pairs win, as in Python."""

    pairs: list[tuple[Value, Value]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class TupleNode:
    """A tuple."""

    items: tuple[Value, ...] = ()


@dataclass(slots=True, eq=False)
class SetNode:
    """A set or frozenset."""

    items: list[Value] = field(default_factory=list)
    frozen: bool = False


@dataclass(slots=True, eq=False, frozen=True)
class GlobalNode:
    """A name the file asks Python to import, after the Python 2 renames that unpicklers apply."""

    module: str
    name: str
    offset: int

    @property
    def dotted(self) -> str:
        """`module.name`, as reports print it."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class CallNode:
    """What a call would have returned. BUILD states, appended items and assigned pairs collect on it."""

    callable: Value
    args: Value
    kwargs: Value
    opcode: str
    offset: int
    states: list[Value] = field(default_factory=list)
    items: list[Value] = field(default_factory=list)
    pairs: list[tuple[Value, Value]] = field(default_factory=list)


@dataclass(slots=True, eq=False, frozen=True)
class PersistentNode:
    """A reference to bytes outside the pickle: torch's storages."""

    pid: Value
    offset: int


@dataclass(slots=True, eq=False, frozen=True)
class UnknownNode:
    """A value that cannot be known without running something (an extension code, an out-of-band buffer)."""

    why: str
    offset: int


class EventKind(StrEnum):
    """The acts of a pickle that reach outside plain data."""

    IMPORT = "import"
    CALL = "call"
    BUILD = "build"
    PERSISTENT = "persistent"
    EXTENSION = "extension"


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One act, never erased by what the pickle does later.

    `target` is what is imported, called or built upon; `args` the argument tuple or the state. `offset` counts bytes
    from the start of the pickle's member. `astray` says that only an unpickler does it that takes joblib's arrays of
    objects for opcodes of the pickle around them, where memo entries stand for other values.
    """

    kind: EventKind
    opcode: str
    offset: int
    target: Value
    args: Value = None
    astray: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the pickle as a program. `rule` is a stable id: `frame-mismatch`, `budget-opcodes`, ..."""

    rule: str
    why: str
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One pickle read to its STOP or to where it broke. `end` is the offset after the last opcode understood."""

    root: Value
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    end: int
    protocol: int
    opcodes: int
    complete: bool
