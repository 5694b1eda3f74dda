"""Arrays as joblib writes them: raw bytes between two opcodes, after the BUILD of a wrapper that tells their size.

joblib's own reader takes the bytes away before it goes on; every other unpickler would read them as opcodes. So such a
pickle is read both ways. An array of objects is a whole pickle there instead. joblib/numpy_pickle.py, `read_array`.
"""

from __future__ import annotations

import math
import re

from sdkeep.formats.pickled.state import State
from sdkeep.formats.pickled.tape import NO_FRAME, Broken
from sdkeep.formats.pickled.values import CallNode, DictNode, GlobalNode, ListNode, TupleNode, Value

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_CODE = re.compile(r"[<>|=]?([?biufcSUVmM])(\d{0,6})")
_ALIGNMENT = "numpy_array_alignment_bytes"
_OBJECTS = -1


def is_wrapper(value: Value) -> bool:
    """Whether a value is what joblib builds in front of the bytes of an array."""
    return isinstance(value, CallNode) and isinstance(value.callable, GlobalNode) and value.callable.dotted == WRAPPER


def take_array(state: State, given: Value) -> bool:
    """Pass over the array whose wrapper has just been built from `given`, and put an array in the wrapper's place.

    Says whether the array is a pickle that begins here, which is then not passed over.
    """
    facts = dict(given.pairs) if isinstance(given, DictNode) and all(type(key) is str for key, _ in given.pairs) else {}
    tape = state.tape
    if tape.frame_end not in (NO_FRAME, tape.at):
        state.tear("the bytes of an array stand inside a frame")
    tape.frame_end = NO_FRAME
    state.stack[-1] = CallNode(GlobalNode("numpy", "ndarray", state.at), TupleNode(), None, "BUILD", state.at)
    size = _item_size(facts.get("dtype"))
    if size == _OBJECTS:
        return True
    if facts.get(_ALIGNMENT) is not None:
        tape.skip(tape.byte())
    tape.skip(size * _count(facts.get("shape")))
    return False


def _count(shape: Value) -> int:
    sides = shape.items if isinstance(shape, TupleNode | ListNode) else None
    if sides is None or len(sides) > 32 or not all(type(side) is int and 0 <= side < 1 << 48 for side in sides):
        raise Broken("array-unreadable", "the shape of an array is no tuple of natural numbers")
    return math.prod(side for side in sides if isinstance(side, int))


def _item_size(dtype: Value) -> int:
    """Bytes of one number, `_OBJECTS` for references to objects."""
    arguments = dtype.args.items if isinstance(dtype, CallNode) and isinstance(dtype.args, TupleNode) else ()
    code = arguments[0] if arguments else None
    if isinstance(code, str) and code.lstrip("<>|=") in ("O", "O8"):
        return _OBJECTS
    known = _CODE.fullmatch(code) if isinstance(code, str) else None
    if known is None:
        raise Broken("array-unreadable", "the dtype of an array is none whose size is known")
    size = int(known[2] or 1 if known[1] != "?" else 1)
    return size * 4 if known[1] == "U" else size
