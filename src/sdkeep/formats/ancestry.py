"""Where a file says it came from: its metadata as lineage edges, each with the claim as it stood there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from sdkeep.formats.known import WEIGHTS
from sdkeep.formats.making import making_edges
from sdkeep.formats.recipes import recipe_edges
from sdkeep.formats.tolerant import LONGEST, parsed, value
from sdkeep.ground.digest import DIGITS, EMPTY_SHA256, Digest, DigestKind
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust

Scalar = str | int | float | bool | None

CARRIED = "metadata:sd_merge_models"
"""Who says so, of edges between the ancestors of a merge."""

_MOST = 64
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_MERGE_SLOTS = ("primary", "secondary", "tertiary")
_LOADED = ("ckpt_name", "unet_name", "lora_name")


def edges(metadata: Mapping[str, str], extras: Mapping[str, Scalar] | None = None) -> tuple[Edge, ...]:
    """The parents a file claims. `extras` are the plain values beside a pickle's tensors, where embeddings say it."""
    found = [
        *_rewritten(metadata),
        *making_edges(metadata),
        *_trained(metadata),
        *_merged(metadata),
        *_listed(metadata),
    ]
    found += [*_graph(metadata), *_pickled(extras or {}), *_carried(metadata)]
    return tuple(dict.fromkeys(found))[:_MOST]


def ancestors(metadata: Mapping[str, str]) -> tuple[tuple[str, Edge], ...]:
    """Edges between ancestors that a merge carries along: pairs of the child's SHA-256 and its edge."""
    models = parsed(metadata.get("sd_merge_models", ""))
    if not isinstance(models, dict):
        return ()
    known = _names(models)
    found: list[tuple[str, Edge]] = []
    for child, facts in list(models.items())[:_MOST]:
        digest = Digest.of(DigestKind.SHA256, child)
        if digest and isinstance(facts, dict) and isinstance(facts.get("sd_merge_recipe"), dict):
            found += [(digest.value, edge) for edge in _recipe(facts["sd_merge_recipe"], known)]
    return tuple(found)


def _carried(metadata: Mapping[str, str]) -> Iterator[Edge]:
    """The same as claims of the merge itself: it was made from them too, only not directly."""
    for child, edge in ancestors(metadata):
        yield replace(edge, source=CARRIED, verbatim=f"{child}: {edge.verbatim}"[:LONGEST])


def carried(edge: Edge) -> tuple[str, Edge] | None:
    """The ancestor's SHA-256 and its edge, of a claim that a merge carries along; None for any other claim."""
    child, colon, verbatim = edge.verbatim.partition(": ")
    if edge.source != CARRIED or not colon or not Digest.of(DigestKind.SHA256, child):
        return None
    return child, replace(edge, source="metadata:sd_merge_recipe", verbatim=verbatim)


def ancestor_names(metadata: Mapping[str, str]) -> dict[str, str]:
    """What a merge calls the models that took part in it, by their SHA-256."""
    named = _names(parsed(metadata.get("sd_merge_models", "")))
    found = ((Digest.of(DigestKind.SHA256, key), name) for key, name in list(named.items())[:_MOST])
    return {digest.value: name[:LONGEST] for digest, name in found if digest}


def _rewritten(metadata: Mapping[str, str]) -> Iterator[Edge]:
    """The file that sdkeep wrote this one from: converted, or the same tensors under other metadata."""
    for key, method in (("sdkeep.converted_from", ""), ("sdkeep.edited_from", "metadata")):
        digest = Digest.of(DigestKind.SHA256, value(metadata, key).removeprefix("sha256:"))
        if digest:
            parent = Parent(Trust.SHA256, digest.value)
            yield Edge(parent, Relation.CONVERTED_FROM, f"metadata:{key}", metadata[key], method=method)


def _trained(metadata: Mapping[str, str]) -> Iterator[Edge]:
    """The model that an adapter or embedding was trained on: one edge, by the strongest of its labels."""
    labels = {key: value(metadata, key) for key in ("ss_new_sd_model_hash", "ss_sd_model_hash", "ss_sd_model_name")}
    labels["ss_base_model"] = value(metadata, "ss_base_model")
    verbatim = "; ".join(f"{key}={text}" for key, text in labels.items() if text)[:LONGEST]
    parent = next((parent for text in labels.values() if (parent := _parent(text))), None)
    if parent:
        yield Edge(parent, Relation.TRAINED_ON, "metadata:ss_sd_model", verbatim)


def _parent(text: str) -> Parent | None:
    """What a label identifies: a hash by its length, a repository, else a bare name."""
    if not text:
        return None
    for kind in (DigestKind.SHA256, DigestKind.AUTOV1, DigestKind.AUTOV2):
        digest = Digest.of(kind, text) if len(text) == DIGITS[kind] else None
        if digest:
            if EMPTY_SHA256.startswith(digest.value):
                return None
            whole = kind is DigestKind.SHA256
            return Parent(Trust.SHA256, digest.value) if whole else Parent(Trust.SHORT_HASH, str(digest))
    if _REPOSITORY.fullmatch(text) and not text.lower().endswith(WEIGHTS):
        return Parent(Trust.HUB_ID, f"hf:{text}")
    name = re.split(r"[\\/]", text)[-1].strip()
    return Parent(Trust.NAME, name) if name else None


def _merged(metadata: Mapping[str, str]) -> Iterator[Edge]:
    own = tuple(recipe_edges(metadata))
    if own:  # sdkeep's own recipe says the same, and more exactly
        yield from own
        return
    recipe = parsed(metadata.get("sd_merge_recipe", ""))
    if isinstance(recipe, dict):
        yield from _recipe(recipe, _names(parsed(metadata.get("sd_merge_models", ""))))


def _names(models: object) -> dict[str, str]:
    """SHA-256 to name, from AUTOMATIC1111's list of every model that took part."""
    if not isinstance(models, dict):
        return {}
    named = {key: facts.get("name") for key, facts in models.items() if isinstance(facts, dict)}
    return {key: name for key, name in named.items() if isinstance(name, str)}


def _recipe(recipe: Mapping[str, object], names: Mapping[str, str]) -> Iterator[Edge]:
    method = _text(recipe.get("interp_method") or recipe.get("mode"))
    weights = _weights(method, recipe.get("multiplier"))
    for slot, weight in zip(_MERGE_SLOTS, weights, strict=True):
        label = _text(recipe.get(f"{slot}_model_hash")) or _text(recipe.get(f"model_{'abc'[_MERGE_SLOTS.index(slot)]}"))
        parent = _parent(label)
        if parent:
            alone = method.lower() == "no interpolation"
            name = names.get(label, "")
            verbatim = f"{slot}={label}" + (f" ({name})" if name else "")
            relation = Relation.CONVERTED_FROM if alone else Relation.MERGE_OF
            yield Edge(parent, relation, "metadata:sd_merge_recipe", verbatim[:LONGEST], weight, method)
    baked = _text(recipe.get("bake_in_vae"))
    if baked and baked.lower() != "none":
        yield Edge(
            Parent(Trust.NAME, baked), Relation.VAE_BAKED_FROM, "metadata:sd_merge_recipe", f"bake_in_vae={baked}"
        )


def _weights(method: str, multiplier: object) -> tuple[float | None, float | None, float | None]:
    """The factor of each model in AUTOMATIC1111's three formulas; unknown methods have none."""
    if isinstance(multiplier, bool) or not isinstance(multiplier, int | float):
        return None, None, None
    share = float(multiplier)
    if not -1e6 < share < 1e6:
        return None, None, None
    return {
        "weighted sum": (1 - share, share, None),
        "add difference": (1.0, share, -share),
        "no interpolation": (1.0, None, None),
    }.get(method.lower(), (None, None, None))


def _listed(metadata: Mapping[str, str]) -> Iterator[Edge]:
    text = value(metadata, "modelspec.merged_from")
    for title in text.split(","):
        if title.strip():
            yield Edge(Parent(Trust.NAME, title.strip()), Relation.MERGE_OF, "metadata:modelspec.merged_from", text)


def _graph(metadata: Mapping[str, str]) -> Iterator[Edge]:
    """A checkpoint saved by ComfyUI holds the graph that made it: loaders are parents, merge nodes the method."""
    graph = parsed(metadata.get("prompt", ""))
    if not isinstance(graph, dict):
        return
    nodes = [node for node in list(graph.values())[:1000] if isinstance(node, dict)]
    methods = [
        kind for node in nodes if (kind := _text(node.get("class_type"))).startswith(("ModelMerge", "CLIPMerge"))
    ]
    for node in nodes:
        inputs = node.get("inputs")
        for key in _LOADED:
            name = _text(inputs.get(key)) if isinstance(inputs, dict) else ""
            parent = _parent(name)
            if parent:
                relation = Relation.MERGE_OF if methods or key == "lora_name" else Relation.CONVERTED_FROM
                method = methods[0] if methods else ""
                yield Edge(parent, relation, "metadata:prompt", f"{key}={name}"[:LONGEST], None, method)


def _pickled(extras: Mapping[str, Scalar]) -> Iterator[Edge]:
    """AUTOMATIC1111 embeddings and hypernetworks name the checkpoint they were trained on beside their tensors."""
    labels = [_text(extras.get(key)) for key in ("sd_checkpoint", "sd_checkpoint_name")]
    parent = next((parent for text in labels if (parent := _parent(text))), None)
    if parent:
        verbatim = " ".join(text for text in labels if text)
        yield Edge(parent, Relation.TRAINED_ON, "file:sd_checkpoint", verbatim[:LONGEST])


def _text(found: object) -> str:
    return found.strip()[:LONGEST] if isinstance(found, str) else ""
