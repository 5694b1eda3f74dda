"""What the abstract machine holds between two opcodes, and the few moves that every opcode is made of."""

from __future__ import annotations

from collections.abc import Callable

from sdkeep.formats.pickled.budget import Budget
from sdkeep.formats.pickled.tape import Broken, Tape
from sdkeep.formats.pickled.values import Event, EventKind, Problem, Value

_MISSING = object()
_MOST_PROBLEMS = 64


class State:
    """Stack, marks, memo and the record of what happened. `below` counts the values and marks under `stack`.

    `stack` reaches down to the last MARK; `covered` keeps the stacks beneath, so that a mark costs nothing to find
    and no opcode can take what lies under it. `at` is the offset of the opcode at hand. `arrays` takes the bytes
    of an array away as joblib does, given its wrapper's state; `wrapped` is how much had happened before the first, and
    `objects` tells where arrays of objects lay.
    """

    __slots__ = (
        "arrays", "at", "below", "budget", "covered", "events", "memo", "objects", "problems", "protocol", "stack",
        "tape", "torn", "wrapped",
    )  # fmt: skip

    def __init__(self, tape: Tape, budget: Budget) -> None:
        self.tape = tape
        self.budget = budget
        self.at = tape.at
        self.stack: list[Value] = []
        self.covered: list[list[Value]] = []
        self.below = 0
        self.memo: dict[int, Value] = {}
        self.events: list[Event] = []
        self.problems: list[Problem] = []
        self.protocol = 0
        self.torn: int | None = None
        self.wrapped: int | None = None
        self.arrays: Callable[[Value], None] | None = None
        self.objects: list[range] = []

    def mark(self) -> None:
        """Cover the stack."""
        self.below += len(self.stack) + 1
        self.covered.append(self.stack)
        self.stack = []

    def above_mark(self) -> list[Value]:
        """Take everything above the last mark, and the mark."""
        if not self.covered:
            raise Broken("no-mark", "an opcode looks for a MARK that is not there")
        items = self.stack
        self.stack = self.covered.pop()
        self.below -= len(self.stack) + 1
        return items

    def top(self) -> Value:
        """The topmost value, left where it is."""
        return self.stack[-1]

    def remember(self, index: int) -> None:
        """Write the topmost value into the memo."""
        value = self.stack[-1]
        if index >= self.budget.memo:
            raise Broken("budget-memo", f"memo index {index:,} is higher than sdkeep keeps")
        old = self.memo.get(index, _MISSING)
        if old is not _MISSING and old is not value and old != value:
            self.problem("memo-overwritten", f"memo entry {index} is written twice")
        self.memo[index] = value

    def recall(self, index: int) -> None:
        """Push a value from the memo."""
        try:
            self.stack.append(self.memo[index])
        except KeyError:
            raise Broken("no-memo", f"memo entry {index:,} is read but was never written") from None

    def event(self, kind: EventKind, opcode: str, target: Value, args: Value = None) -> None:
        """Record an act for ever."""
        self.events.append(Event(kind, opcode, self.at, target, args))

    def problem(self, rule: str, why: str) -> None:
        """Record that the program is odd, and go on."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(rule, why, self.at))

    def tear(self, why: str) -> None:
        """Record a broken frame, and how much had happened before the opcode that broke the first."""
        if self.torn is None:
            self.torn = sum(event.offset < self.at for event in self.events)
        self.problem("frame-mismatch", why)
