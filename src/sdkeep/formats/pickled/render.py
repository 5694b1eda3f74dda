"""An abstract value as a short line of text: escaped, cut, bounded even where a value holds itself."""

from __future__ import annotations

from collections.abc import Iterable

from sdkeep.formats.pickled.values import (
    CallNode,
    DictNode,
    GlobalNode,
    ListNode,
    PersistentNode,
    SetNode,
    TupleNode,
    UnknownNode,
    Value,
)

_DEPTH = 6
_WIDTH = 12
_BITS = 256


def render(value: Value, most: int = 200) -> str:
    """`value` in Python's spelling on one line of at most `most` characters, safe to show on a terminal."""
    page = _Page(most)
    page.write(value, _DEPTH)
    text = "".join(page.parts)
    return text if len(text) <= most else text[: most - 1] + "…"


def quiet_name(name: str) -> str:
    """A module or function name as it is when it is a plain one, else quoted and escaped."""
    return name if name.isprintable() and name.strip() == name != "" else ascii(name)


class _Page:
    """Text under way; `room` is what may still be written."""

    def __init__(self, most: int) -> None:
        self.parts: list[str] = []
        self.room = most

    def put(self, text: str) -> None:
        self.parts.append(text)
        self.room -= len(text)

    def write(self, value: Value, depth: int) -> None:
        if self.room <= 0:
            return
        if depth == 0:
            self.put("…")
            return
        match value:
            case ListNode():
                self.row(value.items, depth, "[", "]")
            case TupleNode():
                self.row(value.items, depth, "(", ",)" if len(value.items) == 1 else ")")
            case SetNode():
                self.row(value.items, depth, "frozenset({" if value.frozen else "{", "})" if value.frozen else "}")
            case DictNode():
                self.pairs(value.pairs, depth)
            case CallNode():
                self.call(value, depth)
            case GlobalNode():
                self.put(quiet_name(value.dotted))
            case PersistentNode():
                self.row([value.pid], depth, "<persistent ", ">")
            case UnknownNode():
                self.put(f"<{value.why}>")
            case _:
                self.put(_constant(value, self.room))

    def row(self, values: Iterable[Value], depth: int, opening: str, closing: str) -> None:
        self.put(opening)
        for place, value in enumerate(values):
            if self.room <= 0 or place == _WIDTH:
                self.put(", …")
                break
            if place:
                self.put(", ")
            self.write(value, depth - 1)
        self.put(closing)

    def pairs(self, pairs: Iterable[tuple[Value, Value]], depth: int) -> None:
        self.put("{")
        for place, (key, value) in enumerate(pairs):
            if self.room <= 0 or place == _WIDTH:
                self.put(", …")
                break
            if place:
                self.put(", ")
            self.write(key, depth - 1)
            self.put(": ")
            self.write(value, depth - 1)
        self.put("}")

    def call(self, node: CallNode, depth: int) -> None:
        self.write(node.callable, depth - 1)
        if isinstance(node.args, TupleNode):
            self.row(node.args.items, depth, "(", ")")
        else:
            self.row([node.args], depth, "(*", ")")


def _constant(value: Value, room: int) -> str:
    if isinstance(value, (str, bytes)):
        shown = repr(value[: room + 1])
        return shown if len(value) <= room + 1 else shown[:-1] + "…"
    if isinstance(value, int) and value.bit_length() > _BITS:
        return f"<integer of {value.bit_length():,} bits>"
    return repr(value)
