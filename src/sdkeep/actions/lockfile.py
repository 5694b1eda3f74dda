"""`sdkeep.lock`: what a project's models are to the byte, as a value and as text. JSON, sorted, the same for the same.

    {"sdkeep-lock": 1, "models": {NAME: {"asked": {...}, "release": REF, "files": [{"sha256": ..., ...}], ...}}}

`asked` is what `sdkeep.toml` said when the model was locked: where the two differ the lock is stale. A file that comes
as a pickle has `became`, the SHA-256 of the safetensors that sdkeep makes of it, where that is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdkeep.ground.errors import BadSetting
from sdkeep.settings.user_file import replace_file

FORMAT = 1
NAME = "sdkeep.lock"
_MARK = "sdkeep-lock"
_HEX64 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file: its name, exact bytes, and where they can be had. `url` is canonical and holds no token."""

    name: str
    sha256: str
    size: int
    kind: str = ""
    url: str = ""
    became: str = ""
    became_size: int = 0


@dataclass(frozen=True, slots=True)
class LockedModel:
    """One model at one release. `asked` is what the project file said; `parents` are claims, one a line of text."""

    name: str
    asked: Mapping[str, object]
    release: str = ""
    title: str = ""
    base: str = ""
    licence: str = ""
    licence_url: str = ""
    parents: tuple[str, ...] = ()
    files: tuple[LockedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Lock:
    """All models of a project, by name."""

    models: Mapping[str, LockedModel] = field(default_factory=dict)


def read_lock(file: Path) -> Lock:
    """The lock in `file`; raises `BadSetting` for none, one of a newer sdkeep, or anything that is no lock."""
    try:
        if file.stat().st_size > _LONGEST:
            raise ValueError("it is too long to be one")
        said = json.loads(file.read_text(encoding="utf-8"))
        version = said.get(_MARK) if isinstance(said, dict) else None
        if not isinstance(version, int):
            raise ValueError(f"it does not say `{_MARK}`")
    except FileNotFoundError as error:
        raise BadSetting(f"`{file}` is not there", "nothing was locked yet", "`sdkeep lock` writes it") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadSetting(f"`{file}` is no lock of sdkeep", str(error), "`sdkeep lock` writes it anew") from error
    if version > FORMAT:
        raise BadSetting(
            f"`{file}` was written by a newer sdkeep",
            f"its form is {version}, this sdkeep knows {FORMAT}",
            "`pip install --upgrade sdkeep`",
        )
    models = _table(said, "models")
    return Lock({name: _model(file, name, _table(models, name)) for name in sorted(models)})


def write_lock(file: Path, lock: Lock) -> bool:
    """Write the lock, whole or not at all; False when it stood there word for word."""
    text = lock_text(lock)
    if file.is_file() and file.read_text(encoding="utf-8", errors="replace") == text:
        return False
    replace_file(file, text)
    return True


def lock_text(lock: Lock) -> str:
    """The text of a lock: the same for the same models, wherever it is made."""
    models = {name: _plain(model) for name, model in lock.models.items()}
    return json.dumps({_MARK: FORMAT, "models": models}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(model: LockedModel) -> dict[str, object]:
    facts: dict[str, object] = {
        "asked": dict(model.asked),
        "release": model.release,
        "title": model.title,
        "base": model.base,
        "licence": model.licence,
        "licence_url": model.licence_url,
        "parents": sorted(model.parents),
    }
    files = [_plain_file(one) for one in sorted(model.files, key=lambda one: (one.name, one.sha256))]
    return {key: value for key, value in facts.items() if value} | {"files": files}


def _plain_file(file: LockedFile) -> dict[str, object]:
    facts: dict[str, object] = {
        "name": file.name,
        "sha256": file.sha256,
        "size": file.size,
        "kind": file.kind,
        "url": file.url,
        "became": file.became,
        "became_size": file.became_size,
    }
    return {key: value for key, value in facts.items() if value}


def _model(file: Path, name: str, said: Mapping[str, object]) -> LockedModel:
    parents, files = said.get("parents", []), said.get("files", [])
    if not isinstance(parents, list) or not isinstance(files, list):
        raise _wrong(file, name)
    return LockedModel(
        name,
        _table(said, "asked"),
        _text(said, "release"),
        _text(said, "title"),
        _text(said, "base"),
        _text(said, "licence"),
        _text(said, "licence_url"),
        tuple(str(one) for one in parents),
        tuple(_file(file, name, one) for one in files),
    )


def _file(file: Path, name: str, said: object) -> LockedFile:
    if not isinstance(said, dict):
        raise _wrong(file, name)
    sha256, became, size, made = (said.get(key) for key in ("sha256", "became", "size", "became_size"))
    good = isinstance(sha256, str) and bool(_HEX64.fullmatch(sha256))
    good = good and (became is None or (isinstance(became, str) and bool(_HEX64.fullmatch(became))))
    if not good or not isinstance(size, int) or size < 0 or not isinstance(made or 0, int):
        raise _wrong(file, name)
    return LockedFile(
        _text(said, "name"),
        str(sha256),
        size,
        _text(said, "kind"),
        _text(said, "url"),
        str(became or ""),
        int(made or 0),
    )


def _wrong(file: Path, name: str) -> BadSetting:
    return BadSetting(f"`{name}` in `{file}` cannot be read", "it is not as `sdkeep lock` writes it", "`sdkeep lock`")


def _table(said: object, key: str) -> Mapping[str, object]:
    value = said.get(key) if isinstance(said, dict) else None
    return value if isinstance(value, dict) else {}


def _text(said: Mapping[str, object], key: str) -> str:
    value = said.get(key)
    return value if isinstance(value, str) else ""
