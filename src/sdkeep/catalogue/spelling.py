"""Text at the catalogue's door: what a database cannot hold is spelt so that it can, and read back exactly.

File names on Linux may hold bytes that are no UTF-8 (Python shows them as lone surrogates), hubs send half emoji, and
PostgreSQL refuses NUL. Each such character becomes `␛` and four hexadecimal digits; so does `␛` itself.
"""

from __future__ import annotations

import re

_MARK = "\u241b"
_AWKWARD = re.compile(f"[\x00{_MARK}\ud800-\udfff]")
_SPELT = re.compile(f"{_MARK}([0-9a-f]{{4}})")


def spelt(text: str) -> str:
    """`text` in a form that every database stores."""
    if text.isascii() and "\0" not in text:
        return text
    return _AWKWARD.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", text)


def read(raw: bytes) -> str:
    """The text that was stored as `raw`; bytes that are no UTF-8 (a damaged file) become replacement characters."""
    text = raw.decode("utf-8", "replace")
    if _MARK not in text:
        return text
    return _SPELT.sub(lambda found: chr(int(found[1], 16)), text)
