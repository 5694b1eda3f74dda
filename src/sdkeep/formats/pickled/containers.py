"""Opcodes that move the stack, the memo and frames, and those that build lists, dicts, tuples and sets.

Adding to anything but a container built here calls a method of whatever the value would have been, so it is an event.
"""

from __future__ import annotations

from sdkeep.formats.pickled import literals
from sdkeep.formats.pickled.constants import Act
from sdkeep.formats.pickled.state import State
from sdkeep.formats.pickled.tape import Broken
from sdkeep.formats.pickled.values import CallNode, DictNode, EventKind, ListNode, SetNode, TupleNode, Value

HIGHEST_PROTOCOL = 5


def proto(state: State) -> None:
    """PROTO: which renames and name rules hold from here on."""
    version = state.tape.byte()
    if version > HIGHEST_PROTOCOL:
        raise Broken("bad-protocol", f"pickle protocol {version} does not exist")
    state.protocol = version


def frame(state: State) -> None:
    """FRAME: eight bytes of length; what follows must lie in it exactly."""
    tape = state.tape
    length = int.from_bytes(tape.take(8), "little")
    if tape.at + length > tape.size:
        state.problem("frame-truncated", f"a frame of {length:,} bytes goes beyond the end of the pickle")
    wrong = tape.open_frame(length)
    if wrong:
        state.tear(wrong)


def mark(state: State) -> None:
    """MARK."""
    state.mark()


def pop(state: State) -> None:
    """POP: the topmost value, or a mark with nothing above it."""
    if state.stack:
        state.stack.pop()
    else:
        state.above_mark()


def pop_mark(state: State) -> None:
    """POP_MARK: everything down to the last mark."""
    state.above_mark()


def dup(state: State) -> None:
    """DUP."""
    state.stack.append(state.top())


def put(state: State) -> None:
    """PUT: the memo index in decimal."""
    state.remember(_index(state))


def binput(state: State) -> None:
    """BINPUT: the memo index in one byte."""
    state.remember(state.tape.byte())


def long_binput(state: State) -> None:
    """LONG_BINPUT: the memo index in four bytes."""
    state.remember(int.from_bytes(state.tape.take(4), "little"))


def memoize(state: State) -> None:
    """MEMOIZE: the next memo index."""
    state.remember(len(state.memo))


def get(state: State) -> None:
    """GET: the memo index in decimal."""
    state.recall(_index(state))


def binget(state: State) -> None:
    """BINGET: the memo index in one byte."""
    state.recall(state.tape.byte())


def long_binget(state: State) -> None:
    """LONG_BINGET: the memo index in four bytes."""
    state.recall(int.from_bytes(state.tape.take(4), "little"))


def _index(state: State) -> int:
    try:
        return literals.index(state.tape.line())
    except ValueError:
        raise Broken("bad-literal", "a memo index is no natural number") from None


def empty_list(state: State) -> None:
    """EMPTY_LIST."""
    state.stack.append(ListNode())


def empty_dict(state: State) -> None:
    """EMPTY_DICT."""
    state.stack.append(DictNode())


def empty_tuple(state: State) -> None:
    """EMPTY_TUPLE."""
    state.stack.append(TupleNode())


def empty_set(state: State) -> None:
    """EMPTY_SET."""
    state.stack.append(SetNode())


def list_(state: State) -> None:
    """LIST: what lies above the mark."""
    items = state.above_mark()
    state.stack.append(ListNode(items))


def tuple_(state: State) -> None:
    """TUPLE: what lies above the mark."""
    items = state.above_mark()
    state.stack.append(TupleNode(tuple(items)))


def frozenset_(state: State) -> None:
    """FROZENSET: what lies above the mark."""
    items = state.above_mark()
    state.stack.append(SetNode(items, frozen=True))


def dict_(state: State) -> None:
    """DICT: keys and values above the mark, by turns."""
    pairs = _pairs(state.above_mark())
    state.stack.append(DictNode(pairs))


def tuple_of(count: int) -> Act:
    """TUPLE1, TUPLE2, TUPLE3."""

    def act(state: State) -> None:
        stack = state.stack
        if len(stack) < count:
            raise IndexError
        items = tuple(stack[-count:])
        del stack[-count:]
        stack.append(TupleNode(items))

    return act


def append(state: State) -> None:
    """APPEND: one item."""
    item = state.stack.pop()
    _extend(state, [item], "APPEND")


def appends(state: State) -> None:
    """APPENDS: the items above the mark."""
    items = state.above_mark()
    _extend(state, items, "APPENDS")


def _extend(state: State, items: list[Value], opcode: str) -> None:
    target = state.top()
    if isinstance(target, ListNode):
        target.items.extend(items)
        return
    if isinstance(target, CallNode):
        target.items.extend(items)
    state.event(EventKind.BUILD, opcode, target, TupleNode(tuple(items)))


def additems(state: State) -> None:
    """ADDITEMS: the items above the mark, into a set."""
    items = state.above_mark()
    target = state.top()
    if isinstance(target, SetNode) and not target.frozen:
        target.items.extend(items)
        return
    if isinstance(target, CallNode):
        target.items.extend(items)
    state.event(EventKind.BUILD, "ADDITEMS", target, TupleNode(tuple(items)))


def setitem(state: State) -> None:
    """SETITEM: one key and its value."""
    value = state.stack.pop()
    key = state.stack.pop()
    _assign(state, [(key, value)], "SETITEM")


def setitems(state: State) -> None:
    """SETITEMS: keys and values above the mark, by turns."""
    pairs = _pairs(state.above_mark())
    _assign(state, pairs, "SETITEMS")


def _assign(state: State, pairs: list[tuple[Value, Value]], opcode: str) -> None:
    target = state.top()
    if isinstance(target, DictNode):
        target.pairs.extend(pairs)
        return
    if isinstance(target, CallNode):
        target.pairs.extend(pairs)
    state.event(EventKind.BUILD, opcode, target, DictNode(pairs))


def _pairs(items: list[Value]) -> list[tuple[Value, Value]]:
    if len(items) % 2:
        raise Broken("odd-items", "a dict gets a key without a value")
    return list(zip(items[::2], items[1::2], strict=True))
