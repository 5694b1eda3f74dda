"""Zips made byte by byte, so that any field can lie."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

EXTRA = b"FB" + b"\x04\0" + b"ZZZZ"


@dataclass
class Rec:
    """A member. What is left None follows from the data; `local` overrides fields of the local header alone."""

    name: str | bytes
    data: bytes
    method: int = 0
    flags: int = 0
    crc: int | None = None
    size: int | None = None
    local: dict[str, int | bytes] = field(default_factory=dict)
    descriptor: bool = False
    extra: bytes = EXTRA
    central_extra: bytes = b""


def deflated(name: str, data: bytes) -> Rec:
    return Rec(name, data, method=8)


def make_zip(
    records: list[Rec], *, prefix: bytes = b"", comment: bytes = b"", suffix: bytes = b"", shift_offsets: bool = False
) -> bytes:
    """The archive. With `shift_offsets` the offsets count from its own start, not from that of the prefix."""
    out = bytearray(prefix)
    central = bytearray()
    for rec in records:
        name = rec.name.encode() if isinstance(rec.name, str) else rec.name
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = packer.compress(rec.data) + packer.flush() if rec.method == 8 else rec.data
        crc = zlib.crc32(rec.data) if rec.crc is None else rec.crc
        size = len(rec.data) if rec.size is None else rec.size
        here = len(out) - (len(prefix) if shift_offsets else 0)
        flags = rec.flags | (8 if rec.descriptor else 0)
        zero = 0 if rec.descriptor else 1
        get = rec.local.get
        out += struct.pack(
            "<4s5H3L2H", b"PK\x03\x04", 20, get("flags", flags), get("method", rec.method), 0, 0x21,
            get("crc", crc * zero), get("stored", len(body) * zero), get("size", size * zero),
            len(get("name", name)), len(rec.extra),
        )  # fmt: skip
        out += get("name", name) + rec.extra + body
        if rec.descriptor:
            out += struct.pack("<4s3L", b"PK\x07\x08", crc, len(body), size)
        central += struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, flags, rec.method, 0, 0x21, crc, len(body), size,
            len(name), len(rec.central_extra), 0, 0, 0, 0, here,
        ) + name + rec.central_extra  # fmt: skip
    start = len(out) - (len(prefix) if shift_offsets else 0)
    out += central
    out += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, len(records), len(records), len(central), start, len(comment))
    return bytes(out + comment + suffix)
