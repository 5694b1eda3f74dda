"""The abstract machine: a pickle interpreted from its first opcode to its last, with nothing imported and nothing run.

Every value is a constant or a node of `values`; every act that would have reached outside plain data is an `Event`
that later opcodes cannot take back. Broken input ends the reading with a `Problem`; it never raises.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from sdkeep.formats.pickled.budget import Budget
from sdkeep.formats.pickled.joblib import take_array
from sdkeep.formats.pickled.opcodes import ACTS, STOP
from sdkeep.formats.pickled.state import State
from sdkeep.formats.pickled.tape import NO_FRAME, Broken, Bytes, StreamTape, Tape
from sdkeep.formats.pickled.values import Event, Problem, Reading, Value

_STRIDE = 4096
_DEFAULT = Budget()


def read_pickle(data: Bytes, start: int = 0, budget: Budget = _DEFAULT) -> Reading:
    """Read the pickle that begins at `start`; offsets in the result count from the start of `data`.

    What follows the STOP opcode is not looked at: `end` says where it begins. When frames are broken, unpicklers
    disagree about the bytes, so they are read both ways: the values are those of reading in a row, the events are
    those of both. So it is with joblib's arrays, where the values are those that joblib would build.
    """
    run = _run(_Run(State(Tape(data, start, budget.literal), budget)))
    wrapped = run.state.wrapped
    if wrapped is None:
        return _framed(run)
    other = _run(_Run(State(Tape(data, start, budget.literal), budget), arrays=True))
    if not other.complete:
        return _joined(_framed(run), other.reading(), wrapped)
    beside = run.state.events[wrapped:]
    if other.state.objects:
        starts = [place.start for place in other.state.objects]
        beside = [_astray(event, other.state.objects[bisect_right(starts, event.offset) - 1]) for event in beside]
    return replace(other.reading(), events=(*other.state.events, *beside))


def _astray(event: Event, objects: range) -> Event:
    return replace(event, astray=True) if event.offset in objects else event


def _framed(run: _Run) -> Reading:
    """What a run read, joined with what older unpicklers would where its frames are broken."""
    reading, torn, tape = run.reading(), run.state.torn, run.state.tape
    if torn is None:
        return reading
    other = _run(_Run(State(StreamTape(tape.data, run.start, tape.most), run.state.budget)))
    return _joined(reading, other.reading(), torn)


def _joined(reading: Reading, other: Reading, common: int) -> Reading:
    """One reading with the acts and problems of another, which has the first `common` acts in common with it."""
    known = set(reading.problems)
    return Reading(
        root=reading.root,
        events=reading.events + other.events[common:],
        problems=reading.problems + tuple(problem for problem in other.problems if problem not in known),
        end=reading.end,
        protocol=reading.protocol,
        opcodes=reading.opcodes + other.opcodes,
        complete=reading.complete,
    )


def _run(run: _Run) -> _Run:
    """The same machine after its run."""
    try:
        run.to_stop()
    except Broken as broken:
        run.fail(broken.rule, broken.why)
    except IndexError:  # only `stack[-1]` and `stack.pop()` let one through
        run.fail("stack-underflow", "an opcode takes more from the stack than there is")
    return run


class _Run:
    """A machine in motion."""

    __slots__ = ("complete", "end", "opcodes", "root", "start", "state")

    def __init__(self, state: State, *, arrays: bool = False) -> None:
        self.state = state
        self.start = self.end = state.tape.at
        if arrays:
            state.arrays = self._array
        self.opcodes = 0
        self.root: Value = None
        self.complete = False

    def to_stop(self) -> None:
        """Run to STOP, looking at the budget once per stride."""
        budget = self.state.budget
        deadline = budget.clock() + budget.seconds
        while not self._stride(min(_STRIDE, budget.opcodes - self.opcodes)):
            self.end = self.state.tape.at
            if self.opcodes >= budget.opcodes:
                raise Broken("budget-opcodes", f"the pickle has more than {budget.opcodes:,} opcodes")
            if self.state.below + len(self.state.stack) > budget.depth:
                raise Broken("budget-depth", f"the pickle stacks more than {budget.depth:,} values")
            if budget.clock() > deadline:
                raise Broken("budget-time", f"the pickle takes longer than {budget.seconds:g} seconds to read")

    def _stride(self, count: int) -> bool:
        """Do up to `count` opcodes; says whether STOP was among them."""
        state = self.state
        tape, acts = state.tape, ACTS
        data, size = tape.data, tape.size
        done = 0
        try:
            while done < count:
                at = state.at = tape.at
                if at >= size:
                    raise Broken("truncated", "the pickle ends without a STOP opcode")
                code = data[at]
                tape.at = at + 1
                done += 1
                if code == STOP:
                    self._stop()
                    return True
                acts[code](state)
                if tape.at >= tape.frame_end:
                    self._leave_frame()
        finally:
            self.opcodes += done
        return False

    def _array(self, given: Value) -> None:
        """Take an array away as joblib does; one of objects is a pickle, read as every unpickler reads it."""
        state, tape = self.state, self.state.tape
        if not take_array(state, given):
            return
        budget = replace(state.budget, opcodes=state.budget.opcodes - self.opcodes)
        inner = _framed(_run(_Run(State(Tape(tape.data, tape.at, tape.most), budget))))
        state.events.extend(inner.events)
        state.problems.extend(inner.problems)
        self.opcodes += inner.opcodes
        state.objects.append(range(tape.at, inner.end))
        tape.at = inner.end
        if not inner.complete:
            raise Broken("array-unreadable", "the pickle of an array of objects cannot be read to its end")

    def _leave_frame(self) -> None:
        wrong = self.state.tape.leave_frame()
        if wrong:
            self.state.tear(wrong)

    def _stop(self) -> None:
        state, tape = self.state, self.state.tape
        self.root = state.stack.pop()
        self.end = tape.at
        self.complete = True
        if state.stack or state.covered:
            left = state.below + len(state.stack)
            state.problem("stack-not-empty", f"{left:,} values are left on the stack at the end")
        if tape.frame_end not in (NO_FRAME, tape.at) and type(tape) is Tape:
            state.tear(f"the pickle ends {tape.frame_end - tape.at:,} bytes before its frame does")

    def fail(self, rule: str, why: str) -> None:
        """The opcode at hand cannot be done: the reading ends before it."""
        self.end = max(self.end, self.state.at)
        self.state.problems.append(Problem(rule, why, self.state.at))

    def reading(self) -> Reading:
        """What was read."""
        state = self.state
        return Reading(
            root=self.root,
            events=tuple(state.events),
            problems=tuple(state.problems),
            end=self.end,
            protocol=state.protocol,
            opcodes=self.opcodes,
            complete=self.complete,
        )
