"""Settings as a person sees them: every value with where it came from, and changes to the user file."""

from __future__ import annotations

from dataclasses import dataclass

from sdkeep.actions.house import House
from sdkeep.ground.errors import BadSetting
from sdkeep.settings.user_file import unset, write
from sdkeep.settings.values import Origin, Source
from sdkeep.settings.variables import VARIABLES, Type, named, nearest


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force. `source` is its origin and the flag, variable or file."""

    name: str
    value: str
    source: str
    what: str


def listing(house: House) -> tuple[Setting, ...]:
    """Every setting but the tokens."""
    return tuple(
        _shown(house, v.name) for v in VARIABLES if hasattr(house.settings, v.name) and v.type is not Type.SECRET
    )


def get(house: House, name: str) -> Setting:
    """One setting; raises `BadSetting` with the nearest name."""
    variable = named(name)
    if variable is None or not hasattr(house.settings, variable.name):
        near = nearest(name)
        raise BadSetting(f"`{name}` is no setting", f"did you mean `{near}`?" if near else "", "`sdkeep config list`")
    return _shown(house, variable.name)


def put(house: House, name: str, value: str) -> Setting:
    """Set a value in the user file; says what is in force afterwards, which a variable may still overrule."""
    write(house.settings.config_file, name, value, house.cwd)
    return _after(house, name)


def drop(house: House, name: str) -> Setting:
    """Remove a value from the user file; says what is in force afterwards."""
    unset(house.settings.config_file, name)
    return _after(house, name)


def _after(house: House, name: str) -> Setting:
    fresh = House.open({}, house.report, house.stop)
    setting = get(fresh, name)
    variable = named(name)
    if variable and fresh.loaded.sources.get(variable.name, Source(Origin.DEFAULT)).origin is Origin.ENVIRONMENT:
        house.warn(f"`{name}` is overruled by {setting.source}")
    return setting


def _shown(house: House, name: str) -> Setting:
    variable = named(name)
    source = house.loaded.sources.get(name, Source(Origin.DEFAULT))
    return Setting(name, house.settings.shown(name), str(source), variable.what if variable else "")
