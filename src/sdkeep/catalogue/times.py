"""Moments as the catalogue writes them."""

from __future__ import annotations

from datetime import UTC

from sdkeep.catalogue.backups import Clock


def now(clock: Clock) -> str:
    """This moment, UTC ISO-8601 to the second; such texts sort as the moments do."""
    return f"{clock().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
