"""Compressed files (gzip, zlib, bzip2, xz): unpacked to a limit, so that what is inside can be looked at.

joblib compresses its pickles so and loads them by itself; people compress a whole checkpoint, which no loader opens.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

from sdkeep.formats.contents import Container, Member
from sdkeep.formats.draft import Draft
from sdkeep.formats.nested import MOST_INSIDE, look_into
from sdkeep.formats.source import BytesSource

NAME = "(unpacked)"
_PIECE = 1 << 20
_MOST_MEMORY = 256 << 20
_DAMAGE = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, MemoryError)


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


_UNPACKERS: dict[Container, Callable[[], _Unpacker]] = {
    Container.GZIP: lambda: zlib.decompressobj(31),
    Container.ZLIB: zlib.decompressobj,
    Container.BZIP2: bz2.BZ2Decompressor,
    Container.XZ: lambda: lzma.LZMADecompressor(memlimit=_MOST_MEMORY),
}


def examine(draft: Draft, container: Container) -> None:
    """Unpack what the file holds, to a limit, and look at it."""
    if not draft.thorough:
        draft.flaw("nested-unread", "what is compressed was not unpacked")
        return
    data = _unpacked(draft, container)
    draft.unpacked += len(data)
    draft.members.append(Member(NAME, 0, len(data), draft.source.size, compressed=True))
    draft.packed = look_into(draft, BytesSource(data, draft.source.name), draft.members[-1])


def _unpacked(draft: Draft, container: Container) -> bytes:
    """The content of all streams in the file, one behind the other, as far as it can be had."""
    out, at = bytearray(), 0
    unpacker, waiting = _UNPACKERS[container](), b""
    while len(out) <= MOST_INSIDE:
        draft.check()
        if unpacker.eof:
            waiting = unpacker.unused_data or waiting
            unpacker = _UNPACKERS[container]()
        raw = waiting or draft.source.read_at(at, min(_PIECE, draft.source.size - at))
        at += 0 if waiting else len(raw)
        if not raw and getattr(unpacker, "needs_input", True):
            break
        try:
            out += unpacker.decompress(raw, _PIECE)
        except _DAMAGE as error:
            draft.flaw("deflate-damaged", f"the compressed stream cannot be read on: {error}", at)
            return bytes(out)
        waiting = getattr(unpacker, "unconsumed_tail", b"")
    else:
        draft.flaw("nested-too-large", f"more than {MOST_INSIDE:,} bytes are compressed in it; the rest was not read")
        draft.unread.append(f"what is compressed beyond its first {MOST_INSIDE:,} bytes")
    return bytes(out)
