"""Opcodes that reach outside plain data: names, calls, states, persistent ids, extension codes. Each is an event."""

from __future__ import annotations

from sdkeep.formats.pickled.constants import Act
from sdkeep.formats.pickled.joblib import is_wrapper
from sdkeep.formats.pickled.names import modern
from sdkeep.formats.pickled.state import State
from sdkeep.formats.pickled.tape import Broken
from sdkeep.formats.pickled.values import CallNode, EventKind, GlobalNode, PersistentNode, TupleNode, UnknownNode, Value


def global_(state: State) -> None:
    """GLOBAL: module and name on two lines."""
    module, name = _word(state, "utf-8"), _word(state, "utf-8")
    state.stack.append(_import(state, module, name, "GLOBAL"))


def stack_global(state: State) -> None:
    """STACK_GLOBAL: module and name from the stack. Anything but constant text there hides the name."""
    name = state.stack.pop()
    module = state.stack.pop()
    if isinstance(module, str) and isinstance(name, str):
        state.stack.append(_import(state, module, name, "STACK_GLOBAL"))
        return
    node = UnknownNode("a name that is no constant text", state.at)
    state.event(EventKind.IMPORT, "STACK_GLOBAL", node, TupleNode((module, name)))
    state.stack.append(node)


def _word(state: State, encoding: str) -> str:
    try:
        word = state.tape.line().decode(encoding)
    except UnicodeDecodeError as error:
        raise Broken("bad-literal", f"a name is no {encoding} text: {error.reason}") from None
    if not word:
        raise Broken("bad-literal", "a name is empty")
    return word


def _import(state: State, module: str, name: str, opcode: str) -> GlobalNode:
    if state.protocol < 3:
        module, name = modern(module, name)
    node = GlobalNode(module, name, state.at)
    state.event(EventKind.IMPORT, opcode, node)
    return node


def _call(state: State, target: Value, args: Value, opcode: str) -> None:
    state.event(EventKind.CALL, opcode, target, args)
    state.stack.append(CallNode(target, args, None, opcode, state.at))


def reduce(state: State) -> None:
    """REDUCE: call a value with a tuple."""
    args = state.stack.pop()
    _call(state, state.stack.pop(), args, "REDUCE")


def newobj(state: State) -> None:
    """NEWOBJ: call a class's `__new__` with a tuple."""
    args = state.stack.pop()
    _call(state, state.stack.pop(), args, "NEWOBJ")


def newobj_ex(state: State) -> None:
    """NEWOBJ_EX: the same with keyword arguments; the event's `args` is the pair of both."""
    kwargs = state.stack.pop()
    args = state.stack.pop()
    target = state.stack.pop()
    state.event(EventKind.CALL, "NEWOBJ_EX", target, TupleNode((args, kwargs)))
    state.stack.append(CallNode(target, args, kwargs, "NEWOBJ_EX", state.at))


def inst(state: State) -> None:
    """INST: a name on two lines, called with what lies above the mark."""
    module, name = _word(state, "ascii"), _word(state, "ascii")
    args = TupleNode(tuple(state.above_mark()))
    _call(state, _import(state, module, name, "INST"), args, "INST")


def obj(state: State) -> None:
    """OBJ: the first value above the mark, called with the others."""
    items = state.above_mark()
    if not items:
        raise Broken("stack-underflow", "an opcode takes more from the stack than there is")
    _call(state, items[0], TupleNode(tuple(items[1:])), "OBJ")


def build(state: State) -> None:
    """BUILD: hand a state to the value below it."""
    given = state.stack.pop()
    target = state.top()
    if isinstance(target, CallNode):
        target.states.append(given)
    state.event(EventKind.BUILD, "BUILD", target, given)
    if isinstance(target, CallNode) and is_wrapper(target):
        if state.wrapped is None:
            state.wrapped = len(state.events)
        if state.arrays is not None:
            state.arrays(given)


def persid(state: State) -> None:
    """PERSID: a persistent id as a line of text."""
    try:
        _persistent(state, state.tape.line().decode("ascii"), "PERSID")
    except UnicodeDecodeError:
        raise Broken("bad-literal", "a persistent id is no ascii text") from None


def binpersid(state: State) -> None:
    """BINPERSID: a persistent id from the stack."""
    _persistent(state, state.stack.pop(), "BINPERSID")


def _persistent(state: State, pid: Value, opcode: str) -> None:
    node = PersistentNode(pid, state.at)
    state.event(EventKind.PERSISTENT, opcode, node, pid)
    state.stack.append(node)


def extension(width: int) -> Act:
    """EXT1, EXT2, EXT4: a code that the loading process may have registered for any name."""

    def act(state: State) -> None:
        code = int.from_bytes(state.tape.take(width), "little", signed=width == 4)
        node = UnknownNode(f"extension code {code}", state.at)
        state.event(EventKind.EXTENSION, f"EXT{width}", node, code)
        state.stack.append(node)

    return act


def next_buffer(state: State) -> None:
    """NEXT_BUFFER: bytes that were sent beside the pickle, which a file cannot do."""
    state.problem("out-of-band", "the pickle refers to a buffer outside of it")
    state.stack.append(UnknownNode("an out-of-band buffer", state.at))


def readonly_buffer(state: State) -> None:
    """READONLY_BUFFER: the same value, not writable."""
    state.top()
