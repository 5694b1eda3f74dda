"""The known roots: base models, autoencoders and encoders with their hashes, mirrors, licences and parents.

Only a confirmed SHA-256 proves that a file is one of them. The table is parsed on the first question.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from sdkeep.ground.digest import Digest
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Relation


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One published file. `refs` are references and addresses in the order to try them; `size` is in bytes.

    `confirmed` says that independent lists agree on `sha256`; `parent` is the id of another known model. `data` names
    what it was trained on, `sources` where the facts were read.
    """

    id: str
    title: str
    family: Family
    kind: Kind
    aliases: tuple[str, ...] = ()
    variant: str = ""
    refs: tuple[str, ...] = ()
    sha256: str = ""
    confirmed: bool = False
    size: int | None = None
    licence: Licence = field(default_factory=Licence)
    parent: str = ""
    relation: Relation | None = None
    data: str = ""
    sources: tuple[str, ...] = ()


def by_name(short: str) -> KnownModel | None:
    """The known model with this id or alias (`sd15`, `sdxl`, `vae-mse`), case forgiven."""
    return _table().named.get(short.strip().lower())


def by_sha256(value: str | Digest) -> KnownModel | None:
    """The known model whose bytes have this SHA-256. Unconfirmed hashes prove nothing and are not looked at."""
    text = value.value if isinstance(value, Digest) else value
    return _table().hashed.get(text.strip().lower())


def names() -> tuple[str, ...]:
    """Every name that `by_name` answers, aliases first, each model once in the order of the table."""
    return tuple(dict.fromkeys(name for model in everything() for name in (*model.aliases, model.id)))


def everything() -> tuple[KnownModel, ...]:
    """All known models."""
    return _table().models


def ancestry(model: KnownModel) -> tuple[KnownModel, ...]:
    """The known parents of a known model, nearest first."""
    line: list[KnownModel] = []
    while model.parent and (parent := by_name(model.parent)) is not None and parent not in line:
        line.append(parent)
        model = parent
    return tuple(line)


@dataclass(frozen=True, slots=True)
class _Table:
    models: tuple[KnownModel, ...]
    named: dict[str, KnownModel]
    hashed: dict[str, KnownModel]


@cache
def _table() -> _Table:
    data = tomllib.loads(files("sdkeep.formats").joinpath("known.toml").read_text("utf-8"))
    licences = {
        id_: Licence(id=id_, name=entry["name"], url=entry["url"], source="known models")
        for id_, entry in data["licences"].items()
    }
    models = tuple(
        KnownModel(
            id=entry["id"],
            title=entry["title"],
            family=Family(entry["family"]),
            kind=Kind(entry["kind"]),
            aliases=tuple(entry.get("aliases", ())),
            variant=entry.get("variant", ""),
            refs=tuple(entry.get("refs", ())),
            sha256=entry.get("sha256", ""),
            confirmed=entry.get("confirmed", False),
            size=entry.get("size"),
            licence=licences.get(entry.get("licence", ""), Licence()),
            parent=entry.get("parent", ""),
            relation=Relation(entry["relation"]) if "relation" in entry else None,
            data=entry.get("data", ""),
            sources=tuple(entry.get("sources", ())),
        )
        for entry in data["model"]
    )
    named = {alias: model for model in models for alias in model.aliases}
    named.update({model.id: model for model in models})
    return _Table(models, named, {model.sha256: model for model in models if model.sha256 and model.confirmed})
