"""The parents of an adapter or embedding that sdkeep made: what was extracted, resized, merged or renamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite

from sdkeep.formats.tolerant import LONGEST, parsed
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust

KEY = "sdkeep.made_by"
"""The metadata key: `{"verb": ..., "parents": [{"name", "sha256", "role", "weight"}], "options": {...}}`."""

_RELATIONS = {
    "tuned": Relation.CONVERTED_FROM,
    "original": Relation.ADAPTER_FOR,
    "source": Relation.CONVERTED_FROM,
    "merged": Relation.MERGE_OF,
}
_MOST = 64


def making_edges(metadata: Mapping[str, str]) -> Iterator[Edge]:
    """An edge for each parent by its SHA-256; nothing where the record is absent or cannot be read."""
    made = parsed(metadata.get(KEY, ""))
    if not isinstance(made, dict) or not isinstance(made.get("parents"), list):
        return
    method = str(made.get("verb", ""))[:LONGEST]
    for parent in made["parents"][:_MOST]:
        if not isinstance(parent, dict):
            continue
        digest = Digest.of(DigestKind.SHA256, str(parent.get("sha256", "")))
        relation = _RELATIONS.get(str(parent.get("role", "")))
        if digest is None or relation is None:
            continue
        name = str(parent.get("name", ""))[:LONGEST]
        weight = _number(parent.get("weight"))
        yield Edge(Parent(Trust.SHA256, digest.value), relation, f"metadata:{KEY}", name, weight, method)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)
