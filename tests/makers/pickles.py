"""An assembler for pickles, opcode by opcode. Names of callables exist here only as bytes; nothing is ever loaded."""

from __future__ import annotations

import struct


class Assembler:
    """Each method appends one opcode and returns the assembler; `stop` gives the bytes."""

    def __init__(self) -> None:
        self.code = bytearray()

    def raw(self, data: bytes) -> Assembler:
        self.code += data
        return self

    # protocol and frames

    def proto(self, version: int) -> Assembler:
        return self.raw(b"\x80" + bytes([version]))

    def frame(self, length: int) -> Assembler:
        return self.raw(b"\x95" + struct.pack("<Q", length))

    def framed(self, body: bytes) -> Assembler:
        return self.frame(len(body)).raw(body)

    # constants

    def none(self) -> Assembler:
        return self.raw(b"N")

    def true(self) -> Assembler:
        return self.raw(b"\x88")

    def binint1(self, value: int) -> Assembler:
        return self.raw(b"K" + bytes([value]))

    def binint(self, value: int) -> Assembler:
        return self.raw(b"J" + struct.pack("<i", value))

    def unicode(self, text: str) -> Assembler:
        return self.raw(b"V" + text.encode("raw-unicode-escape") + b"\n")

    def string(self, text: str) -> Assembler:
        return self.raw(b"S'" + text.encode() + b"'\n")

    def binunicode(self, text: str) -> Assembler:
        raw = text.encode("utf-8", "surrogatepass")
        return self.raw(b"X" + struct.pack("<I", len(raw)) + raw)

    def short(self, text: str) -> Assembler:
        raw = text.encode()
        return self.raw(b"\x8c" + bytes([len(raw)]) + raw)

    def binbytes(self, data: bytes) -> Assembler:
        return self.raw(b"B" + struct.pack("<I", len(data)) + data)

    # stack, memo and containers

    def mark(self) -> Assembler:
        return self.raw(b"(")

    def pop(self) -> Assembler:
        return self.raw(b"0")

    def put(self, index: int) -> Assembler:
        return self.raw(b"q" + bytes([index]))

    def get(self, index: int) -> Assembler:
        return self.raw(b"h" + bytes([index]))

    def memoize(self) -> Assembler:
        return self.raw(b"\x94")

    def tuple(self) -> Assembler:
        return self.raw(b"t")

    def tuple1(self) -> Assembler:
        return self.raw(b"\x85")

    def tuple2(self) -> Assembler:
        return self.raw(b"\x86")

    def tuple3(self) -> Assembler:
        return self.raw(b"\x87")

    def empty_tuple(self) -> Assembler:
        return self.raw(b")")

    def empty_dict(self) -> Assembler:
        return self.raw(b"}")

    def empty_list(self) -> Assembler:
        return self.raw(b"]")

    def setitem(self) -> Assembler:
        return self.raw(b"s")

    def append(self) -> Assembler:
        return self.raw(b"a")

    # names and calls

    def name(self, module: str, name: str) -> Assembler:
        return self.raw(b"c" + module.encode() + b"\n" + name.encode() + b"\n")

    def stack_global(self) -> Assembler:
        return self.raw(b"\x93")

    def reduce(self) -> Assembler:
        return self.raw(b"R")

    def newobj(self) -> Assembler:
        return self.raw(b"\x81")

    def newobj_ex(self) -> Assembler:
        return self.raw(b"\x92")

    def inst(self, module: str, name: str) -> Assembler:
        return self.raw(b"i" + module.encode() + b"\n" + name.encode() + b"\n")

    def obj(self) -> Assembler:
        return self.raw(b"o")

    def build(self) -> Assembler:
        return self.raw(b"b")

    def ext1(self, code: int) -> Assembler:
        return self.raw(b"\x82" + bytes([code]))

    def binpersid(self) -> Assembler:
        return self.raw(b"Q")

    def persid(self, pid: str) -> Assembler:
        return self.raw(b"P" + pid.encode() + b"\n")

    def call(self, dotted: str, *arguments: str | bytes | int | None) -> Assembler:
        """A whole REDUCE of `module:name` with constant arguments, in protocol 4."""
        module, _, name = dotted.partition(":")
        self.short(module).short(name).stack_global().mark()
        for argument in arguments:
            self.constant(argument)
        return self.tuple().reduce()

    def constant(self, value: str | bytes | int | None) -> Assembler:
        if value is None:
            return self.none()
        if isinstance(value, bytes):
            return self.binbytes(value)
        return self.binint(value) if isinstance(value, int) else self.binunicode(value)

    def stop(self) -> bytes:
        return bytes(self.code) + b"."


def assemble(protocol: int = 4) -> Assembler:
    """A new pickle of this protocol."""
    return Assembler().proto(protocol)


def calling(dotted: str, *arguments: str | bytes | int | None) -> bytes:
    """The plainest malicious pickle: one call of `module:name`."""
    return assemble().call(dotted, *arguments).stop()


def frame_divergence() -> bytes:
    """python/cpython#154848: in a row one long bytes object, in a C unpickler's buffer a call of print."""
    hidden = Assembler().name("builtins", "print").unicode("hello").tuple1().reduce().code
    body = b"\x00\x00" + (bytes(hidden) + b"(").ljust(256 + 5, b"N") + b"1"
    return assemble(5).none().mark().frame(2).raw(b"B\x07\x01\x00\x00" + body).stop()


def foreign(number: int = 1) -> bytes:
    """What a studio's own trainer could write: an object of a class that no policy lists."""
    state = assemble(2).name("acme.nets", "Net").empty_tuple().newobj().empty_dict()
    return state.unicode("step").binint(number).setitem().build().stop()
