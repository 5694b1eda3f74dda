"""The EXIF and XMP chunks of a WebP, and its size from whichever header it has."""

from __future__ import annotations

import struct

from sdkeep.formats.infotext.exif import read_exif
from sdkeep.formats.infotext.gathering import Gathering
from sdkeep.formats.infotext.lettering import loose
from sdkeep.ground.source import Source

_MOST_CHUNKS = 100_000


def read_webp(source: Source, gathering: Gathering) -> None:
    """Walk the RIFF chunks and collect texts and the size."""
    offset = 12
    for _ in range(_MOST_CHUNKS):
        head = source.read_at(offset, 8)
        if not head:
            return
        if len(head) < 8:
            gathering.problem("the WebP ends inside a chunk's head")
            return
        kind, length = struct.unpack("<4sI", head)
        if offset + 8 + length > source.size:
            gathering.problem(f"the WebP is cut short inside a chunk `{kind.decode('latin-1').strip()}`")
            return
        if kind in (b"VP8X", b"VP8 ", b"VP8L"):
            _size(kind, source.read_at(offset + 8, min(length, 10)), gathering)
        elif kind in (b"EXIF", b"XMP ") and gathering.admits(kind.decode("ascii").strip(), length):
            data = source.read_at(offset + 8, length)
            if kind == b"EXIF":
                read_exif(data, gathering)
            else:
                gathering.add("xmp", loose(data))
        offset += 8 + length + length % 2
    gathering.problem(f"the WebP has more than {_MOST_CHUNKS:,} chunks")


def _size(kind: bytes, data: bytes, gathering: Gathering) -> None:
    if kind == b"VP8X" and len(data) == 10:
        gathering.size(1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little"))
    elif kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and len(data) == 10:
        width, height = struct.unpack_from("<HH", data, 6)
        gathering.size(width & 0x3FFF, height & 0x3FFF)
    elif kind == b"VP8L" and data[:1] == b"\x2f" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        gathering.size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
