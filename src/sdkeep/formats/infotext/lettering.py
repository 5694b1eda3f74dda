"""Bytes of a text chunk to characters, where programs disagree about the encoding."""

from __future__ import annotations

import codecs
import re

_SAMPLE = 4096
_HIGH = re.compile(r"[\x80-\xff]")
_PREFIX = 8


def loose(data: bytes) -> str:
    """UTF-8 where the bytes are that, else Latin-1.

    PNG's tEXt is Latin-1 by its specification, and StabilityMatrix and others put UTF-8 there; text that is valid
    UTF-8 beyond ASCII is never meant as Latin-1.
    """
    try:
        return mended(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return data.decode("latin-1")


def mended(text: str) -> str:
    """`text` with UTF-8 that was once read as Latin-1 put right, else unchanged."""
    if not _HIGH.search(text):
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text


def user_comment(data: bytes) -> str:
    """An EXIF UserComment: eight bytes that name the character code, then the text.

    The order of the bytes after `UNICODE` is that of the writer's machine, not of the EXIF block, so it is told from
    the bytes. Some writers leave the prefix out (Fooocus), some write UTF-32 (older Civitai) or UTF-8 after it.
    """
    prefix, body = data[:_PREFIX], data[_PREFIX:]
    name = prefix.rstrip(b"\0 ").upper()
    if name == b"UNICODE":
        return mended(wide(body))
    if name == b"JIS":
        return _jis(body)
    if name in (b"ASCII", b"UTF8", b"UTF-8", b""):
        return wide(body) if _looks_wide(body) else loose(body)
    return wide(data) if _looks_wide(data) else loose(data)


def wide(data: bytes) -> str:
    """UTF-16 or UTF-32 of either byte order, or UTF-8 that calls itself so."""
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(name, "replace")
    return data.decode(_width(data[:_SAMPLE]), "replace")


def _width(sample: bytes) -> str:
    """The encoding told by where the zero bytes stand; without any, UTF-8 if it is that, else UTF-16 big-endian."""
    zeros = [sample[place::4].count(0) for place in range(4)]
    quarter = len(sample) // 4
    if quarter and zeros[2] == zeros[3] == quarter and zeros[0] < quarter:
        return "utf-32-le"
    if quarter and zeros[0] == zeros[1] == quarter and zeros[3] < quarter:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if even == odd == 0 and _is_utf8(sample):
        return "utf-8"
    return "utf-16-le" if odd > even else "utf-16-be"


def _looks_wide(data: bytes) -> bool:
    return b"\0" in data[:_SAMPLE].rstrip(b"\0")


def _is_utf8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _jis(data: bytes) -> str:
    for encoding in ("iso2022_jp", "shift_jis"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return loose(data)
