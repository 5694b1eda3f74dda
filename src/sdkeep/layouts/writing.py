"""Small files beside a model, written whole or not at all."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdkeep.ground.errors import NotWritable, StoreError, WouldOverwrite

_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class Written:
    """A sidecar on the disk and the SHA-256 of its bytes. `created` is False for a person's file that we added to."""

    path: Path
    sha256: str
    created: bool


Data = bytes | Iterable[bytes]
"""What a file is to hold, whole or in pieces."""


def write_new(path: Path, data: Data) -> Written:
    """Write a file that must not exist yet; raises `WouldOverwrite` when it does."""
    with _draft(path, data) as (draft, sha256):
        try:
            os.link(draft, path)
        except FileExistsError:
            raise
        except OSError:  # no hard links here; the window between the look and the rename is the filesystem's
            if os.path.lexists(path):
                raise FileExistsError(path) from None
            draft.rename(path)
    return Written(path, sha256, created=True)


def rewrite(path: Path, data: Data, *, created: bool) -> Written:
    """Put `data` in the place of a file that was read a moment ago."""
    with _draft(path, data) as (draft, sha256):
        draft.replace(path)
    return Written(path, sha256, created)


@contextmanager
def _draft(path: Path, data: Data) -> Iterator[tuple[Path, str]]:
    """A temporary file in the same folder that holds `data`, durable, and its SHA-256; gone after the block."""
    digest = hashlib.sha256()
    draft = path.with_name(f".sdkeep-{os.getpid()}-{next(_counter)}.tmp")
    try:
        with draft.open("xb") as file:
            for piece in (data,) if isinstance(data, bytes) else data:
                file.write(piece)
                digest.update(piece)
            file.flush()
            os.fsync(file.fileno())
        yield draft, digest.hexdigest()
    except FileExistsError as error:
        raise WouldOverwrite(
            f"cannot write `{path}`", "a file of that name is there already", "move it away"
        ) from error
    except PermissionError as error:
        raise NotWritable(
            f"cannot write `{path}`", error.strerror or "", f"check who owns it: `ls -ld '{path.parent}'`"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot write `{path}`", error.strerror or str(error), "`sdkeep doctor`") from error
    finally:
        draft.unlink(missing_ok=True)
