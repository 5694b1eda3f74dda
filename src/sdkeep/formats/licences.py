"""What the licences of models allow, by id: `licences.toml`, and the one way to complete a recorded licence from it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files

from sdkeep.ground.licence import Licence, Use


@dataclass(frozen=True, slots=True)
class Terms:
    """One row of the table. A use that `allows` leaves out is unknown, and `depends` may say on what.

    `restrictions` is True where use restrictions pass on to whatever is made from the model.
    """

    ids: tuple[str, ...] = ()
    name: str = ""
    url: str = ""
    allows: dict[Use, bool] = field(default_factory=dict)
    match: tuple[str, ...] = ()
    depends: Mapping[Use, str] = field(default_factory=dict)
    restrictions: bool = False


def licence_called(id_: str, name: str = "") -> Terms | None:
    """The terms of the licence with this id; those of `other` and of no id go by the licence's own name."""
    wanted = (name if id_.strip().lower() in ("", "other") else id_).strip().lower()
    if not wanted:
        return None
    exact = next((row for row in table() if wanted in row.ids), None)
    return exact or next((row for row in table() if any(fnmatchcase(wanted, one) for one in row.match)), None)


def terms_of(licence: Licence) -> Terms:
    """What a recorded licence allows: the table's answer where its id has a row, else what its publisher stated.

    A refusal that was stated stands, whatever the row says.
    """
    return _terms(licence.id, licence.name, licence.url, tuple(licence.allows.items()))


@lru_cache(maxsize=1024)
def _terms(id_: str, name: str, url: str, stated: tuple[tuple[Use, bool], ...]) -> Terms:
    known = licence_called(id_, name)
    if known is None:
        return Terms((id_,), name or id_, url, dict(stated))
    refused = {use: False for use, allowed in stated if not allowed}
    depends = {use: why for use, why in known.depends.items() if use not in refused}
    return Terms(
        known.ids, name or known.name, url or known.url, known.allows | refused, (), depends, known.restrictions
    )


@cache
def table() -> tuple[Terms, ...]:
    """Every row, in the order of the file."""
    data = tomllib.loads(files("sdkeep.formats").joinpath("licences.toml").read_text("utf-8"))
    return tuple(
        Terms(
            ids=tuple(row["ids"]),
            name=row["name"],
            url=row["url"],
            allows={Use(use): True for use in row.get("yes", ())} | {Use(use): False for use in row.get("no", ())},
            match=tuple(row.get("match", ())),
            depends={Use(use): why for use, why in row.get("depends", {}).items()},
            restrictions=row.get("restrictions", False),
        )
        for row in data["licence"]
    )
