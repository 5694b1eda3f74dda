"""The small JSON files that WebUIs and their extensions keep beside a model, as we write them.

Each dialect is added to an existing file without losing a word of it, and no file of another schema is touched.
`sidecar_reading` reads them all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import StoreError, WouldOverwrite
from sdkeep.ground.kinds import Family, Kind, NsfwLevel
from sdkeep.ground.text import plain, printable
from sdkeep.layouts.dialects import Dialect, dialect_of
from sdkeep.layouts.jsonfile import as_object, read_bytes
from sdkeep.layouts.values import Layout
from sdkeep.layouts.writing import Written, rewrite, write_new

_ADAPTERS = frozenset({Kind.LORA, Kind.LYCORIS})


@dataclass(frozen=True, slots=True)
class Published:
    """What is known of the file itself and of its release at Civitai; ids are digits, empty for a file from elsewhere.

    `digests` are those of the file, `size` its bytes, `imported` UTC ISO-8601, `preview` the picture beside it.
    """

    model_id: str = ""
    version_id: str = ""
    model_name: str = ""
    version_name: str = ""
    base: str = ""
    kind_text: str = ""
    creator: str = ""
    file_name: str = ""
    words: tuple[str, ...] = ()
    level: NsfwLevel = NsfwLevel.PG
    digests: tuple[Digest, ...] = ()
    size: int = 0
    imported: str = ""
    preview: str = ""


UNPUBLISHED = Published()


@dataclass(frozen=True, slots=True)
class Card:
    """What a WebUI shows about a model. `weight` 0 means the WebUI's own default."""

    kind: Kind
    family: Family = Family.UNKNOWN
    description: str = ""
    activation: str = ""
    weight: float = 0.0
    negative: str = ""
    notes: str = ""
    published: Published = UNPUBLISHED


def write_sidecar(dialect: str, layout: Layout, model: Path, card: Card, ours: str = "") -> Written | None:
    """Write or complete the sidecar of one dialect (`a1111-json`, `civitai-info`, `cm-info`, `lora-manager`).

    None when there is nothing to say or to change. `ours` is the SHA-256 of the file as we last wrote it: only then
    are values replaced, else only missing and empty ones are filled, and every other key is kept. Raises
    `WouldOverwrite` for a file of another schema, or one that cannot be read.
    """
    ending, keys = _DIALECTS[dialect]
    wanted = keys(layout, model, card)
    return _merge(Dialect(dialect), model.with_name(model.stem + ending), wanted, ours) if wanted else None


def sidecar_path(dialect: str, model: Path) -> Path:
    """Where the sidecar of a dialect lies."""
    return model.with_name(model.stem + _DIALECTS[dialect][0])


def _merge(dialect: Dialect, path: Path, wanted: Mapping[str, object], ours: str) -> Written | None:
    if not os.path.lexists(path):
        return write_new(path, _encoded(wanted))
    before = read_bytes(path) if not path.is_symlink() else None
    said = as_object(before)
    if before is None or said is None:
        raise WouldOverwrite(f"cannot write `{path}`", "what lies there is no JSON object", "move it away")
    if said and dialect_of(_DIALECTS[dialect][0], said) is not dialect:
        raise WouldOverwrite(f"cannot write `{path}`", "it holds a description that another tool wrote", "move it away")
    same = bool(ours) and hashlib.sha256(before).hexdigest() == ours
    added = {key: value for key, value in wanted.items() if same or _is_empty(said, key)}
    if all(said.get(key) == value for key, value in added.items()):
        return None
    return rewrite(path, _encoded(said | added), created=same)


def _a1111_keys(layout: Layout, _model: Path, card: Card) -> dict[str, object]:
    keys: dict[str, object] = {"description": plain(card.description), "notes": printable(card.notes)}
    if card.kind in _ADAPTERS:
        keys["sd version"] = layout.sd_versions.get(card.family, "Unknown")
        keys["activation text"] = printable(card.activation)
        keys["preferred weight"] = card.weight
        keys["negative text"] = printable(card.negative)
    return keys


def _civitai_keys(_layout: Layout, _model: Path, card: Card) -> dict[str, object]:
    """Civitai Helper's: the version as Civitai describes it; nothing for a file that does not come from there."""
    known = card.published
    if not known.version_id:
        return {}
    return {
        "id": int(known.version_id),
        "modelId": int(known.model_id),
        "name": printable(known.version_name),
        "baseModel": printable(known.base),
        "trainedWords": [printable(word) for word in known.words],
        "description": plain(card.description),
        "model": {
            "name": printable(known.model_name),
            "type": known.kind_text,
            "nsfw": known.level.rank >= NsfwLevel.R.rank,
        },
        "files": [{"name": known.file_name, "sizeKB": known.size / 1024, "hashes": _hashes(known)}],
        "downloadUrl": f"https://civitai.com/api/download/models/{known.version_id}",
    }


def _matrix_keys(_layout: Layout, _model: Path, card: Card) -> dict[str, object]:
    """StabilityMatrix's; nothing for a file that does not come from Civitai."""
    known = card.published
    if not known.version_id:
        return {}
    return {
        "ModelId": int(known.model_id),
        "ModelName": printable(known.model_name),
        "ModelDescription": plain(card.description),
        "Nsfw": known.level.rank >= NsfwLevel.R.rank,
        "Tags": [],
        "ModelType": known.kind_text,
        "VersionId": int(known.version_id),
        "VersionName": printable(known.version_name),
        "VersionDescription": "",
        "AuthorUsername": printable(known.creator),
        "BaseModel": printable(known.base),
        "RemoteFileName": known.file_name,
        "ImportedAt": known.imported,
        "Hashes": {key: value for key, value in _hashes(known).items() if key in ("SHA256", "CRC32", "BLAKE3")},
        "TrainedWords": [printable(word) for word in known.words],
    }


def _manager_keys(layout: Layout, model: Path, card: Card) -> dict[str, object]:
    """LoRA Manager's."""
    known = card.published
    civitai = _civitai_keys(layout, model, card)
    return {
        "file_name": model.stem,
        "model_name": printable(known.model_name) or model.stem,
        "file_path": model.as_posix(),
        "size": known.size,
        "modified": _mtime(model),
        "sha256": next((digest.value for digest in known.digests if digest.kind is DigestKind.SHA256), ""),
        "base_model": printable(known.base) or "Unknown",
        "preview_url": known.preview,
        "preview_nsfw_level": 1 << known.level.rank if known.preview else 0,
        "notes": printable(card.notes),
        "from_civitai": bool(civitai),
        "civitai": civitai,
        "tags": [],
        "modelDescription": plain(card.description),
    }


def _hashes(known: Published) -> dict[str, str]:
    names = {DigestKind.AUTOV1: "AutoV1", DigestKind.AUTOV2: "AutoV2", DigestKind.AUTOV3: "AutoV3"}
    return {names.get(digest.kind, digest.kind.upper()): digest.value.upper() for digest in known.digests}


def _mtime(model: Path) -> float:
    try:
        return model.stat().st_mtime
    except OSError as error:
        raise StoreError(f"cannot look at `{model}`", error.strerror or str(error), f"`ls -l '{model}'`") from error


def _is_empty(said: Mapping[str, object], key: str) -> bool:
    value = said.get(key)
    return value in (None, "", 0, "Unknown") or value in ([], {})


def _encoded(said: Mapping[str, object]) -> bytes:
    try:
        return (json.dumps(said, indent=4, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # a lone surrogate in somebody else's key
        return (json.dumps(said, indent=4) + "\n").encode()


_DIALECTS: dict[str, tuple[str, Callable[[Layout, Path, Card], dict[str, object]]]] = {
    "a1111-json": (".json", _a1111_keys),
    "civitai-info": (".civitai.info", _civitai_keys),
    "cm-info": (".cm-info.json", _matrix_keys),
    "lora-manager": (".metadata.json", _manager_keys),
}
