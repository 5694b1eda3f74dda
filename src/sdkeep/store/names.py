"""File names made from outside text, valid on every system at once and never a way out of a folder.

The stem of a placed file is what people type into prompts, so it is kept as published wherever it can be.
"""

from __future__ import annotations

import re
import unicodedata

from sdkeep.ground.text import one_line

LONGEST = 200
"""Bytes of UTF-8 that a whole name may have: systems allow 255, and sidecars add `.preview.png`."""

FALLBACK = "unnamed"
_EXTENSION = re.compile(r"\.[a-z0-9]{1,16}")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])", re.IGNORECASE)
_EDGES = " ."


def safe_stem(text: str, longest: int = LONGEST) -> str:
    """`text` as the stem of a file name, at most `longest` bytes. Same in, same out; its own output is unchanged."""
    stem = _cleaned(unicodedata.normalize("NFC", one_line(text).replace("\u200d", "")))
    first, dot, rest = stem.partition(".")
    if _RESERVED.fullmatch(first.rstrip(" ")):
        stem = f"{first.rstrip(' ')}_{dot}{rest}"
    return _cut(stem, longest) or FALLBACK


def safe_name(stem: str, extension: str = "", longest: int = LONGEST) -> str:
    """A whole file name from a stem and an extension (`.safetensors`), at most `longest` bytes."""
    tail = safe_extension(extension)
    return safe_stem(stem, longest - len(tail.encode())) + tail


def safe_extension(text: str) -> str:
    """`text` as an extension: a dot, then up to 16 lower-case letters and digits; empty when it is none."""
    word = text.strip().lower()
    word = word if word.startswith(".") else f".{word}"
    return word if _EXTENSION.fullmatch(word) else ""


def split_name(file_name: str) -> tuple[str, str]:
    """A published file name as its stem and its extension; only the last suffix counts, and `v1.5` is none."""
    name = re.split(r"[/\\]", one_line(file_name))[-1]
    stem, dot, tail = name.rpartition(".")
    extension = safe_extension(tail) if dot and stem else ""
    if not extension or extension[1:].isdigit():
        return name, ""
    return stem, extension


def stem_key(stem: str) -> str:
    """What two stems share when a disk or a prompt could take one for the other."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())


def _cleaned(text: str) -> str:
    """Without characters that some system forbids, and without edges that some system drops."""
    from pathvalidate import sanitize_filename

    kept = sanitize_filename(text, replacement_text="_", platform="universal", max_len=None)
    return unicodedata.normalize("NFC", " ".join(kept.split()).strip(_EDGES))


def _cut(stem: str, longest: int) -> str:
    raw = stem.encode()
    return raw[:longest].decode(errors="ignore").strip(_EDGES) if len(raw) > longest else stem
