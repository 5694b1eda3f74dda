"""What the catalogue holds: the newest files, or those that words and filters pick."""

from __future__ import annotations

from dataclasses import dataclass

from sdkeep.actions.house import House
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.record import Artifact

PAGE = 50


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Filters of `ls`; empty and None mean all. `limit` None lists everything."""

    words: str = ""
    kind: Kind | None = None
    family: Family | None = None
    base: str = ""
    ui: str = ""
    cursor: str | None = None
    limit: int | None = PAGE
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `ls`."""

    name: str
    kind: Kind
    family: Family
    base: str
    size: int | None
    sha256: str
    title: str
    added: str
    stored: bool
    origin: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of rows; `next_cursor` continues it."""

    rows: tuple[Row, ...]
    next_cursor: str | None


def ls(house: House, request: ListRequest) -> Listing:
    """A page of the catalogue. Files that are no longer here (converted originals, say) only with `everything`."""
    wanted = Filter(
        kind=request.kind,
        family=request.family,
        base=request.base,
        ui=request.ui,
        text=request.words,
        present=not request.everything,
        unhashed=True,
    )
    page = house.book.list(wanted, cursor=request.cursor, limit=request.limit)
    return Listing(tuple(map(_row, page.items)), page.next_cursor)


def _row(one: Artifact) -> Row:
    return Row(
        one.name,
        one.kind,
        one.family,
        one.base,
        one.size,
        one.sha256 or "",
        one.title,
        one.added,
        one.stored,
        one.origin,
    )
