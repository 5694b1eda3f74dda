"""The known roots: base models, autoencoders and encoders with their hashes, mirrors, licences and parents.

Only a confirmed SHA-256 proves that a file is one of them. The table is parsed on the first question that it may
answer: most files are none of them, which its text shows sooner.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Relation

WEIGHTS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
"""Endings of the file names that models are published under."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One published file. `refs` are references and addresses in the order to try them; `size` is in bytes.

    `confirmed` says that independent lists agree on `sha256`; `parent` is the id of another known model. `data` names
    what it was trained on, `sources` where the facts were read, `publisher` who released it.
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
    publisher: str = ""


def by_name(short: str) -> KnownModel | None:
    """The known model with this id or alias (`sd15`, `sdxl`, `vae-mse`), case forgiven."""
    return _table().named.get(short.strip().lower())


def by_sha256(value: str | Digest) -> KnownModel | None:
    """The known model whose bytes have this SHA-256. Unconfirmed hashes prove nothing and are not looked at."""
    text = (value.value if isinstance(value, Digest) else value).strip().lower()
    return _table().hashed.get(text) if text in _written() else None


def by_short(digest: Digest) -> tuple[KnownModel, ...]:
    """The known models whose confirmed SHA-256 begins with this AutoV2. Other short hashes are not listed here."""
    if digest.kind is not DigestKind.AUTOV2:
        return ()
    return tuple(model for value, model in _table().hashed.items() if value.startswith(digest.value))


def by_file_name(name: str) -> tuple[KnownModel, ...]:
    """The known models published under this file name. A name proves nothing."""
    return _table().filed.get(name.strip().lower(), ())


def in_repository(repo: str) -> tuple[KnownModel, ...]:
    """The known models published in this Hugging Face repository (`ORG/REPO`), in the order of the table."""
    return _table().housed.get(repo.strip().lower(), ())


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
    filed: dict[str, tuple[KnownModel, ...]]
    housed: dict[str, tuple[KnownModel, ...]]


@cache
def _written() -> str:
    return files("sdkeep.formats").joinpath("known.toml").read_text("utf-8")


@cache
def _table() -> _Table:
    data = tomllib.loads(_written())
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
            publisher=entry.get("publisher", ""),
        )
        for entry in data["model"]
    )
    named = {alias: model for model in models for alias in model.aliases}
    named.update({model.id: model for model in models})
    hashed = {model.sha256: model for model in models if model.sha256 and model.confirmed}
    filed: dict[str, tuple[KnownModel, ...]] = {}
    housed: dict[str, tuple[KnownModel, ...]] = {}
    for model in models:
        places = [ref for ref in model.refs if ref.startswith("hf:")]
        for name in dict.fromkeys(ref.rpartition("/")[2].lower() for ref in places):
            filed[name] = (*filed.get(name, ()), model)
        for repo in dict.fromkeys("/".join(ref[3:].lower().split("/")[:2]) for ref in places):
            housed[repo] = (*housed.get(repo, ()), model)
    return _Table(models, named, hashed, filed, housed)
