"""The text arguments of protocol 0, read as `Modules/_pickle.c` reads them; ValueError where it raises.

Each function takes a line without its line feed.
"""

from __future__ import annotations

import math
import re

_STRTOL = re.compile(rb"[ \t\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_DOUBLE = re.compile(
    rb"[+-]?(?:inf(?:inity)?|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)", re.IGNORECASE | re.ASCII
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.?))", re.DOTALL)
_SIMPLE = {
    b"\n": b"", b"\\": b"\\", b"'": b"'", b'"': b'"', b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n",
    b"r": b"\r", b"t": b"\t", b"v": b"\v",
}  # fmt: skip
_LONGEST = 4300  # decimal digits, Python's own ceiling against quadratic conversions


def integer(line: bytes) -> bool | int:
    """INT: C's `strtol` with base 0, where `00` and `01` (any two characters worth 0 or 1) are False and True."""
    matched = _STRTOL.fullmatch(line)
    if matched and len(line) <= 64:
        sign, digits = matched[1], matched[2].decode("ascii")
        octal = len(digits) > 1 and digits[0] == "0" and digits[1] not in "xX"
        value = int(digits, 8 if octal else 0) * (-1 if sign == b"-" else 1)
        if -(2**63) <= value < 2**63:
            return bool(value) if len(line) == 2 and value in (0, 1) else value
    return _python_int(line)


def long(line: bytes) -> int:
    """LONG: a Python integer with an optional L behind it."""
    return _python_int(line.removesuffix(b"L"))


def index(line: bytes) -> int:
    """GET and PUT: a decimal memo index that is not negative."""
    value = _python_int(line, 10)
    if value < 0:
        raise ValueError("a memo index is negative")
    return value


def _python_int(line: bytes, base: int = 0) -> int:
    if len(line) > _LONGEST and not line.lstrip(b" +-").startswith((b"0x", b"0X")):
        raise ValueError("an integer has too many digits")
    return int(line.decode("ascii"), base)


def double(line: bytes) -> float:
    """FLOAT: no blanks, no underscores; an overflow is an error, as in C."""
    if not _DOUBLE.fullmatch(line):
        raise ValueError("no floating-point number")
    value = float(line)
    if math.isinf(value) and b"n" not in line.lower():
        raise ValueError("a floating-point number is too large")
    return value


def quoted(line: bytes) -> bytes:
    """STRING: the bytes between equal quotes, backslash escapes undone, unknown ones kept."""
    if len(line) < 2 or line[0] != line[-1] or line[0] not in b"'\"":
        raise ValueError("a STRING argument is not quoted")
    return _ESCAPE.sub(_unescape, line[1:-1])


def _unescape(matched: re.Match[bytes]) -> bytes:
    if matched[1] is not None:
        return bytes([int(matched[1], 16)])
    if matched[2] is not None:
        return bytes([int(matched[2], 8) & 0xFF])
    if matched[3] in (b"", b"x"):
        raise ValueError("a STRING argument has a broken escape")
    return _SIMPLE.get(matched[3], matched[0])


def words(raw: bytes) -> str | bytes:
    """A Python 2 `str`: text where it is UTF-8, as torch reads it, else its bytes."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def raw_unicode(line: bytes) -> str:
    """UNICODE: Latin-1 with backslash-u escapes."""
    return line.decode("raw-unicode-escape")
