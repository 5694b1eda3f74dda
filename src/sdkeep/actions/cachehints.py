"""Hashes that a WebUI has computed already, for files that have not changed since by their time. Hints, no proofs."""

from __future__ import annotations

from collections.abc import Iterator

from sdkeep.actions.house import House
from sdkeep.actions.placing import here
from sdkeep.ground.record import Ui
from sdkeep.layouts.caches import CacheHint, read_caches


def cache_hints(house: House, ui: Ui) -> Iterator[CacheHint]:
    """Every usable hint in the caches of one registered WebUI; nothing is written there and nothing is locked."""
    from sdkeep.catalogue.foreign import foreign_rows

    yield from read_caches(here(house, ui), foreign_rows)
