"""What shells offer behind the Tab key. Quick, silent, and never an error: a shell has no place for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdkeep.actions.house import House

MOST = 50


def catalogue_names(incomplete: str) -> list[str]:
    """Catalogue names that begin so."""
    return _asked(lambda house: list(house.book.name_like(incomplete, MOST)))


def ui_names(incomplete: str) -> list[str]:
    """Registered WebUIs whose names begin so."""
    return _asked(lambda house: [ui.name for ui in house.book.uis() if ui.name.startswith(incomplete)])


def kinds(incomplete: str) -> list[str]:
    """Kinds of files that begin so."""
    from sdkeep.ground.kinds import Kind

    return [kind.value for kind in Kind if kind.value.startswith(incomplete)]


def families(incomplete: str) -> list[str]:
    """Families that begin so."""
    from sdkeep.ground.kinds import Family

    return [family.value for family in Family if family.value.startswith(incomplete)]


def setting_names(incomplete: str) -> list[str]:
    """Settings that begin so."""
    from sdkeep.settings.variables import VARIABLES, Type

    return [one.name for one in VARIABLES if one.type is not Type.SECRET and one.name.startswith(incomplete)]


def hubs(incomplete: str) -> list[str]:
    """Hubs that begin so."""
    return [name for name in ("civitai", "huggingface") if name.startswith(incomplete)]


def _asked(question: Callable[[House], list[str]]) -> list[str]:
    """What the catalogue answers; nothing where there is none yet, or where it cannot be read."""
    try:
        with _house() as house:
            return question(house) if house.settings.catalogue.is_file() else []
    except Exception:  # whatever it is, the next command says it
        return []


@contextmanager
def _house() -> Iterator[House]:
    from sdkeep.actions.house import House
    from sdkeep.ground.events import Stop, silent

    house = House.open({}, report=silent, stop=Stop())
    try:
        yield house
    finally:
        house.close()
