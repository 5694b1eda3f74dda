"""The table of pickle's 68 opcodes: byte, name, protocol that brought it, and what the machine does at it.

STOP is here for its name: the machine ends there without asking the table.
"""

from __future__ import annotations

from typing import NamedTuple

from sdkeep.formats.pickled import calls, constants, containers, literals
from sdkeep.formats.pickled.constants import Act
from sdkeep.formats.pickled.state import State
from sdkeep.formats.pickled.tape import Broken

STOP = 0x2E


class Opcode(NamedTuple):
    """One row of the table."""

    code: int
    name: str
    protocol: int
    act: Act


def _unknown(state: State) -> None:
    raise Broken("unknown-opcode", f"byte 0x{state.tape.data[state.at]:02x} is no pickle opcode")


OPCODES = (
    Opcode(0x28, "MARK", 0, containers.mark),
    Opcode(STOP, "STOP", 0, _unknown),
    Opcode(0x30, "POP", 0, containers.pop),
    Opcode(0x31, "POP_MARK", 1, containers.pop_mark),
    Opcode(0x32, "DUP", 0, containers.dup),
    Opcode(0x46, "FLOAT", 0, constants.parsed(literals.double)),
    Opcode(0x49, "INT", 0, constants.parsed(literals.integer)),
    Opcode(0x4A, "BININT", 1, constants.binint),
    Opcode(0x4B, "BININT1", 1, constants.binint1),
    Opcode(0x4C, "LONG", 0, constants.parsed(literals.long)),
    Opcode(0x4D, "BININT2", 1, constants.binint2),
    Opcode(0x4E, "NONE", 0, constants.constant(None)),
    Opcode(0x50, "PERSID", 0, calls.persid),
    Opcode(0x51, "BINPERSID", 1, calls.binpersid),
    Opcode(0x52, "REDUCE", 0, calls.reduce),
    Opcode(0x53, "STRING", 0, constants.parsed(constants.string)),
    Opcode(0x54, "BINSTRING", 1, constants.binstring),
    Opcode(0x55, "SHORT_BINSTRING", 1, constants.short_binstring),
    Opcode(0x56, "UNICODE", 0, constants.parsed(literals.raw_unicode)),
    Opcode(0x58, "BINUNICODE", 1, constants.text(4)),
    Opcode(0x61, "APPEND", 0, containers.append),
    Opcode(0x62, "BUILD", 0, calls.build),
    Opcode(0x63, "GLOBAL", 0, calls.global_),
    Opcode(0x64, "DICT", 0, containers.dict_),
    Opcode(0x7D, "EMPTY_DICT", 1, containers.empty_dict),
    Opcode(0x65, "APPENDS", 1, containers.appends),
    Opcode(0x67, "GET", 0, containers.get),
    Opcode(0x68, "BINGET", 1, containers.binget),
    Opcode(0x69, "INST", 0, calls.inst),
    Opcode(0x6A, "LONG_BINGET", 1, containers.long_binget),
    Opcode(0x6C, "LIST", 0, containers.list_),
    Opcode(0x5D, "EMPTY_LIST", 1, containers.empty_list),
    Opcode(0x6F, "OBJ", 1, calls.obj),
    Opcode(0x70, "PUT", 0, containers.put),
    Opcode(0x71, "BINPUT", 1, containers.binput),
    Opcode(0x72, "LONG_BINPUT", 1, containers.long_binput),
    Opcode(0x73, "SETITEM", 0, containers.setitem),
    Opcode(0x74, "TUPLE", 0, containers.tuple_),
    Opcode(0x29, "EMPTY_TUPLE", 1, containers.empty_tuple),
    Opcode(0x75, "SETITEMS", 1, containers.setitems),
    Opcode(0x47, "BINFLOAT", 1, constants.binfloat),
    Opcode(0x80, "PROTO", 2, containers.proto),
    Opcode(0x81, "NEWOBJ", 2, calls.newobj),
    Opcode(0x82, "EXT1", 2, calls.extension(1)),
    Opcode(0x83, "EXT2", 2, calls.extension(2)),
    Opcode(0x84, "EXT4", 2, calls.extension(4)),
    Opcode(0x85, "TUPLE1", 2, containers.tuple_of(1)),
    Opcode(0x86, "TUPLE2", 2, containers.tuple_of(2)),
    Opcode(0x87, "TUPLE3", 2, containers.tuple_of(3)),
    Opcode(0x88, "NEWTRUE", 2, constants.constant(True)),
    Opcode(0x89, "NEWFALSE", 2, constants.constant(False)),
    Opcode(0x8A, "LONG1", 2, constants.long1),
    Opcode(0x8B, "LONG4", 2, constants.long4),
    Opcode(0x42, "BINBYTES", 3, constants.blob(4)),
    Opcode(0x43, "SHORT_BINBYTES", 3, constants.blob(1)),
    Opcode(0x8C, "SHORT_BINUNICODE", 4, constants.text(1)),
    Opcode(0x8D, "BINUNICODE8", 4, constants.text(8)),
    Opcode(0x8E, "BINBYTES8", 4, constants.blob(8)),
    Opcode(0x8F, "EMPTY_SET", 4, containers.empty_set),
    Opcode(0x90, "ADDITEMS", 4, containers.additems),
    Opcode(0x91, "FROZENSET", 4, containers.frozenset_),
    Opcode(0x92, "NEWOBJ_EX", 4, calls.newobj_ex),
    Opcode(0x93, "STACK_GLOBAL", 4, calls.stack_global),
    Opcode(0x94, "MEMOIZE", 4, containers.memoize),
    Opcode(0x95, "FRAME", 4, containers.frame),
    Opcode(0x96, "BYTEARRAY8", 5, constants.blob(8)),
    Opcode(0x97, "NEXT_BUFFER", 5, calls.next_buffer),
    Opcode(0x98, "READONLY_BUFFER", 5, calls.readonly_buffer),
)

_BY_CODE = {opcode.code: opcode.act for opcode in OPCODES}
ACTS: tuple[Act, ...] = tuple(_BY_CODE.get(code, _unknown) for code in range(256))
