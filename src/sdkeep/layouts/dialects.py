"""What each dialect of sidecar says, put into one shape. Claims as they stand there: nothing is checked against bytes.

Where a dialect describes a whole page or version, the file meant is told by its name and size among the files listed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import NsfwLevel
from sdkeep.ground.text import one_line, plain, printable
from sdkeep.layouts.jsonfile import amount_in, number_in, object_in, objects_in, text_in, texts_in
from sdkeep.layouts.prompt import trigger_words

_STRANGERS = ("nodes", "last_node_id", "_class_name", "ModelId", "weight_map", "file_path")
"""Keys by which a `NAME.json` is known to be no sidecar: a workflow, a diffusers part, an index, another's sidecar."""

_WORDS = 400
_MOST_WORDS = 500
_LONG = 100_000


class Dialect(StrEnum):
    """Who wrote a sidecar, by its schema and not by its name alone."""

    CIVITAI_INFO = "civitai-info"
    CM_INFO = "cm-info"
    LORA_MANAGER = "lora-manager"
    SDNEXT = "sdnext-json"
    API_INFO = "api-info"
    A1111 = "a1111-json"
    SWARM = "swarm-json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Claims:
    """What one sidecar claims. Ids are Civitai's, as digits; `level` None is not stated; `weight` 0 is none."""

    model_id: str = ""
    version_id: str = ""
    name: str = ""
    version_name: str = ""
    file_name: str = ""
    base: str = ""
    kind_text: str = ""
    creator: str = ""
    description: str = ""
    trigger_words: tuple[str, ...] = ()
    negative: str = ""
    weight: float = 0.0
    notes: str = ""
    level: NsfwLevel | None = None
    digests: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """The model that a sidecar lies beside: its file name and its size in bytes (0 where it is not known)."""

    file_name: str
    size: int = 0


def dialect_of(ending: str, said: Mapping[str, object]) -> Dialect | None:
    """The dialect of a JSON sidecar with this ending (`.json`), told by its keys; None for a stranger's."""
    if ending == ".civitai.info":
        return Dialect.CIVITAI_INFO if number_in(said, "id") or number_in(said, "modelId") else None
    if ending == ".cm-info.json":
        return Dialect.CM_INFO if {"ModelId", "ModelName", "VersionId", "Hashes"} & said.keys() else None
    if ending == ".metadata.json":
        return Dialect.LORA_MANAGER if {"file_name", "model_name", "sha256", "civitai"} & said.keys() else None
    if ending == ".swarm.json":
        return Dialect.SWARM
    if "modelVersions" in said:
        return Dialect.API_INFO if ending == ".api_info.json" else Dialect.SDNEXT
    if ending == ".api_info.json":
        return Dialect.API_INFO if number_in(said, "id") else None
    strange = any(key in said for key in _STRANGERS) or any(key.startswith("modelspec.") for key in said)
    return None if strange else Dialect.A1111


def claims_of(dialect: Dialect, said: Mapping[str, object], beside: Beside) -> Claims:
    """What a sidecar of this dialect claims of the model it lies beside."""
    match dialect:
        case Dialect.CIVITAI_INFO:
            return _version(said, object_in(said, "model"), beside)
        case Dialect.SDNEXT | Dialect.API_INFO:
            return _page(said, beside) if "modelVersions" in said else _version(said, object_in(said, "model"), beside)
        case Dialect.CM_INFO:
            return _connected(said)
        case Dialect.LORA_MANAGER:
            return _managed(said, beside)
        case Dialect.SWARM:
            return _swarm(said)
        case Dialect.A1111:
            return _a1111(said)
        case Dialect.TEXT:
            return Claims(description=_paragraphs(text_in(said, "text")))


def _version(said: Mapping[str, object], model: Mapping[str, object], beside: Beside) -> Claims:
    file = _file_meant(objects_in(said, "files"), beside)
    return Claims(
        model_id=number_in(said, "modelId") or number_in(model, "id"),
        version_id=number_in(said, "id"),
        name=_line(text_in(model, "name")),
        version_name=_line(text_in(said, "name")),
        file_name=_line(text_in(file, "name")),
        base=_line(text_in(said, "baseModel")),
        kind_text=_line(text_in(model, "type")),
        creator=_line(text_in(object_in(said, "creator"), "username")),
        description=_paragraphs(text_in(model, "description") or text_in(said, "description")),
        trigger_words=_words(texts_in(said, "trainedWords")),
        level=_level(said.get("nsfwLevel"), model.get("nsfw")),
        digests=_digests(object_in(file, "hashes")),
    )


def _page(said: Mapping[str, object], beside: Beside) -> Claims:
    versions = objects_in(said, "modelVersions")
    meant = [one for one in versions if _file_meant(objects_in(one, "files"), beside, strict=True)]
    chosen = meant[0] if len(meant) == 1 else versions[0] if len(versions) == 1 else {}
    page = {**said, "creator": None}
    found = _version({**chosen, "modelId": said.get("id"), "creator": said.get("creator")}, page, beside)
    return (
        found
        if chosen
        else Claims(
            model_id=found.model_id,
            name=found.name,
            kind_text=found.kind_text,
            creator=found.creator,
            description=found.description,
            level=_level(said.get("nsfwLevel"), said.get("nsfw")),
        )
    )


def _connected(said: Mapping[str, object]) -> Claims:
    civitai = text_in(said, "Source").lower() in ("", "civitai")
    return Claims(
        model_id=number_in(said, "ModelId") if civitai else "",
        version_id=number_in(said, "VersionId") if civitai else "",
        name=_line(text_in(said, "UserTitle", "ModelName")),
        version_name=_line(text_in(said, "VersionName")),
        file_name=_line(text_in(said, "RemoteFileName")),
        base=_line(text_in(said, "BaseModel")),
        kind_text=_line(text_in(said, "ModelType")),
        creator=_line(text_in(said, "AuthorUsername")),
        description=_paragraphs(text_in(said, "ModelDescription", "VersionDescription")),
        trigger_words=_words(texts_in(said, "TrainedWords")),
        level=_level(None, said.get("Nsfw")),
        digests=_digests(object_in(said, "Hashes")),
    )


def _managed(said: Mapping[str, object], beside: Beside) -> Claims:
    inner = object_in(said, "civitai")
    version = _version(inner, object_in(inner, "model"), beside)
    tips = _tips(text_in(said, "usage_tips"))
    hashes = {"sha256": said.get("sha256"), "autov3": said.get("autov3")}
    return Claims(
        model_id=version.model_id,
        version_id=version.version_id,
        name=_line(text_in(said, "model_name")) or version.name,
        version_name=version.version_name,
        file_name=version.file_name,
        base=_line(_known(text_in(said, "base_model"))) or version.base,
        kind_text=version.kind_text,
        creator=version.creator,
        description=_paragraphs(text_in(said, "modelDescription")) or version.description,
        trigger_words=_words(texts_in(said, "trainedWords")) or version.trigger_words,
        weight=amount_in(tips, "strength"),
        notes=printable(text_in(said, "notes"))[:_LONG],
        level=_level(said.get("preview_nsfw_level"), None) or version.level,
        digests=_once((*_digests(hashes), *version.digests)),
    )


def _swarm(said: Mapping[str, object]) -> Claims:
    facts = {key.removeprefix("modelspec."): value for key, value in said.items()}
    payload = Digest.of(DigestKind.AUTOV3, text_in(facts, "hash_sha256", "hash"))
    return Claims(
        name=_line(text_in(facts, "title")),
        creator=_line(text_in(facts, "author")),
        description=_paragraphs(text_in(facts, "description")),
        trigger_words=_words(texts_in(facts, "trigger_phrase")),
        notes=printable(text_in(facts, "usage_hint"))[:_LONG],
        digests=(payload,) if payload else (),
    )


def _a1111(said: Mapping[str, object]) -> Claims:
    return Claims(
        model_id=number_in(said, "modelId"),
        base=_line(_known(text_in(said, "sd version"))),
        description=_paragraphs(text_in(said, "description")),
        trigger_words=_words(texts_in(said, "activation text")),
        negative=printable(text_in(said, "negative text"))[:_LONG],
        weight=amount_in(said, "preferred weight"),
        notes=printable(text_in(said, "notes"))[:_LONG],
        digests=_digests({"sha256": said.get("sha256")}),
    )


def _file_meant(files: tuple[Mapping[str, object], ...], beside: Beside, strict: bool = False) -> Mapping[str, object]:
    """The entry that is the file beside us: by name, else by size; a lone one where nothing contradicts it."""
    named = [one for one in files if text_in(one, "name").casefold() == beside.file_name.casefold()]
    if len(named) == 1:
        return named[0]
    sized = [one for one in named or files if beside.size and _has_size(one, beside.size)]
    if len(sized) == 1:
        return sized[0]
    return files[0] if len(files) == 1 and not strict else {}


def _has_size(file: Mapping[str, object], size: int) -> bool:
    kib = file.get("sizeKB")
    return isinstance(kib, int | float) and abs(kib * 1024 - size) < 1


def _digests(hashes: Mapping[str, object]) -> tuple[Digest, ...]:
    found = (Digest.of(str(kind), value) for kind, value in hashes.items() if isinstance(value, str))
    return _once(digest for digest in found if digest is not None)


def _level(bits: object, adult: object) -> NsfwLevel | None:
    """Civitai's bits (1 PG, 2 PG13, 4 R, 8 X, 16 XXX), the mildest set, as everywhere; a bare `nsfw` counts as R."""
    ladder = list(NsfwLevel)
    stated = bits if isinstance(bits, int) and not isinstance(bits, bool) and bits > 0 else 0
    level = ladder[min((stated & -stated).bit_length() - 1, len(ladder) - 1)] if stated else None
    if adult is True:
        return max(level or NsfwLevel.R, NsfwLevel.R, key=lambda one: one.rank)
    return level or (NsfwLevel.PG if adult is False else None)


def _tips(text: str) -> Mapping[str, object]:
    try:
        said = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _known(text: str) -> str:
    return "" if text.strip().lower() in ("unknown", "other", "") else text


def _words(texts: Iterable[str]) -> tuple[str, ...]:
    return trigger_words(texts)[:_MOST_WORDS]


def _line(text: str) -> str:
    return one_line(text, _WORDS)


def _paragraphs(text: str) -> str:
    return plain(text[:_LONG])


def _once(digests: Iterable[Digest]) -> tuple[Digest, ...]:
    return tuple(dict.fromkeys(digests))
