"""Hash-behind: digests of what is there without a gap, so that they are ready when the file is complete."""

from __future__ import annotations

import hashlib

from sdkeep.net.partial import Partial
from sdkeep.net.wanted import Updatable

_BLOCK = 1024 * 1024


class Follower:
    """Reads what was written, in order, into SHA-256 and an optional second hasher."""

    def __init__(self, hasher: Updatable | None = None) -> None:
        self.position = 0
        self.hashed = hasher is not None
        self._sha256 = hashlib.sha256()
        self._hasher = hasher

    def advance(self, partial: Partial, limit: int) -> bool:
        """Follow the gapless prefix by at most `limit` bytes; whether there is more of it."""
        prefix = partial.prefix
        stop = min(prefix, self.position + limit)
        while self.position < stop:
            data = partial.read(self.position, min(_BLOCK, stop - self.position))
            self._sha256.update(data)
            if self._hasher is not None:
                self._hasher.update(data)
            self.position += len(data)
        return self.position < prefix

    def restarted(self) -> Follower:
        """A follower for other bytes; a hasher that has seen the old ones is of no more use."""
        fed = self.position > 0
        fresh = Follower(None if fed else self._hasher)
        fresh.hashed = self.hashed and not fed
        return fresh

    @property
    def sha256(self) -> str:
        """The digest of what was followed."""
        return self._sha256.hexdigest()
