"""The text chunks of a PNG, before and after its pixels, without touching the pixels."""

from __future__ import annotations

import struct
import zlib

from sdkeep.formats.infotext.exif import read_exif
from sdkeep.formats.infotext.gathering import Gathering
from sdkeep.formats.infotext.lettering import loose
from sdkeep.ground.source import Source

_SIGNATURE = 8
_MOST_CHUNKS = 100_000
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
_RAW_EXIF = ("Raw profile type exif", "Raw profile type APP1")


def read_png(source: Source, gathering: Gathering) -> None:
    """Walk the chunks to the end and collect texts, EXIF and the size."""
    offset = _SIGNATURE
    for _ in range(_MOST_CHUNKS):
        head = source.read_at(offset, 8)
        if len(head) < 8:
            gathering.problem("the PNG ends before its last chunk")
            return
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if offset + 12 + length > source.size:
            gathering.problem(f"the PNG is cut short inside a chunk `{kind.decode('latin-1')}`")
            return
        if kind == b"IHDR" and length == 13:
            gathering.size(*struct.unpack(">II", source.read_at(offset + 8, 8)))
        elif kind in _TEXT_CHUNKS:
            _chunk(source, offset, (length, kind), gathering)
        offset += 12 + length
    gathering.problem(f"the PNG has more than {_MOST_CHUNKS:,} chunks")


def _chunk(source: Source, offset: int, head: tuple[int, bytes], gathering: Gathering) -> None:
    length, kind = head
    keyword = source.read_at(offset + 8, min(length, 80)).partition(b"\0")[0].decode("latin-1")
    name = "EXIF" if kind == b"eXIf" else keyword
    if not gathering.admits(name, length):
        return
    body = source.read_at(offset + 8, length + 4)
    data, check = body[:length], body[length:]
    if zlib.crc32(kind + data) != int.from_bytes(check, "big"):
        gathering.problem(f"the checksum of the text `{name}` does not match")
    if kind == b"eXIf":
        read_exif(data, gathering)
    elif b"\0" not in data:
        gathering.problem("a text chunk has no keyword")
    elif kind == b"iTXt":
        _international(keyword, data.partition(b"\0")[2], gathering)
    else:
        _plain(keyword, data.partition(b"\0")[2], kind == b"zTXt", gathering)


def _plain(keyword: str, rest: bytes, packed: bool, gathering: Gathering) -> None:
    """tEXt: the bytes; zTXt: a method byte, then the deflated bytes."""
    data = gathering.inflate(keyword, rest[1:]) if packed else rest
    if data is None:
        return
    if keyword in _RAW_EXIF:
        _profile(keyword, data, gathering)
    else:
        gathering.add(keyword, loose(data))


def _international(keyword: str, rest: bytes, gathering: Gathering) -> None:
    """iTXt: a flag, a method, language and translated keyword each ended by a zero, then UTF-8."""
    flags = rest[:2]
    _, _, tail = rest[2:].partition(b"\0")
    _, ended, body = tail.partition(b"\0")
    if len(flags) < 2 or not ended:
        gathering.problem(f"the text chunk `{keyword}` is broken")
        return
    data = gathering.inflate(keyword, body) if flags[0] == 1 else body
    if data is not None:
        gathering.add(keyword, loose(data))


def _profile(keyword: str, data: bytes, gathering: Gathering) -> None:
    """EXIF as ImageMagick keeps it in a PNG: a name, a length and hexadecimal digits on lines of their own."""
    words = data.split(None, 2)
    try:
        block = bytes.fromhex(words[2].decode("ascii")) if len(words) == 3 else b""
    except ValueError:
        block = b""
    if block:
        read_exif(block, gathering)
    else:
        gathering.problem(f"the text `{keyword}` is no profile")
