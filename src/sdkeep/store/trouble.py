"""What the operating system says, put into the words of `ground.errors`."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sdkeep.ground.errors import DiskFull, InUse, NotWritable, StoreError, WouldOverwrite
from sdkeep.store import platform

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_BUSY = frozenset({errno.EBUSY, errno.ETXTBSY})
_SHARING_VIOLATIONS = frozenset({32, 33})
_BLOCK = 4096


@contextmanager
def told(what: str, needed: int = _BLOCK) -> Iterator[None]:
    """Turn an `OSError` of the block into a `StoreError`; `what` failed, `needed` is in bytes."""
    try:
        yield
    except OSError as error:
        raise as_store_error(error, what, needed) from error


def as_store_error(error: OSError, what: str, needed: int = _BLOCK) -> StoreError:
    """The `StoreError` that says what `error` means to a person."""
    where = str(error.filename2 or error.filename or "")
    why = f"{error.strerror or error}" + (f": `{where}`" if where else "")
    if error.errno in _FULL:
        return DiskFull(what, needed, _free(where))
    if getattr(error, "winerror", None) in _SHARING_VIOLATIONS or error.errno in _BUSY:
        return InUse(what, why, "close the program that has the file open, then try again")
    if error.errno in _FORBIDDEN:
        return NotWritable(
            what, why, f"check who owns it: `ls -ld '{where}'`" if where else "check who owns the folder"
        )
    if error.errno == errno.EEXIST:
        return WouldOverwrite(what, why, "move that file away, or place under another name")
    if error.errno == errno.EXDEV:
        return StoreError(what, "the two paths lie on different volumes", "`sdkeep doctor` lists the volumes in use")
    return StoreError(what, why, "`sdkeep doctor` checks the store and its folders")


def _free(where: str) -> int:
    try:
        return platform.free_space(Path(where or os.curdir))
    except OSError:
        return 0
