"""What the catalogue holds: the newest files, or those that words and filters pick."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.record import Artifact, Generation

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


@dataclass(frozen=True, slots=True)
class PictureRow:
    """A picture that was made here, with the models it was made with; `here` says that the file is still there."""

    path: str
    prompt: str
    negative: str
    seed: str
    width: int
    height: int
    models: tuple[str, ...]
    infotext: str
    sha256: str
    made: str
    here: bool


@dataclass(frozen=True, slots=True)
class Pictures:
    """A page of pictures; `next_cursor` continues it."""

    pictures: tuple[PictureRow, ...]
    next_cursor: str | None


def generations(house: House, request: ListRequest) -> Pictures:
    """Pictures made here whose texts or models hold every word, newest first; gone ones only with `everything`."""
    page = house.book.list_generations(request.words, cursor=request.cursor, limit=request.limit)
    rows = (_picture(one) for one in page.items)
    return Pictures(tuple(row for row in rows if row.here or request.everything), page.next_cursor)


def _picture(one: Generation) -> PictureRow:
    models = tuple(f"{model.role} {model.name}" for model in one.models)
    here = Path(one.path).is_file()
    return PictureRow(
        one.path, one.prompt, one.negative, one.seed, one.width, one.height, models, one.infotext, one.sha256,
        one.made, here,
    )  # fmt: skip


def ls(house: House, request: ListRequest) -> Listing:
    """A page of the catalogue. Files that are no longer here (converted originals, say) only with `everything`."""
    if request.ui:
        from sdkeep.actions.placing import registered

        registered(house, request.ui)
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
