"""The EXIF, XMP and comments of a JPEG: the segments before its first scan."""

from __future__ import annotations

import struct

from sdkeep.formats.infotext.exif import read_exif
from sdkeep.formats.infotext.gathering import Gathering
from sdkeep.formats.infotext.lettering import loose
from sdkeep.ground.source import Source

_MOST_SEGMENTS = 10_000
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_APP1, _COM, _SOS, _EOI = 0xE1, 0xFE, 0xDA, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BARE = {0x01, *range(0xD0, 0xD8)}


def read_jpeg(source: Source, gathering: Gathering) -> None:
    """Walk the segments up to the first scan and collect texts and the size."""
    offset = 2
    for _ in range(_MOST_SEGMENTS):
        head = source.read_at(offset, 4)
        if len(head) < 2 or head[0] != 0xFF:
            gathering.problem("the JPEG breaks off between its segments")
            return
        marker = head[1]
        if marker in (_SOS, _EOI):
            return
        if marker == 0xFF:  # padding
            offset += 1
            continue
        if marker in _BARE:
            offset += 2
            continue
        length = int.from_bytes(head[2:4], "big")
        if length < 2 or offset + 2 + length > source.size:
            gathering.problem("the JPEG is cut short inside a segment")
            return
        if marker in (_APP1, _COM) or marker in _FRAMES:
            _segment(marker, source.read_at(offset + 4, length - 2), gathering)
        offset += 2 + length
    gathering.problem(f"the JPEG has more than {_MOST_SEGMENTS:,} segments")


def _segment(marker: int, data: bytes, gathering: Gathering) -> None:
    if marker in _FRAMES:
        if len(data) >= 5:
            height, width = struct.unpack_from(">HH", data, 1)
            gathering.size(width, height)
    elif marker == _COM:
        gathering.add("comment", loose(data))
    elif data.startswith(b"Exif\0"):
        read_exif(data, gathering)
    elif data.startswith(_XMP):
        gathering.add("xmp", loose(data[len(_XMP) :]))
