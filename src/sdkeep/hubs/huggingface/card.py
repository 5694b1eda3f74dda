"""A model card's front matter as claims: base models, licence, trigger words. Every field may be missing or odd."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urljoin, urlsplit

from sdkeep.formats.licences import licence_called
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.ref import HfRef

Card = Mapping[str, object]

SOURCE = "huggingface-card"
_RELATIONS = {
    "finetune": Relation.FINETUNE_OF,
    "adapter": Relation.ADAPTER_FOR,
    "merge": Relation.MERGE_OF,
    "quantized": Relation.CONVERTED_FROM,
}
_ADAPTERS = frozenset({Kind.LORA, Kind.LYCORIS, Kind.CONTROLNET, Kind.T2I_ADAPTER, Kind.IP_ADAPTER, Kind.EMBEDDING})


def texts(value: object) -> tuple[str, ...]:
    """The words of a field that may be a word, a list of words or something else; empty ones dropped."""
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(text for item in items if isinstance(item, str) and (text := item.strip()))


def text(value: object) -> str:
    """The first of `texts`, or nothing."""
    return next(iter(texts(value)), "")


def base_models(card: Card, tags: Sequence[str]) -> tuple[str, ...]:
    """The base models that the card names, else those of the hub's own `base_model:` tags."""
    named = texts(card.get("base_model"))
    tagged = (tag.removeprefix("base_model:") for tag in tags if tag.startswith("base_model:"))
    return tuple(dict.fromkeys(named or (tag for tag in tagged if tag.partition(":")[0] not in _RELATIONS)))


def edges(card: Card, tags: Sequence[str], kind: Kind) -> tuple[Edge, ...]:
    """One edge per base model. The relation is the card's, else the hub's, else what kind and number suggest."""
    bases = base_models(card, tags)
    guess = Relation.ADAPTER_FOR if kind in _ADAPTERS else Relation.FINETUNE_OF
    relation = _relation(card, tags) or (Relation.MERGE_OF if len(bases) > 1 else guess)
    verbatim = json.dumps(
        {key: card[key] for key in ("base_model", "base_model_relation") if card.get(key)}
        or {"tags": [tag for tag in tags if tag.startswith("base_model:")]},
        ensure_ascii=False,
        default=str,
    )
    return tuple(Edge(_parent(base), relation, SOURCE, verbatim) for base in bases)


def licence(card: Card, tags: Sequence[str], page: str) -> Licence:
    """The licence that the card states (else the hub's tag), with the known permissions of its id."""
    tagged = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), "")
    id_ = text(card.get("license")) or tagged
    name, link = text(card.get("license_name")), _link(text(card.get("license_link")), page)
    if not id_ and not name:
        return Licence()
    known = licence_called(id_, name)
    stated = {key: card[key] for key in ("license", "license_name", "license_link") if card.get(key)}
    return Licence(
        id=id_ if id_ not in ("", "other") else name or id_,
        name=known.name if known else name or id_,
        url=link or (known.url if known else ""),
        allows=dict(known.allows) if known else {},
        base_model=next(iter(base_models(card, tags)), ""),
        source=SOURCE,
        verbatim=json.dumps(stated or {"license": id_}, ensure_ascii=False, default=str),
    )


def trigger_words(card: Card) -> tuple[str, ...]:
    """The words that the card's `instance_prompt` names, without the quotes that trainers wrap it in."""
    found = (prompt.strip("\"' \t") for prompt in texts(card.get("instance_prompt")))
    return tuple(dict.fromkeys(prompt for prompt in found if prompt))


def _relation(card: Card, tags: Sequence[str]) -> Relation | None:
    stated = text(card.get("base_model_relation")).lower()
    tagged = (tag.split(":")[1] for tag in tags if tag.startswith("base_model:") and tag.count(":") >= 2)
    return next((_RELATIONS[word] for word in (stated, *tagged) if word in _RELATIONS), None)


def _parent(base: str) -> Parent:
    owner, slash, name = base.partition("/")
    if slash and owner and name and "/" not in name and " " not in base:
        return Parent(Trust.CARD, str(HfRef(base)))
    return Parent(Trust.NAME, base)


def _link(link: str, page: str) -> str:
    if not link:
        return ""
    address = urljoin(f"{page}/blob/main/", link)
    parts = urlsplit(address)
    return address if parts.scheme in ("http", "https") and parts.hostname else ""
