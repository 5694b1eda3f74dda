"""Locks between processes. The system lets go of one when its holder dies, so none goes stale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sdkeep.ground.errors import InUse
from sdkeep.store.trouble import told


@contextmanager
def hold(path: Path, timeout: float = 0, what: str = "this") -> Iterator[None]:
    """Hold the lock file `path` for the block; wait `timeout` seconds for it, then raise `InUse`.

    The file stays where it is: taking it away would let two holders in. On network filesystems a lock may promise
    nothing, so whatever it guards must also be safe to do twice.
    """
    with told(f"cannot lock `{path}`"):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=timeout)
        try:
            lock.acquire()
        except Timeout as error:
            raise InUse(
                f"another sdkeep is busy with {what}", f"it holds `{path}`", "wait for it to end, then try again"
            ) from error
    try:
        yield
    finally:
        lock.release()
