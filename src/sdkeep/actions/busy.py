"""One command at a time where files are replaced: others wait a little, and leave its unfinished steps alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sdkeep.actions.house import House
from sdkeep.ground.errors import InUse
from sdkeep.store.locks import hold

PATIENCE = 10.0


@contextmanager
def alone(house: House, wait: float = PATIENCE) -> Iterator[None]:
    """Hold the house's lock on replacing files; raises `InUse` after `wait` seconds."""
    with hold(house.settings.home / "locks" / "files.lock", wait, "replacing files"):
        yield


def busy(house: House) -> bool:
    """Whether another process is replacing files at this moment."""
    try:
        with alone(house, 0):
            return False
    except InUse:
        return True
