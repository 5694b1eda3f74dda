"""Outside text made harmless: for a terminal, for a file name, for one line of a table."""

from __future__ import annotations

import re
import unicodedata
from html import unescape

_ESCAPE = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: window titles, hyperlinks, clipboard writes
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC strings
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI
    r"|\x1b[ -/]*[0-~]?"  # the rest
)
_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn"}
_KEPT = {"\n", "\t", "\u200d"}  # the joiner belongs to emoji
_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<(?:br\s*/?|/p|/li|/h[1-6]|/div)>", re.IGNORECASE)


def printable(text: str) -> str:
    """`text` without escape sequences, control, format, bidirectional, surrogate and unassigned characters.

    Line feeds and tabs stay, since descriptions have paragraphs; `one_line` folds those too.
    """
    text = _ESCAPE.sub("", text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in text if c in _KEPT or unicodedata.category(c) not in _DROPPED)


def one_line(text: str, most: int | None = None) -> str:
    """`printable` text on a single line, cut to `most` characters with an ellipsis."""
    line = " ".join(printable(text).split())
    if most is not None and len(line) > most:
        return line[: most - 1].rstrip() + "…"
    return line


def plain(html: str) -> str:
    """The words of a hub's HTML description, tags dropped, entities read, paragraphs kept as line feeds."""
    text = unescape(_TAG.sub("", _BREAK.sub("\n", html)))
    lines = (" ".join(line.split()) for line in printable(text).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def slug(text: str) -> str:
    """A name that a person can type: lower-case letters, digits and single dashes; empty when nothing is left."""
    folded = unicodedata.normalize("NFKD", printable(text)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", folded).strip("-")
