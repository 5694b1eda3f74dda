"""The catalogue's file: where it is, its schema, its copies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.ground.errors import WouldOverwrite


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The schema before and after; `backup` is the copy made before a change, empty when nothing changed."""

    path: str
    before: str
    after: str
    backup: str = ""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A copy of the catalogue."""

    path: str
    copy: str
    size: int


def upgrade(house: House) -> Upgraded:
    """Open the catalogue, which brings its schema up to date."""
    opened = house.book.opened
    return Upgraded(str(house.book.path), opened.before, opened.after, str(opened.backup or ""))


def backup(house: House, to: Path | None) -> BackedUp:
    """Copy the catalogue while it may be in use; never over an existing file."""
    target = to or house.settings.home / "backups"
    if to is None or target.is_dir():
        target = target / f"registry-{house.moment():%Y%m%dT%H%M%S.%fZ}.db"  # two in one second are two
    if target.exists():
        raise WouldOverwrite(f"`{target}` exists already", "nothing is overwritten", "`sdkeep db backup OTHER`")
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = house.book.backup(target)
    return BackedUp(str(house.book.path), str(copy), copy.stat().st_size)
