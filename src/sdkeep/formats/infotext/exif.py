"""The text fields of an EXIF block, read from its TIFF structure.

Only directory 0 and the EXIF directory that it points to are walked, each once: chains and thumbnails hold no text.
"""

from __future__ import annotations

import struct

from sdkeep.formats.infotext.gathering import Gathering
from sdkeep.formats.infotext.lettering import loose, user_comment

_EXIF_DIRECTORY = 0x8769
_USER_COMMENT = 0x9286
_MAKER_NOTE = 0x927C
_LONGEST_SCHEME = 64
_TEXTS = {
    0x010D: "DocumentName",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    _MAKER_NOTE: "MakerNote",
    _USER_COMMENT: "UserComment",
}
_WINDOWS = {0x9C9B: "XPTitle", 0x9C9C: "XPComment", 0x9C9D: "XPAuthor", 0x9C9E: "XPKeywords", 0x9C9F: "XPSubject"}
_BYTES = {1, 2, 7, 129}  # BYTE, ASCII, UNDEFINED, UTF-8
_ENTRY = 12
_MOST_ENTRIES = 512


def read_exif(block: bytes, gathering: Gathering) -> None:
    """Add the block's text fields as `exif:NAME`. `block` begins at the TIFF header, or at `Exif` before it."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        gathering.problem("the EXIF block has no TIFF header")
        return
    (start,) = struct.unpack_from(order + "I", block, 4)
    inner = _directory(block, order, start, gathering)
    if inner:
        _directory(block, order, inner, gathering)


def _directory(block: bytes, order: str, start: int, gathering: Gathering) -> int:
    """Read one directory's texts; returns where the EXIF directory begins when this one points to it."""
    if start + 2 > len(block):
        gathering.problem("an EXIF directory lies beyond its block")
        return 0
    (count,) = struct.unpack_from(order + "H", block, start)
    inner = 0
    for number in range(min(count, _MOST_ENTRIES)):
        place = start + 2 + number * _ENTRY
        if place + _ENTRY > len(block):
            gathering.problem("an EXIF directory is cut short")
            break
        tag, kind, length = struct.unpack_from(order + "HHI", block, place)
        if tag == _EXIF_DIRECTORY:
            (inner,) = struct.unpack_from(order + "I", block, place + 8)
        elif (tag in _TEXTS or tag in _WINDOWS) and kind in _BYTES:
            _text(block, order, (tag, length, place + 8), gathering)
    return inner


def _text(block: bytes, order: str, entry: tuple[int, int, int], gathering: Gathering) -> None:
    tag, length, place = entry
    name = "exif:" + (_TEXTS.get(tag) or _WINDOWS[tag])
    if length > 4:
        (place,) = struct.unpack_from(order + "I", block, place)
    if place + length > len(block):
        gathering.problem(f"the EXIF field `{name[5:]}` is cut short")
        return
    data = block[place : place + length]
    if tag == _MAKER_NOTE and length > _LONGEST_SCHEME:
        return  # a camera's own records; Fooocus writes one word
    if tag == _USER_COMMENT:
        gathering.add(name, user_comment(data))
    elif tag in _WINDOWS:
        gathering.add(name, data.decode("utf-16-le", "replace"))
    else:
        gathering.add(name, loose(data))
