"""The header of a numpy array file, read for one question: whether a pickle follows it.

`\\x93NUMPY`, two version bytes, a length of two (version 1) or four bytes, then a Python literal that names the dtype.
An array of objects, dtype `O`, is stored as a pickle. numpy/lib/_format_impl.py.
"""

from __future__ import annotations

import re

from sdkeep.formats.draft import Draft, pickle_at

MAGIC = b"\x93NUMPY"
LONGEST_FRONT = 1 << 16
"""Bytes of a file that are looked at for its header."""

_OBJECTS = re.compile(rb"""['"][<>|=]?O\d*['"]""")


def pickle_offset(front: bytes) -> int | None:
    """Where the pickle of an array of objects begins, None when the array holds numbers."""
    if not front.startswith(MAGIC) or len(front) < 12:
        return None
    width = 2 if front[6] == 1 else 4
    begin = 8 + width
    end = begin + int.from_bytes(front[8:begin], "little")
    return end if _OBJECTS.search(front[begin:end]) else None


def examine(draft: Draft) -> None:
    """Read the pickle of an array of objects, if that is what the file is."""
    at = pickle_offset(draft.source.read_at(0, LONGEST_FRONT))
    if at is not None:
        pickle_at(draft, at)
