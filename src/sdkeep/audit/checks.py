"""Argument checks for the calls that the policy allows: what each callable is given by honest writers, and no more.

A check gets the arguments of one call and returns why they are not what honest writers give, or the empty text.
Values that are calls themselves are judged where they happen; here it matters only that they are of the right sort.
All of it is paid from the bench, so that a file cannot keep the judge busy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from sdkeep.audit.policy import Level, Policy
from sdkeep.formats.pickled.values import (
    CallNode,
    DictNode,
    GlobalNode,
    ListNode,
    PersistentNode,
    SetNode,
    TupleNode,
    Value,
)


class Exhausted(Exception):
    """The bench has nothing left; the file stays undecided."""


@dataclass(slots=True)
class Bench:
    """What the judging of one file stands on: the policy, and how many more steps it may take.

    `nested` counts opcodes of pickles inside pickles, which are read for evidence only.
    """

    policy: Policy
    steps: int = 4_000_000
    nested: int = 1_000_000

    def spend(self, steps: int = 1) -> None:
        """Pay for some steps; raises `Exhausted` when there are none left."""
        self.steps -= steps
        if self.steps < 0:
            raise Exhausted

    def level(self, dotted: str) -> Level:
        """How far a name is trusted."""
        return self.policy.rule(dotted).level


Arguments = Sequence[Value]
Check = Callable[[Arguments, Bench], str]
StateCheck = Callable[[Value, Bench, Value], str]
"""Of a state, the bench, and the call whose result is given the state."""

_MOST_DIMENSIONS = 64
_PLAIN_CHECKS = ("plain", "latin1", "raw-bytes")
_LISTED = (Level.SAFE, Level.INERT)
_CONSTANTS = (type(None), bool, int, float, str, bytes)
_OBJECTS = ("O", "O8")
_LATIN1 = {"latin1", "latin-1", "iso-8859-1"}
_DTYPE = re.compile(r"[<>|=]?(?:[?bhilqBHILQefdgFDG]|[biufcSUV][0-9]{1,6}|[mM]8|O8?)")
_WIDTH = re.compile(r"([biufcSUVmM])([0-9]{1,6})")
_OBJECT_FLAGS = 63
_NUMBER_FLAGS = (0, 8)
_RECORD_FLAGS = 8 | 16 | 128  # to be initialised, through Python, aligned: none of them makes bytes into pointers
_FACTORIES = {f"builtins.{name}" for name in ("list", "dict", "set", "int", "float", "str", "tuple", "bool")}
_BASES = {f"builtins.{name}" for name in ("object", "dict", "list", "tuple", "set", "str", "int", "float")}


def named(value: Value) -> str:
    """The key under which the policy would list a name: `module.name`, empty for what is no name.

    A name with dots in it is a walk through attributes, which nothing in the policy is: its key fits no rule.
    """
    if not isinstance(value, GlobalNode):
        return ""
    return value.dotted if "." not in value.name else f"{value.module}:{value.name}"


def called(value: Value) -> str:
    """The key of the name that a value would be the result of calling, empty when it is no such result."""
    return named(value.callable) if isinstance(value, CallNode) else ""


def plain(arguments: Arguments, bench: Bench) -> str:
    """Constants, containers of constants, names that the policy lists, and values that are made of the like."""
    waiting: list[Value] = list(arguments)
    seen: set[int] = set()
    while waiting:
        bench.spend()
        value = waiting.pop()
        if isinstance(value, _CONSTANTS) or id(value) in seen:
            continue
        seen.add(id(value))
        match value:
            case ListNode() | TupleNode() | SetNode():
                waiting.extend(value.items)
            case DictNode():
                waiting.extend(part for pair in value.pairs for part in pair)
            case GlobalNode() if bench.level(named(value)) in _LISTED:
                pass
            case CallNode() if _is_plain_call(value, bench):
                pass
            case _:
                return "it is given more than plain values"
    return ""


def anything(_arguments: Arguments, _: Bench) -> str:
    """Whatever it is given; for names that no call is allowed of."""
    return ""


def nothing(arguments: Arguments, _: Bench) -> str:
    """No arguments at all."""
    return "it is given arguments" if arguments else ""


def ordered_dict(arguments: Arguments, _: Bench) -> str:
    """Nothing, or the list of pairs that Python 2 wrote."""
    if not arguments or (len(arguments) == 1 and isinstance(arguments[0], ListNode | DictNode | TupleNode)):
        return ""
    return "it is given something else than pairs"


def tensor(arguments: Arguments, bench: Bench) -> str:
    """Storage, offset, shape, strides; requires_grad, no hooks, dtype or metadata."""
    if not 4 <= len(arguments) <= 8:
        return "a tensor is rebuilt from four to eight values"
    storage, start, shape, strides = arguments[:4]
    if not isinstance(storage, PersistentNode):
        return "the tensor's storage is no record of the file"
    if not (_natural(start) and _naturals(shape) and _naturals(strides)):
        return "the tensor's offset, shape or strides are no natural numbers"
    if len(arguments) > 5 and not _no_hooks(arguments[5]):
        return "the tensor carries hooks"
    return plain(arguments[6:], bench)


def parameter(arguments: Arguments, bench: Bench) -> str:
    """A rebuilt tensor, requires_grad, no hooks, perhaps a state."""
    if not 2 <= len(arguments) <= 4 or not _is_rebuilt(arguments[0], bench):
        return "it wraps no rebuilt tensor"
    if len(arguments) > 2 and not _no_hooks(arguments[2]):
        return "the parameter carries hooks"
    return plain_state(arguments[3], bench) if len(arguments) > 3 else ""


def rebuild(arguments: Arguments, bench: Bench) -> str:
    """Plain values, storages and rebuilt tensors, in tuples and lists."""
    waiting: list[Value] = list(arguments)
    while waiting:
        bench.spend()
        value = waiting.pop()
        if isinstance(value, TupleNode | ListNode):
            waiting.extend(value.items)
        elif isinstance(value, PersistentNode) or _is_rebuilt(value, bench):
            continue
        elif why := plain([value], bench):
            return why
    return ""


def from_type(arguments: Arguments, bench: Bench) -> str:
    """A rebuilding function, a tensor class, that function's arguments, a plain state."""
    if len(arguments) != 4 or not isinstance(arguments[2], TupleNode):
        return "it is not given a function, a class, arguments and a state"
    inner = bench.policy.rule(named(arguments[0]))
    if inner.check not in ("tensor", "parameter", "rebuild"):
        return "it is given a function that rebuilds no tensor"
    if bench.level(named(arguments[1])) is not Level.SAFE:
        return "it is given a class that is no tensor class"
    return CHECKS[inner.check](arguments[2].items, bench) or plain_state(arguments[3], bench)


def latin1(arguments: Arguments, _: Bench) -> str:
    """Text and `latin1`: how protocol 2 writes bytes."""
    if len(arguments) == 2 and isinstance(arguments[0], str) and arguments[1] in _LATIN1:
        return ""
    return "it encodes with something else than latin1"


def raw_bytes(arguments: Arguments, bench: Bench) -> str:
    """Bytes, a list of numbers, or text with an encoding; never a length, which would only take memory."""
    first = arguments[0] if arguments else b""
    if not (_is_raw(first) or isinstance(first, ListNode | TupleNode)):
        return "it is given a length"
    return plain(arguments[1:] if called(first) else arguments, bench)


def factory(arguments: Arguments, bench: Bench) -> str:
    """Nothing, or a builtin type that makes the default."""
    if len(arguments) > 2 or (arguments and arguments[0] is not None and named(arguments[0]) not in _FACTORIES):
        return "its default comes from something else than a plain type"
    return plain(arguments[1:], bench)


def reconstructor(arguments: Arguments, bench: Bench) -> str:
    """A class that the policy lets be made, a builtin base, and that base's plain state."""
    if len(arguments) != 3 or not named(arguments[0]) or named(arguments[1]) not in _BASES:
        return "it is not given a class, a plain base and a state"
    return plain(arguments[2:], bench)


def numpy_array(arguments: Arguments, _: Bench) -> str:
    """`(ndarray, (0,), b'b')`, the empty array that a state then fills."""
    if len(arguments) != 3 or named(arguments[0]) != "numpy.ndarray":
        return "it makes something else than an array"
    if not _naturals(arguments[1]) or not (arguments[2] in ("b", b"b") or called(arguments[2]) == "_codecs.encode"):
        return "it begins an array in an unusual way"
    return ""


def numpy_array_state(state: Value, _: Bench, _target: Value = None) -> str:
    """`(version, shape, dtype, is_fortran, bytes)`; a list of values instead of bytes for an array of objects."""
    if not isinstance(state, TupleNode) or len(state.items) != 5:
        return "the array's state is unusual"
    version, shape, dtype, fortran, raw = state.items
    if not _natural(version) or not _naturals(shape) or not isinstance(fortran, bool | int):
        return "the array's shape is no tuple of natural numbers"
    if not _is_dtype(dtype):
        return "the array's dtype is no dtype"
    if _code(dtype) in _OBJECTS:
        return "" if isinstance(raw, ListNode) else "the array's objects are given as bytes, which would be pointers"
    return "" if _is_raw(raw) else "the array holds objects instead of numbers"


def numpy_buffer(arguments: Arguments, _: Bench) -> str:
    """Bytes, a dtype without objects, a shape, an order: how protocol 5 writes an array."""
    if len(arguments) != 4 or not _is_raw(arguments[0]) or not _is_dtype(arguments[1]):
        return "the array is not given as bytes and a dtype"
    if _code(arguments[1]) in _OBJECTS or not _naturals(arguments[2]) or arguments[3] not in ("C", "F"):
        return "the array's dtype, shape or order is unusual"
    return ""


def numpy_scalar(arguments: Arguments, _: Bench) -> str:
    """A dtype and bytes."""
    if (
        len(arguments) == 2
        and _is_dtype(arguments[0])
        and _is_raw(arguments[1])
        and _code(arguments[0]) not in _OBJECTS
    ):
        return ""
    return "the number is not given as a dtype and bytes"


def numpy_dtype(arguments: Arguments, _: Bench) -> str:
    """A type code, align, copy."""
    if not arguments or not isinstance(arguments[0], str) or not _DTYPE.fullmatch(arguments[0]):
        return "the dtype is no plain number, text or record"
    return "" if all(isinstance(value, bool | int) for value in arguments[1:]) else "the dtype has unusual arguments"


def numpy_dtype_state(state: Value, bench: Bench, target: Value = None) -> str:
    """`(version, order, base, names, fields, size, alignment, flags)`.

    Size and flags must be those of the type code: others make numpy read beyond the bytes, or take them for pointers.
    """
    items = state.items if isinstance(state, TupleNode) else ()
    if len(items) not in (8, 9) or items[1] not in ("<", ">", "|", "="):
        return "the dtype's state is unusual"
    code = _code(target)
    if code.startswith("V"):
        return _record_state(items, _width(target), bench)
    if any(items[2:5]):
        return "the dtype's state is unusual"
    if items[7] != _OBJECT_FLAGS if code in _OBJECTS else items[7] not in _NUMBER_FLAGS:
        return "the dtype's flags are unusual"
    if code[:1] in ("S", "U") and items[5] != _width(target):
        return "the dtype's size is not that of its code"
    return plain(items[5:], bench)


def _record_state(items: Sequence[Value], width: int | None, bench: Bench) -> str:
    """Fields of numbers that lie inside the record, or one array of numbers that fills it."""
    base, names, fields, size, flags = items[2], items[3], items[4], items[5], items[7]
    if not isinstance(flags, int) or flags & ~_RECORD_FLAGS or width is None or size != width:
        return "the record's size or flags are unusual"
    if base is not None:
        parts = base.items if isinstance(base, TupleNode) else ()
        if len(parts) != 2 or not _naturals(parts[1]) or names is not None:
            return "the dtype's state is unusual"
        sides = [side for side in getattr(parts[1], "items", ()) if isinstance(side, int)]
        inner = _width(parts[0])
        if inner is None or max(sides, default=0) > width or inner * prod(sides) != width:
            return "the record's array does not fill it"
    if (names is None) != (fields is None):
        return "the dtype's state is unusual"
    if isinstance(names, TupleNode) and isinstance(fields, DictNode):
        bench.spend(len(fields.pairs) + len(names.items))
        if not all(_is_field(key, value, width) for key, value in fields.pairs):
            return "a field of the record is no number inside it"
        if not {name for name in names.items if isinstance(name, str)} <= {str(key) for key, _ in fields.pairs}:
            return "a field of the record is not described"
    elif names is not None:
        return "the dtype's state is unusual"
    return plain(items[6:], bench)


def _is_field(name: Value, value: Value, width: int) -> bool:
    parts = value.items if isinstance(value, TupleNode) else ()
    if not isinstance(name, str) or len(parts) not in (2, 3) or not isinstance(parts[1], int):
        return False
    inner = _width(parts[0])
    return inner is not None and 0 <= parts[1] <= width - inner and all(isinstance(title, str) for title in parts[2:])


def _code(dtype: Value) -> str:
    """The type code that a dtype is made from, without byte order; empty for what is no such dtype."""
    arguments = dtype.args.items if isinstance(dtype, CallNode) and isinstance(dtype.args, TupleNode) else ()
    return arguments[0].lstrip("<>|=") if arguments and isinstance(arguments[0], str) else ""


def _width(dtype: Value) -> int | None:
    """Bytes of one value of a dtype that holds no objects; None where that is not plain."""
    known = _WIDTH.fullmatch(_code(dtype)) if called(dtype) == "numpy.dtype" else None
    return int(known[2]) * (4 if known[1] == "U" else 1) if known else None


def joblib_array_state(state: Value, bench: Bench, _target: Value = None) -> str:
    """The class, shape, order and dtype of an array whose bytes follow; another class than numpy's own is called."""
    facts = dict(state.pairs) if isinstance(state, DictNode) else {}
    if plain_state(state, bench) or named(facts.get("subclass")) != "numpy.ndarray":
        return "it is no plain array"
    if not _naturals(facts.get("shape")) or not _is_dtype(facts.get("dtype")):
        return "the array's shape or dtype is unusual"
    return ""


def plain_state(state: Value, bench: Bench, _target: Value = None) -> str:
    """A dict of attributes, none of them special: an attribute such as `__setstate__` would be called next."""
    dicts = state.items if isinstance(state, TupleNode) and len(state.items) == 2 else (state,)
    for attributes in dicts:
        if attributes is None:
            continue
        if not isinstance(attributes, DictNode):
            return "the state is no dict of attributes"
        bench.spend(len(attributes.pairs))
        for key, _ in attributes.pairs:
            if not isinstance(key, str):
                return "the state has an attribute that is no text"
            if key.startswith("__") and key.endswith("__"):
                return f"the state replaces the special attribute `{key[:40]}`"
    return ""


def storage(pid: Value, bench: Bench) -> str:
    """torch's persistent id: ('storage', class, key, location, length) and perhaps a view of it."""
    items = pid.items if isinstance(pid, TupleNode) else ()
    if len(items) not in (5, 6) or items[0] not in ("storage", b"storage"):
        return "it is no reference to a storage"
    if bench.level(named(items[1])) is not Level.SAFE or not named(items[1]).endswith("Storage"):
        return "its storage class is not one of torch's"
    if not isinstance(items[2], str | int) or not isinstance(items[3], str) or not _natural(items[4]):
        return "its key, location or length is unusual"
    return plain(items[5:], bench)


def _is_plain_call(value: Value, bench: Bench) -> bool:
    """Sets, dates, bytes and such: small values made by a call, which is checked where it happens."""
    maker = called(value)
    return maker != "builtins.range" and bench.policy.rule(maker).check in _PLAIN_CHECKS


def _natural(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _naturals(value: Value) -> bool:
    if called(value) == "torch.Size" and isinstance(value, CallNode) and isinstance(value.args, TupleNode):
        return all(isinstance(item, TupleNode | ListNode) and _naturals(item) for item in value.args.items)
    if not isinstance(value, TupleNode | ListNode) or len(value.items) > _MOST_DIMENSIONS:
        return False
    return all(_natural(item) for item in value.items)


def _no_hooks(value: Value) -> bool:
    if called(value) == "collections.OrderedDict" and isinstance(value, CallNode):
        return not (value.pairs or value.items or value.states) and value.args is not None and _is_empty(value.args)
    return value is None or (isinstance(value, DictNode) and not value.pairs)


def _is_empty(value: Value) -> bool:
    if not isinstance(value, TupleNode) or len(value.items) > 1:
        return False
    return all(isinstance(item, ListNode | TupleNode) and not item.items for item in value.items)


def _is_rebuilt(value: Value, bench: Bench) -> bool:
    """Whether a value is made by one of the safe calls, whose arguments are checked where they happen."""
    return bench.level(called(value)) is Level.SAFE


def _is_dtype(value: Value) -> bool:
    return called(value) == "numpy.dtype" or called(value).startswith("numpy.dtypes.")


def _is_raw(value: Value) -> bool:
    return isinstance(value, bytes | str) or called(value) in ("_codecs.encode", "builtins.bytes", "builtins.bytearray")


CHECKS: dict[str, Check] = {
    "": anything,
    "plain": plain,
    "nothing": nothing,
    "ordered-dict": ordered_dict,
    "tensor": tensor,
    "parameter": parameter,
    "rebuild": rebuild,
    "from-type": from_type,
    "latin1": latin1,
    "raw-bytes": raw_bytes,
    "factory": factory,
    "reconstructor": reconstructor,
    "numpy-array": numpy_array,
    "numpy-buffer": numpy_buffer,
    "numpy-scalar": numpy_scalar,
    "numpy-dtype": numpy_dtype,
    "joblib-array": nothing,
}
STATE_CHECKS: dict[str, StateCheck] = {
    "numpy-array": numpy_array_state,
    "numpy-dtype": numpy_dtype_state,
    "joblib-array": joblib_array_state,
}
