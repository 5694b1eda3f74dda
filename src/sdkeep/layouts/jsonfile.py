"""Small files of other programs, read without trust: any of them may be huge, broken, or no file at all."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from sdkeep.ground.errors import StoreError

LONGEST = 8 << 20


def read_bytes(path: Path, most: int = LONGEST) -> bytes | None:
    """The bytes of a regular file of at most `most` bytes; None where there is none, or a longer or stranger one.

    Raises `StoreError` for a file that is there and may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        if not path.is_file():  # a socket, a link in a circle
            return None
        raise StoreError(f"cannot read `{path}`", error.strerror or str(error), f"`ls -l '{path}'`") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    with os.fdopen(handle, "rb") as file:
        data = file.read(most + 1)
    return data if len(data) <= most else None


def as_object(data: bytes | None) -> dict[str, object] | None:
    """A JSON object, a byte-order mark forgiven; None for anything else."""
    try:
        said = json.loads((data or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def read_object(path: Path, most: int = LONGEST) -> dict[str, object] | None:
    """The JSON object that a file holds; None where it holds none."""
    return as_object(read_bytes(path, most))


def text_in(said: Mapping[str, object], *keys: str) -> str:
    """The first of these keys that holds a text which is not empty."""
    return next((value for key in keys if isinstance(value := said.get(key), str) and value.strip()), "")


def number_in(said: Mapping[str, object], key: str) -> str:
    """An id: a whole number or digits in quotes, as its digits; empty for anything else, and for 0."""
    value = said.get(key)
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if text.isdecimal() and text.isascii() and len(text) <= 15 and text.strip("0") else ""


def amount_in(said: Mapping[str, object], key: str) -> float:
    """A number between 0 and 10, which is what weights are; 0 for anything else."""
    value = said.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 10 else 0.0


def object_in(said: Mapping[str, object], key: str) -> Mapping[str, object]:
    """The object below a key; empty for anything else."""
    value = said.get(key)
    return value if isinstance(value, dict) else {}


def objects_in(said: Mapping[str, object], key: str) -> tuple[Mapping[str, object], ...]:
    """The objects in the list below a key."""
    value = said.get(key)
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def texts_in(said: Mapping[str, object], key: str) -> tuple[str, ...]:
    """The texts in the list below a key; a single text counts as a list of one."""
    value = said.get(key)
    items = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(item for item in items if isinstance(item, str) and item.strip())
