"""The header of a GGUF file: its metadata and the list of its tensors. ggml's docs/gguf.md, versions 2 and 3."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sdkeep.formats.contents import Tensor
from sdkeep.formats.draft import Draft

_MOST_HEADER = 64 << 20
_MOST_COUNT = 1_000_000
_MOST_TEXT = 4096
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_DTYPES = {
    0: "F32", 1: "F16", 2: "q4_0", 3: "q4_1", 6: "q5_0", 7: "q5_1", 8: "q8_0", 9: "q8_1", 10: "q2_k", 11: "q3_k",
    12: "q4_k", 13: "q5_k", 14: "q6_k", 15: "q8_k", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 30: "BF16",
}  # fmt: skip


class _Short(Exception):
    """The header ends early or says something impossible."""


@dataclass(slots=True)
class _Cursor:
    data: bytes
    at: int = 4

    def take(self, code: str) -> int | float | bool:
        form = struct.Struct(f"<{code}")
        if self.at + form.size > len(self.data):
            raise _Short
        (value,) = form.unpack_from(self.data, self.at)
        self.at += form.size
        return value  # type: ignore[no-any-return]  # struct gives what the code says

    def count(self, code: str = "Q") -> int:
        value = int(self.take(code))
        if value > max(_MOST_COUNT, len(self.data)):
            raise _Short
        return value

    def text(self) -> str:
        length = self.count()
        if self.at + length > len(self.data):
            raise _Short
        raw = self.data[self.at : self.at + length]
        self.at += length
        return raw.decode("utf-8", "replace")


def examine(draft: Draft) -> None:
    """Read metadata and tensor names; a header that cannot be read is a flaw."""
    cursor = _Cursor(draft.source.read_at(0, _MOST_HEADER))
    try:
        _read(cursor, draft)
    except (_Short, struct.error):
        draft.flaw("header-short", "the GGUF header cannot be read to its end", cursor.at)


def _read(cursor: _Cursor, draft: Draft) -> None:
    version = cursor.count("I")
    if version not in (2, 3):
        draft.flaw("header-unreadable", f"GGUF version {version} is not known", 4)
        return
    tensors, pairs = cursor.count(), cursor.count()
    for _ in range(pairs):
        key = cursor.text()
        value = _value(cursor, int(cursor.take("I")))
        if value is not None and len(key) <= _MOST_TEXT:
            draft.metadata[key] = value[:_MOST_TEXT]
    for _ in range(tensors):
        name = cursor.text()
        shape = tuple(cursor_dimension(cursor) for _ in range(min(cursor.count("I"), 64)))
        code = int(cursor.take("I"))
        cursor.take("Q")
        draft.tensors.append(Tensor(name, _DTYPES.get(code, f"ggml-{code}"), shape[::-1]))


def cursor_dimension(cursor: _Cursor) -> int:
    """One length of a shape."""
    return int(cursor.take("Q"))


def _value(cursor: _Cursor, kind: int, depth: int = 0) -> str | None:
    if kind == _TEXT:
        return cursor.text()
    if kind in _SCALARS:
        return str(cursor.take(_SCALARS[kind]))
    if kind != _ARRAY or depth > 2:
        raise _Short
    inner, length = int(cursor.take("I")), cursor.count()
    for _ in range(length):
        _value(cursor, inner, depth + 1)
    return None
