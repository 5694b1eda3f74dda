"""What a pickle holds besides its tensors, as JSON: hyper-parameters, callbacks, states of optimizers. Data, not code.

A conversion keeps tensors and a few plain values; this is the rest for who wants to read it. Names and calls become
text and tables, so that nothing of it can run again.
"""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

from sdkeep.formats.abstract import attributes, called, mapping, sequence, set_items, text
from sdkeep.formats.output import Output
from sdkeep.formats.pickled.values import CallNode, GlobalNode, PersistentNode, SetNode, TupleNode, UnknownNode, Value
from sdkeep.formats.tensors import is_tensor, literal_bytes
from sdkeep.ground.events import silent

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

_MOST_NODES = 200_000
_MOST_DEPTH = 64
_MOST_TEXT = 1 << 20
_MOST_BYTES = 64 << 10
_CUT = "<cut>"
_SETS = {"builtins.set", "builtins.frozenset", "__builtin__.set", "__builtin__.frozenset"}


def leftovers(root: Value) -> Json:
    """The values of a pickle without its tensors, in the pickle's order; what would be endless is cut and says so."""
    return _Writer().write(root)


def write_leftovers(root: Value, out: Path) -> None:
    """Write them to `out`, which must not exist; raises what writing a model raises."""
    data = (json.dumps(leftovers(root), ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")
    with Output(out, len(data), silent, None, None) as output:
        output.write(data)
        output.commit()


class _Nothing:
    """What remains of a container that held tensors only."""


_NOTHING = _Nothing()


class _Writer:
    """Turns values into JSON under a budget."""

    def __init__(self) -> None:
        self._room = _MOST_NODES
        self._open: set[int] = set()

    def write(self, value: Value) -> Json:
        """The JSON of a value."""
        found = self._write(value)
        return None if isinstance(found, _Nothing) else found

    def _write(self, value: Value) -> Json | _Nothing:
        self._room -= 1
        if self._room < 0 or len(self._open) >= _MOST_DEPTH or id(value) in self._open:
            return _CUT
        if is_tensor(value):
            return _NOTHING
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return _constant(value)
        self._open.add(id(value))
        try:
            return self._node(value)
        finally:
            self._open.discard(id(value))

    def _node(self, value: Value) -> Json | _Nothing:
        pairs = mapping(value)
        if pairs is not None:
            return self._table([(_key(key), item) for key, item in pairs])
        is_set = isinstance(value, SetNode) or called(value) in _SETS
        items = set_items(value) if is_set else sequence(value)
        if items is not None:
            return self._row(items)
        match value:
            case CallNode() if (raw := literal_bytes(value)) is not None:
                return _constant(raw)
            case GlobalNode():
                return f"<name {value.dotted}>"
            case CallNode():
                return self._call(value)
            case PersistentNode():
                return "<storage>"
            case UnknownNode():
                return f"<{value.why}>"
            case _:
                return f"<{type(value).__name__}>"

    def _table(self, pairs: list[tuple[str, Value]]) -> Json | _Nothing:
        written = {key: self._write(item) for key, item in pairs}
        found: dict[str, Json] = {key: item for key, item in written.items() if not isinstance(item, _Nothing)}
        return found if found or not pairs else _NOTHING

    def _row(self, items: list[Value]) -> Json | _Nothing:
        written = [self._write(item) for item in items]
        if written and all(isinstance(item, _Nothing) for item in written):
            return _NOTHING
        return ["<tensor>" if isinstance(item, _Nothing) else item for item in written]

    def _call(self, value: CallNode) -> Json | _Nothing:
        found: dict[str, Json] = {"<made by>": called(value) or "<a call>"}
        if isinstance(value.args, TupleNode) and value.args.items:
            found["arguments"] = self.write(value.args)
        state = attributes(value)
        if state is not None and state.pairs:
            inner = self._table([(_key(key), item) for key, item in state.pairs])
            if isinstance(inner, _Nothing):
                return _NOTHING
            found["state"] = inner
        return found


def _constant(value: bool | float | str | bytes | None) -> Json:
    if isinstance(value, bytes):
        whole = len(value) <= _MOST_BYTES
        return {"<bytes>": base64.b64encode(value).decode() if whole else f"{len(value):,} of them"}
    if isinstance(value, str):
        return value if len(value) <= _MOST_TEXT else value[:_MOST_TEXT] + _CUT
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > 1024:
        return f"<integer of {value.bit_length():,} bits>"
    return value


def _key(key: Value) -> str:
    found = text(key)
    if found is not None:
        return found[:_MOST_TEXT]
    if isinstance(key, GlobalNode):
        return key.dotted
    return str(key) if key is None or isinstance(key, float) or _is_small(key) else f"<{type(key).__name__}>"


def _is_small(key: Value) -> bool:
    return isinstance(key, int) and key.bit_length() <= 1024
