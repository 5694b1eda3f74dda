"""numpy array files: numbers become a tensor, an array of objects is a pickle and is read as one.

`\\x93NUMPY`, two version bytes, a length of two (version 1) or four bytes, then the repr of a dict: descr,
fortran_order and shape. numpy decides by `descr` alone whether it unpickles what follows, and takes any spelling of
it, so whatever is not spelt the way numpy spells numbers counts as objects. numpy/lib/_format_impl.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sdkeep.formats.contents import Span, Tensor
from sdkeep.formats.draft import Draft, pickle_at
from sdkeep.formats.dtypes import NUMPY_NAMES, byte_length, count, item_size
from sdkeep.formats.extract import BARE

MAGIC = b"\x93NUMPY"
LONGEST_FRONT = 1 << 16
"""Bytes of a file that are looked at for its header; numpy itself reads no header beyond 10,000."""

_NUMBER = r"[<>|=]?(?:[biufcSU?]\d{0,6}|V\d{1,9}|[mM]8(?:\[\w{1,8}\])?)"
_FIELD = rf"\('[^'\\]*', '{_NUMBER}'(?:, \([\d, ]*\))?\)"
_HEADER = re.compile(
    rf"\{{'descr': (?:'(?P<descr>{_NUMBER})'|\[{_FIELD}(?:, {_FIELD})*\]), "
    r"'fortran_order': (?P<fortran>True|False), 'shape': \((?P<shape>(?:\d{1,18},? ?){0,32})\),? ?\}\s*"
)
_OBJECTS = re.compile(r"""['"][<>|=]?O\d*['"]""")


@dataclass(frozen=True, slots=True)
class Array:
    """What the header says: where the data begin, and whether they are or may be a pickle.

    `sure` is False when the header is not as numpy writes it. `dtype` is empty for what no tensor has.
    """

    start: int
    objects: bool
    sure: bool = True
    dtype: str = ""
    shape: tuple[int, ...] = ()
    fortran: bool = False
    big_endian: bool = False


def read_array(front: bytes) -> Array | None:
    """The array whose file begins with `front`; None when that is no array file or ends inside the header."""
    if not front.startswith(MAGIC) or len(front) < 12:
        return None
    width = 2 if front[6] == 1 else 4
    start = 8 + width + int.from_bytes(front[8 : 8 + width], "little")
    if start > len(front):
        return None
    words = front[8 + width : start].decode("latin-1")
    header = _HEADER.fullmatch(words)
    if header is None:
        return Array(start, True, sure=_OBJECTS.search(words) is not None)
    descr = header["descr"] or ""
    shape = tuple(int(side) for side in header["shape"].replace(",", " ").split())
    code = NUMPY_NAMES.get(descr.lstrip("<>|="), "")
    return Array(start, False, True, code, shape, header["fortran"] == "True", descr[:1] == ">")


def examine(draft: Draft) -> None:
    """Read the pickle of an array of objects, or note the array as a tensor."""
    array = read_array(draft.source.read_at(0, LONGEST_FRONT))
    if array is None:
        draft.flaw("array-unreadable", "the array's header cannot be read", 0)
        return
    if not array.sure:
        draft.flaw("array-unreadable", "the array's header is not as numpy writes it", 0)
    if array.objects:
        end = array.start + pickle_at(draft, array.start).end
        if end < draft.source.size:
            draft.flaw("trailing-bytes", f"{draft.source.size - end:,} bytes follow the array", end)
    else:
        note_numbers(draft, array, Span(0, draft.source.size))


def note_numbers(draft: Draft, array: Array, file: Span, name: str = BARE) -> None:
    """Note an array of numbers as a tensor; `file` is where the whole of its file lies, header included."""
    length, item = byte_length(array.dtype, count(array.shape)), item_size(array.dtype)
    if length is None or item is None:
        return  # text, dates, records: nothing that a tensor can hold
    left = file.length - array.start - length
    if left:
        rule = "payload-short" if left < 0 else "trailing-bytes"
        draft.flaw(rule, f"the array's {length:,} bytes of numbers have room for {length + left:,}", array.start)
    shape, turned = array.shape, array.fortran and len(array.shape) > 1
    strides = tuple(count(shape[:place]) for place in range(len(shape))) if turned else None
    fits = left >= 0 and array.start % item == 0
    span = file if fits else None
    draft.tensors.append(
        Tensor(name, array.dtype, shape, span, name, array.start // item, strides, array.big_endian and item > 1)
    )
