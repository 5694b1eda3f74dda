"""The parents that sdkeep's own merge recipe names: each by its SHA-256, with its share and what was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite

from sdkeep.formats.tolerant import LONGEST, parsed
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust

KEY = "sdkeep.recipe"
"""The metadata key that a merged file keeps its recipe under."""

_SOURCE = f"metadata:{KEY}"
_MOST = 64


def recipe_edges(metadata: Mapping[str, str]) -> Iterator[Edge]:
    """An edge for each parent; nothing where there is no recipe, or none that can be read."""
    recipe = _table(parsed(metadata.get(KEY, "")))
    parents = _list(recipe.get("parents"))[:_MOST]
    output, shares = _table(recipe.get("output")), _list(recipe.get("shares"))
    adapters = {_whole(_list(one)[:1]): _list(one) for one in _list(output.get("adapters"))}
    methods = [
        one for one in (_table(step).get("method") for step in _list(recipe.get("steps"))) if isinstance(one, str)
    ]
    for place, parent in enumerate(parents):
        digest = Digest.of(DigestKind.SHA256, str(_table(parent).get("sha256")))
        if not digest:
            continue
        name = str(_table(parent).get("name"))[:LONGEST]
        relation, method = Relation.MERGE_OF, methods[-1] if methods else ""
        share = _number(shares[place]) if place < len(shares) else None
        if place in adapters:
            method, share = "lora", None
        elif output.get("vae") == place:
            relation, method, share = Relation.VAE_BAKED_FROM, "", None
        elif method == "no-interpolation":
            relation = Relation.MERGE_OF if adapters else Relation.CONVERTED_FROM
        yield Edge(Parent(Trust.SHA256, digest.value), relation, _SOURCE, name, share, method[:LONGEST])


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _whole(value: list[object]) -> int:
    return value[0] if value and type(value[0]) is int else -1


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)
