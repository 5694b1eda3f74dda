"""Opcodes that push a constant."""

from __future__ import annotations

import struct
from collections.abc import Callable

from sdkeep.formats.pickled import literals
from sdkeep.formats.pickled.state import State
from sdkeep.formats.pickled.tape import Broken
from sdkeep.formats.pickled.values import Value

Act = Callable[[State], None]

_DOUBLE = struct.Struct(">d")


def constant(value: Value) -> Act:
    """NONE, NEWTRUE, NEWFALSE: no argument."""

    def act(state: State) -> None:
        state.stack.append(value)

    return act


def parsed(read: Callable[[bytes], Value]) -> Act:
    """INT, LONG, FLOAT, STRING, UNICODE: a line of text."""

    def act(state: State) -> None:
        line = state.tape.line()
        try:
            state.stack.append(read(line))
        except ValueError as error:
            raise Broken("bad-literal", f"a text argument cannot be read: {error}"[:200]) from None

    return act


def string(line: bytes) -> str | bytes:
    """The value of a STRING argument."""
    return literals.words(literals.quoted(line))


def binint1(state: State) -> None:
    """BININT1: one unsigned byte."""
    state.stack.append(state.tape.byte())


def binint2(state: State) -> None:
    """BININT2: two unsigned bytes."""
    state.stack.append(int.from_bytes(state.tape.take(2), "little"))


def binint(state: State) -> None:
    """BININT: four bytes with a sign."""
    state.stack.append(int.from_bytes(state.tape.take(4), "little", signed=True))


def binfloat(state: State) -> None:
    """BINFLOAT: eight bytes, the highest first."""
    state.stack.append(float(_DOUBLE.unpack(state.tape.take(8))[0]))


def long1(state: State) -> None:
    """LONG1: a byte of length, then two's complement."""
    state.stack.append(int.from_bytes(state.tape.take(state.tape.byte()), "little", signed=True))


def long4(state: State) -> None:
    """LONG4: four bytes of length, then two's complement."""
    state.stack.append(int.from_bytes(state.tape.take(_signed_size(state)), "little", signed=True))


def _signed_size(state: State) -> int:
    size = int.from_bytes(state.tape.take(4), "little", signed=True)
    if size < 0:
        raise Broken("bad-size", f"an argument has the length {size:,}")
    return size


def _size(state: State, width: int) -> int:
    return state.tape.byte() if width == 1 else int.from_bytes(state.tape.take(width), "little")


def text(width: int) -> Act:
    """SHORT_BINUNICODE, BINUNICODE, BINUNICODE8: `width` bytes of length, then UTF-8 that may hold surrogates."""

    def act(state: State) -> None:
        raw = state.tape.take(_size(state, width))
        try:
            state.stack.append(raw.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise Broken("bad-literal", f"a text argument is no UTF-8: {error.reason}") from None

    return act


def blob(width: int) -> Act:
    """SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8: `width` bytes of length, then bytes."""

    def act(state: State) -> None:
        state.stack.append(state.tape.bulk(_size(state, width)))

    return act


def short_binstring(state: State) -> None:
    """SHORT_BINSTRING: a Python 2 `str` of up to 255 bytes."""
    state.stack.append(literals.words(state.tape.take(state.tape.byte())))


def binstring(state: State) -> None:
    """BINSTRING: a Python 2 `str` with a signed length."""
    state.stack.append(literals.words(state.tape.take(_signed_size(state))))
