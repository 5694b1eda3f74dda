"""What to verify next: the copies that nobody has read back for longest come first, so that short runs add up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sdkeep.actions.house import House
from sdkeep.catalogue.listing import Filter


def due(house: House, older_than: timedelta | None, until: datetime | None) -> Iterator[str]:
    """References to what should be here, longest unread first.

    With `older_than` only what was not read back since then; past the moment `until` nothing more is begun.
    """
    limit = f"{house.moment() - older_than:%Y-%m-%dT%H:%M:%SZ}" if older_than is not None else ""
    for read, name in _oldest_first(house):
        if limit and read > limit:
            continue
        if until is not None and house.moment() >= until:
            return
        yield f"name:{name}"


def _oldest_first(house: House) -> list[tuple[str, str]]:
    """When each was last read back (of its copies the one longest ago, empty for never), and its name."""
    book = house.book
    read: dict[str, str] = {}
    copies = [(blob.sha256, blob.verified) for root in book.blob_roots() for blob in book.blobs_in(root)]
    copies += [(place.sha256, place.verified) for place in book.locations() if not place.missing]
    for sha256, at in copies:
        read[sha256] = min(at, read.get(sha256, at))
    here = book.list(Filter(present=True), limit=None).items
    return sorted((read.get(one.sha256, ""), one.name) for one in here if one.sha256)
