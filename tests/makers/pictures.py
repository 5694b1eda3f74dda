"""Pictures made chunk by chunk, so that any of them can lie. All of one grey pixel unless said otherwise."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

from sdkeep.formats.infotext.parameters import read_parameters
from sdkeep.formats.infotext.picture import read_picture
from sdkeep.formats.infotext.values import Parameters, Picture
from sdkeep.formats.source import BytesSource

SIGNATURE = b"\x89PNG\r\n\x1a\n"
USER_COMMENT = 0x9286


def chunk(kind: bytes, data: bytes, *, crc: int | None = None, length: int | None = None) -> bytes:
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(">I", crc)


def text(keyword: str, value: str | bytes) -> bytes:
    return chunk(b"tEXt", keyword.encode() + b"\0" + (value.encode("latin-1") if isinstance(value, str) else value))


def packed(keyword: str, value: str | bytes) -> bytes:
    data = value.encode("latin-1") if isinstance(value, str) else value
    return chunk(b"zTXt", keyword.encode() + b"\0\0" + zlib.compress(data))


def international(keyword: str, value: str | bytes, *, compressed: bool = False) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    body = zlib.compress(data) if compressed else data
    return chunk(b"iTXt", keyword.encode() + b"\0" + bytes([compressed, 0]) + b"en\0key\0" + body)


def png(*chunks: bytes, after: bytes = b"", size: tuple[int, int] = (1, 1), end: bytes | None = None) -> bytes:
    width, height = size
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * width) * height))
    return SIGNATURE + header + b"".join(chunks) + pixels + after + (chunk(b"IEND", b"") if end is None else end)


def exif(*fields: tuple[int, int, bytes], order: str = ">", inner: tuple[tuple[int, int, bytes], ...] = ()) -> bytes:
    """A TIFF block: `fields` of (tag, type, data) in directory 0, `inner` in the EXIF directory."""
    mark = {">": b"MM", "<": b"II"}[order]
    entries = [*fields, *([(0x8769, 4, b"")] if inner else [])]
    first = 8 + 2 + 12 * len(entries) + 4
    heap, directory = b"", struct.pack(order + "H", len(entries))
    start = first + sum(len(data) for _, _, data in fields if len(data) > 4)
    for tag, kind, data in entries:
        if tag == 0x8769:
            directory += struct.pack(order + "HHII", tag, kind, 1, start)
        elif len(data) <= 4:
            directory += struct.pack(order + "HHI4s", tag, kind, len(data), data)
        else:
            directory += struct.pack(order + "HHII", tag, kind, len(data), first + len(heap))
            heap += data
    block = mark + struct.pack(order + "HI", 42, 8) + directory + bytes(4) + heap
    if inner:
        second, tail = struct.pack(order + "H", len(inner)), b""
        after = start + 2 + 12 * len(inner) + 4
        for tag, kind, data in inner:
            second += struct.pack(order + "HHII", tag, kind, len(data), after + len(tail))
            tail += data
        block += second + bytes(4) + tail
    return block


def comment(value: bytes, *, order: str = ">") -> bytes:
    """An EXIF block whose UserComment holds these bytes."""
    return exif(inner=((USER_COMMENT, 7, value),), order=order)


def jpeg(*segments: tuple[int, bytes], size: tuple[int, int] = (3, 2)) -> bytes:
    width, height = size
    frame = (0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00")
    body = b"".join(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in (*segments, frame))
    return b"\xff\xd8" + body + b"\xff\xda\x00\x02\x00\xff\xd9"


def webp(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (5, 4)) -> bytes:
    width, height = size
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in ((b"VP8X", canvas), *chunks)
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def stealth(message: str, form: str, *, length: int | None = None, side: int = 48) -> bytes:
    """A PNG with `message` hidden in its pixels in one of the four forms."""
    import numpy as np
    from PIL import Image

    payload = gzip.compress(message.encode(), mtime=0) if form.endswith("comp") else message.encode()
    bits = np.unpackbits(np.frombuffer(
        form.encode() + struct.pack(">I", len(payload) * 8 if length is None else length) + payload, np.uint8
    ))  # fmt: skip
    pixels = np.full((side, side, 4), 254, np.uint8)
    bands = slice(3, 4) if "png" in form else slice(0, 3)
    columns = pixels[:, :, bands].transpose(1, 0, 2).reshape(-1).copy()
    columns[: len(bits)] |= bits
    pixels[:, :, bands] = columns.reshape(side, side, -1).transpose(1, 0, 2)
    out = io.BytesIO()
    Image.fromarray(pixels if "png" in form else pixels[:, :, :3]).save(out, "PNG")
    return out.getvalue()


def seen(data: bytes, *, hidden: bool = True) -> Picture:
    return read_picture(BytesSource(data), hidden=hidden)


def told(data: bytes) -> Parameters:
    found = read_parameters(seen(data))
    assert found is not None
    return found


def said(texts: dict[str, str]) -> Parameters:
    """The parameters in a picture with these texts."""
    from sdkeep.formats.contents import Container

    found = read_parameters(Picture(Container.PNG, 1, 1, texts))
    assert found is not None
    return found
