"""Civitai's answers as they come, and what they mean in ground values.

Three years of shapes are read alike. Only an answer without its own id is refused (`HubGarbled`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sdkeep.formats.bases import family_of
from sdkeep.ground.errors import HubGarbled
from sdkeep.ground.kinds import Kind, Role
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.model import Model, Preview, Release, RemoteFile
from sdkeep.hubs.civitai import terms, words
from sdkeep.hubs.civitai.files import Site, query_of, read_files
from sdkeep.hubs.civitai.lenient import Flag, Number, Text, Texts, Whole, Wire, mapping, mappings

_HUB = "civitai"
_NO_BASE = ("", "other", "upscaler")
_ADAPTERS = {
    Kind.LORA,
    Kind.LYCORIS,
    Kind.EMBEDDING,
    Kind.HYPERNETWORK,
    Kind.AESTHETIC_GRADIENT,
    Kind.CONTROLNET,
    Kind.MOTION_MODULE,
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search and the cursor of the next, empty at the end."""

    models: tuple[Model, ...]
    cursor: str


class _Picture(Wire):
    url: Text = ""
    nsfw_level: Whole = None
    width: Whole = None
    height: Whole = None
    type: Text = ""


class Version(Wire):
    """A version, raw; `model_id` is the model it belongs to."""

    id: Whole = None
    model_id: Whole = None
    name: Text = ""
    description: Text = ""
    base_model: Text = ""
    created_at: Text = ""
    published_at: Text = ""
    trained_words: Texts = ()
    usage_control: Text = ""
    availability: Text = ""
    early_access_ends_at: Text = ""
    early_access_time_frame: Whole = None
    nsfw_level: Whole = None
    air: Text = ""


class _Model(Wire):
    id: Whole = None
    name: Text = ""
    description: Text = ""
    type: Text = ""
    mode: Text = ""
    availability: Text = ""
    tags: Texts = ()
    checkpoint_type: Text = ""
    nsfw: Flag = None
    nsfw_level: Whole = None
    poi: Flag = None
    minor: Flag = None
    sfw_only: Flag = None


class _Counts(Wire):
    download_count: Whole = None
    rating: Number = None
    rating_count: Whole = None


def version_of(body: Mapping[str, object]) -> Version:
    """The facts of a version as they stand in its answer."""
    return Version.model_validate(body)


def read_model(payload: object, site: Site) -> Model:
    """The model page behind an answer of `models/:id` or one item of `models`."""
    body = mapping(payload)
    model = _Model.model_validate(body)
    if not model.id:
        raise HubGarbled("Civitai answered with something that is no model", "the answer has no id")
    versions = [item for item in mappings(body.get("modelVersions")) if Version.model_validate(item).id]
    return Model(
        hub=_HUB,
        id=str(model.id),
        name=model.name,
        kind=words.kind(model.type),
        releases=tuple(read_release(version, site, body) for version in versions),
        page=f"{site.shown or site.base}/models/{model.id}",
        raw=_raw({name: value for name, value in body.items() if name != "modelVersions"}),
    )


def read_release(payload: object, site: Site, owner: Mapping[str, object] | None = None) -> Release:
    """The release behind a version; `owner` is its model's own answer, without which creator and licence stay empty."""
    body = mapping(payload)
    version = Version.model_validate(body)
    if not version.id:
        raise HubGarbled("Civitai answered with something that is no model version", "the answer has no id")
    known = {"id": version.model_id, **mapping(body.get("model")), **(owner or {})}
    model = _Model.model_validate(known)
    shown = site.shown or site.base
    files = read_files(body, version.id, site)
    kind = _kind(model, files)
    gate, until = terms.access(_gate(version, model, body), site.now)
    published = terms.moment(version.published_at) or terms.moment(version.created_at)
    counts = _Counts.model_validate(mapping(body.get("stats")))
    return Release(
        hub=_HUB,
        model_id=str(model.id or ""),
        id=str(version.id),
        model_name=model.name,
        name=version.name,
        kind=kind,
        kind_text=model.type,
        base=version.base_model,
        family=family_of(version.base_model),
        files=files,
        trigger_words=words.trigger_words(version.trained_words),
        creator=_creator(known),
        tags=model.tags,
        description="\n\n".join(part for part in (version.description, model.description) if part),
        licence=terms.licence(
            known, version.base_model, f"{shown}/models/license/{version.id}", site.now.date().isoformat()
        ),
        level=words.model_level(version.nsfw_level or model.nsfw_level or 0, bool(model.nsfw)),
        nsfw=bool(model.nsfw),
        poi=bool(model.poi),
        minor=bool(model.minor),
        sfw_only=bool(model.sfw_only),
        merged=_merged(model),
        access=gate,
        access_until=until,
        published=terms.utc(published) if published else "",
        previews=_previews(body),
        page=f"{shown}/models/{model.id}?modelVersionId={version.id}" if model.id else "",
        air=version.air,
        parents=_parents(version.base_model, kind),
        downloads=counts.download_count or 0,
        rating=counts.rating if counts.rating_count else None,
        raw=_raw(_with_model(body, known)),
    )


def read_page(payload: object, site: Site) -> Page:
    """One page of `models`; entries that are no models are passed over."""
    body = mapping(payload)
    if not isinstance(body.get("items"), list):
        raise HubGarbled("Civitai answered a search with something that is no list of models", "it has no items")
    items = [item for item in mappings(body["items"]) if _Model.model_validate(item).id]
    about = mapping(body.get("metadata"))
    cursor = about.get("nextCursor")
    if cursor in (None, ""):
        query = query_of(str(about.get("nextPage") or ""))
        cursor = query.get("cursor", "")
    return Page(tuple(read_model(item, site) for item in items), cursor if isinstance(cursor, str) else str(cursor))


def _kind(model: _Model, files: tuple[RemoteFile, ...]) -> Kind:
    """A page typed Checkpoint whose main file is a bare diffusion model holds a diffusion model."""
    kind = words.kind(model.type)
    main = next((file for file in files if file.primary), None)
    if kind is Kind.CHECKPOINT and main is not None and main.role is Role.DIFFUSION_MODEL:
        return Kind.DIFFUSION_MODEL
    return kind


def _gate(version: Version, model: _Model, body: Mapping[str, object]) -> terms.Gate:
    paid = body.get("paidAccess")
    return terms.Gate(
        mode=model.mode,
        usage=version.usage_control,
        availability=version.availability or model.availability,
        paid=paid if isinstance(paid, dict) else None,
        ends_at=version.early_access_ends_at,
        days=version.early_access_time_frame or 0,
        published=version.published_at or version.created_at,
    )


def _creator(known: Mapping[str, object]) -> str:
    name = mapping(known.get("creator")).get("username")
    return name if isinstance(name, str) else ""


def _merged(model: _Model) -> bool | None:
    match model.checkpoint_type.lower():
        case "merge":
            return True
        case "trained":
            return False
        case _:
            return True if any(tag.lower() in ("merge", "merged", "merged model") for tag in model.tags) else None


def _parents(base: str, kind: Kind) -> tuple[Edge, ...]:
    if base.lower() in _NO_BASE:
        return ()
    if kind in (Kind.CHECKPOINT, Kind.DIFFUSION_MODEL):
        relation = Relation.FINETUNE_OF
    elif kind in _ADAPTERS:
        relation = Relation.ADAPTER_FOR
    else:
        return ()
    return (Edge(Parent(Trust.NAME, base), relation, _HUB, f"baseModel: {base}"),)


def _previews(body: Mapping[str, object]) -> tuple[Preview, ...]:
    found = []
    for item in mappings(body.get("images")):
        picture = _Picture.model_validate(item)
        url = f"https:{picture.url}" if picture.url.startswith("//") else picture.url
        if url.startswith(("https://", "http://")):
            level = words.picture_level(picture.nsfw_level, item.get("nsfw"))
            found.append(Preview(url, level, picture.width or 0, picture.height or 0, picture.type == "video"))
    return tuple(found)


def _with_model(body: Mapping[str, object], known: Mapping[str, object]) -> dict[str, object]:
    """The version in the shape of `model-versions/:id`, whichever answer it came in."""
    inner = {name: known[name] for name in ("name", "type", "nsfw", "poi", "mode") if name in known}
    return {"modelId": known.get("id"), "model": inner, **body}


def _raw(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()
