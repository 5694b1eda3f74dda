"""What every part of the catalogue's face stands on: the connections and the clock."""

from __future__ import annotations

from sdkeep.catalogue.backups import Clock
from sdkeep.catalogue.connection import Connections


class Access:
    """Connections to an open catalogue. Each reading or writing method of what is built on it is a transaction."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock
