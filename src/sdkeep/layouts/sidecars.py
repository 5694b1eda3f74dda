"""The small JSON files that WebUIs and their extensions keep beside a model.

Written: AUTOMATIC1111's `<stem>.json`, added to an existing one without losing a word of it. Read, leniently:
that one and Civitai Helper's `<stem>.civitai.info`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import StoreError, WouldOverwrite
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.text import plain, printable
from sdkeep.layouts.values import Layout
from sdkeep.layouts.writing import Written, rewrite, write_new

_LONGEST = 8 << 20
_ADAPTERS = frozenset({Kind.LORA, Kind.LYCORIS})


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


@dataclass(frozen=True, slots=True)
class HubNote:
    """What a `.civitai.info` says of a file: claims, any of which may be missing or wrong."""

    model_id: str = ""
    version_id: str = ""
    model_name: str = ""
    version_name: str = ""
    base: str = ""
    kind_text: str = ""
    trigger_words: tuple[str, ...] = ()
    digests: tuple[Digest, ...] = ()


def write_a1111(layout: Layout, model: Path, card: Card, ours: str = "") -> Written | None:
    """Write or complete the `.json` beside `model`; None when there is nothing to change.

    `ours` is the SHA-256 of the file as we last wrote it: only then are values replaced, else only missing and empty
    ones are filled, and every other key is kept. Raises `WouldOverwrite` for a file of another dialect, or unreadable.
    """
    path = model.with_suffix(".json")
    if not os.path.lexists(path):
        return write_new(path, _encoded(_a1111_keys(layout, card)))
    before = _read(path) if path.is_file() and not path.is_symlink() else None
    said = _object(before)
    if before is None or said is None:
        raise WouldOverwrite(f"cannot write `{path}`", "what lies there is no JSON object", "move it away")
    if "modelVersions" in said:
        raise WouldOverwrite(
            f"cannot write `{path}`", "it holds a description that SD.Next or Civitai wrote", "move it away"
        )
    same = bool(ours) and hashlib.sha256(before).hexdigest() == ours
    wanted = {key: value for key, value in _a1111_keys(layout, card).items() if same or _is_empty(said, key)}
    data = _encoded(dict(said) | wanted)
    if all(said.get(key) == value for key, value in wanted.items()):
        return None
    return rewrite(path, data, created=same)


def read_a1111(path: Path, kind: Kind = Kind.UNKNOWN) -> Card | None:
    """An A1111 `.json`; None for what is none (SD.Next's of the same name included)."""
    said = _object(_read(path))
    if said is None or "modelVersions" in said:
        return None
    weight = said.get("preferred weight", 0)
    return Card(
        kind,
        _FAMILIES.get(_text(said, "sd version"), Family.UNKNOWN),
        plain(_text(said, "description")),
        printable(_text(said, "activation text")),
        float(weight) if isinstance(weight, int | float) and 0 <= weight <= 10 else 0.0,
        printable(_text(said, "negative text")),
        printable(_text(said, "notes")),
    )


def read_civitai_info(path: Path) -> HubNote | None:
    """A `.civitai.info`; None for what names no Civitai version."""
    said = _object(_read(path))
    if said is None or not _number(said, "id"):
        return None
    inner = said.get("model")
    model: Mapping[str, object] = inner if isinstance(inner, dict) else {}
    words = said.get("trainedWords")
    return HubNote(
        model_id=_number(said, "modelId"),
        version_id=_number(said, "id"),
        model_name=printable(_text(model, "name")),
        version_name=printable(_text(said, "name")),
        base=printable(_text(said, "baseModel")),
        kind_text=printable(_text(model, "type")),
        trigger_words=tuple(printable(word) for word in words if isinstance(word, str))
        if isinstance(words, list)
        else (),
        digests=tuple(_digests(said.get("files"))),
    )


def _a1111_keys(layout: Layout, card: Card) -> dict[str, object]:
    keys: dict[str, object] = {"description": plain(card.description), "notes": printable(card.notes)}
    if card.kind in _ADAPTERS:
        keys["sd version"] = layout.sd_versions.get(card.family, "Unknown")
        keys["activation text"] = printable(card.activation)
        keys["preferred weight"] = card.weight
        keys["negative text"] = printable(card.negative)
    return keys


def _is_empty(said: Mapping[str, object], key: str) -> bool:
    return said.get(key) in (None, "", 0, "Unknown")


def _encoded(said: Mapping[str, object]) -> bytes:
    try:
        return (json.dumps(said, indent=4, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # a lone surrogate in somebody else's key
        return (json.dumps(said, indent=4) + "\n").encode()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= _LONGEST else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read `{path}`", error.strerror or str(error), f"`ls -l '{path}'`") from error


def _object(data: bytes | None) -> dict[str, object] | None:
    try:
        said = json.loads((data or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _text(said: Mapping[str, object], key: str) -> str:
    value = said.get(key)
    return value if isinstance(value, str) else ""


def _number(said: Mapping[str, object], key: str) -> str:
    value = said.get(key)
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if text.isdecimal() and text.isascii() and len(text) <= 15 else ""


def _digests(files: object) -> list[Digest]:
    if not isinstance(files, list):
        return []
    hashes = [file["hashes"] for file in files if isinstance(file, dict) and isinstance(file.get("hashes"), dict)]
    pairs = [(kind, value) for each in hashes for kind, value in each.items() if isinstance(value, str)]
    found = [Digest.of(kind, value) for kind, value in pairs if str(kind).lower() in list(DigestKind)]
    return [digest for digest in found if digest is not None]


_FAMILIES = {"SD1": Family.SD1, "SD2": Family.SD2, "SDXL": Family.SDXL, "Flux": Family.FLUX1}
