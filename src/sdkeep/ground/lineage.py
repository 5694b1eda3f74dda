"""Where a file came from: edges from child to parent, each with who claims it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Relation(StrEnum):
    """How a child relates to its parent."""

    FINETUNE_OF = "finetune-of"
    TRAINED_ON = "trained-on"
    ADAPTER_FOR = "adapter-for"
    MERGE_OF = "merge-of"
    CONVERTED_FROM = "converted-from"
    PRUNED_FROM = "pruned-from"
    VAE_BAKED_FROM = "vae-baked-from"
    DISTILLED_FROM = "distilled-from"


class Trust(StrEnum):
    """What identifies the parent, strongest first."""

    SHA256 = "sha256"
    SHORT_HASH = "short-hash"
    HUB_ID = "hub-id"
    CARD = "card"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent as it was named: `value` is a SHA-256, a `kind:hex` short hash, a hub reference or a bare name."""

    trust: Trust
    value: str


@dataclass(frozen=True, slots=True)
class Edge:
    """One claim about ancestry. `source` names who says so, `verbatim` is the claim as it stood there."""

    parent: Parent
    relation: Relation
    source: str
    verbatim: str = ""
    weight: float | None = None
    method: str = ""
