"""Base models by the names that hubs, trainers and cards call them: family, licence, AUTOMATIC1111's "sd version".

A name is a claim. It says `Pony` or `SDXL 1.0`, which no structure can tell apart.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sdkeep.ground.kinds import Family
from sdkeep.ground.licence import Licence

_SEPARATORS = re.compile(r"[\s_]+")
_LONGEST = 200
_VERSIONS = {Family.SD1: "SD1", Family.SD2: "SD2", Family.SDXL: "SDXL", Family.SDXL_REFINER: "SDXL"}


@dataclass(frozen=True, slots=True)
class Base:
    """A base model. `name` is Civitai's spelling; `commercial` is False where the licence forbids commercial use."""

    name: str
    family: Family
    licence: Licence
    commercial: bool = True

    @property
    def sd_version(self) -> str:
        """What AUTOMATIC1111's card metadata calls it: `SD1`, `SD2`, `SDXL` or `Unknown`."""
        return sd_version(self.family)


def sd_version(family: Family) -> str:
    """The value of "sd version" in AUTOMATIC1111's card metadata for a family."""
    return _VERSIONS.get(family, "Unknown")


def named(text: str) -> Base | None:
    """The base model called `text` by a hub, a trainer's metadata or a Hugging Face repository; None for others."""
    return _table().spelt.get(_folded(text))


def family_of(text: str) -> Family:
    """The architecture of the base model called `text`, `unknown` for names not in the table."""
    base = named(text)
    return base.family if base else Family.UNKNOWN


def said_by(name: str) -> Base | None:
    """The base that a checkpoint's own name claims (`ponyDiffusionV6XL.safetensors` says Pony), if it claims one."""
    word = _folded(name)
    return next((base for part, base in _table().said if part in word), None)


def names() -> tuple[str, ...]:
    """Every base model's name, in the order of the table."""
    return _table().names


@dataclass(frozen=True, slots=True)
class _Table:
    names: tuple[str, ...]
    spelt: dict[str, Base]
    said: tuple[tuple[str, Base], ...]


def _folded(text: str) -> str:
    return _SEPARATORS.sub("-", text[:_LONGEST].strip().lower())


@cache
def _table() -> _Table:
    data = tomllib.loads(files("sdkeep.formats").joinpath("bases.toml").read_text("utf-8"))
    licences = {
        id_: (Licence(id=id_, name=entry["name"], url=entry["url"], source="base model"), entry)
        for id_, entry in data["licences"].items()
    }
    spelt: dict[str, Base] = {}
    listed: dict[str, Base] = {}
    for entry in data["base"]:
        licence, facts = licences.get(entry.get("licence", ""), (Licence(), {}))
        base = Base(entry["name"], Family(entry["family"]), licence, not facts.get("non_commercial", False))
        listed[base.name] = base
        for spelling in (base.name, *entry.get("also", [])):
            spelt.setdefault(_folded(spelling), base)
    return _Table(tuple(listed), spelt, tuple((entry["word"], listed[entry["base"]]) for entry in data["said"]))
