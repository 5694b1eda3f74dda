"""One command at a time where files are replaced: others wait a little, and leave its unfinished steps alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sdkeep.actions.house import House
from sdkeep.ground.errors import InUse
from sdkeep.store.locks import hold

PATIENCE = 10.0
FILES = "files"
UPDATES = "updates"
_WORDS = {FILES: "replacing files", UPDATES: "an update"}


@contextmanager
def alone(house: House, wait: float = PATIENCE, what: str = FILES) -> Iterator[None]:
    """Hold the house's lock on replacing files, or on updating them; raises `InUse` after `wait` seconds."""
    with hold(house.settings.home / "locks" / f"{what}.lock", wait, _WORDS[what]):
        yield


def busy(house: House, what: str = FILES) -> bool:
    """Whether another process is at that at this moment."""
    try:
        with alone(house, 0, what):
            return False
    except InUse:
        return True
