"""What to verify next: the copies that nobody has read back for longest come first, so that short runs add up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sdkeep.actions.house import House
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.record import Artifact
from sdkeep.store import labels

SEEN = "verified.json"
"""In the home: when files of no store were last read back, by SHA-256; the catalogue dates those of stores."""


def due(house: House, older_than: timedelta | None, until: datetime | None) -> Iterator[str]:
    """References to what should be here, longest unread first.

    With `older_than` only what was not read back since then; past the moment `until` nothing more is begun.
    """
    limit = f"{house.moment() - older_than:%Y-%m-%dT%H:%M:%SZ}" if older_than is not None else ""
    seen = dict(labels.read(house.settings.home / SEEN))
    elsewhere: dict[str, str] = {}
    try:
        for read, artifact, stored in _oldest_first(house, seen):
            if limit and read > limit:
                continue
            if until is not None and house.moment() >= until:
                return
            yield f"name:{artifact.name}"
            if not stored and artifact.sha256:
                elsewhere[artifact.sha256] = house.now()
    finally:
        if elsewhere:
            labels.write(house.settings.home / SEEN, seen | elsewhere)


def _oldest_first(house: House, seen: dict[str, object]) -> list[tuple[str, Artifact, bool]]:
    """What is here, with the time it was last read back (of its copies the one longest ago), empty for never."""
    found: list[tuple[str, Artifact, bool]] = []
    for artifact in house.book.list(Filter(present=True), limit=None).items:
        if not artifact.sha256:
            continue
        blobs = house.book.blobs_of(artifact.sha256)
        at = min((blob.verified for blob in blobs), default=str(seen.get(artifact.sha256, "")))
        found.append((at, artifact, bool(blobs)))
    return sorted(found, key=lambda one: (one[0], one[1].name))
