"""Labels: what a blob is called and where it came from, beside the blobs, so that a lost catalogue can be made anew.

<root>/labels/ab/<64 hex>.json   one small JSON object a blob, written whole or not at all
<root>/uis.json                  the registered WebUIs, the stores, the adopted folders

A label is a note, not the record: the catalogue decides while there is one, and nobody trusts a label's bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from sdkeep.store import platform
from sdkeep.store.trouble import told

UIS = "uis.json"
_LONGEST = 4 << 20


def label_path(root: Path, sha256: str) -> Path:
    """Where the label of a blob lies or would lie."""
    return root / "labels" / sha256[:2] / f"{sha256}.json"


def write(path: Path, facts: object) -> None:
    """Write a label or list; an equal one is left alone."""
    text = json.dumps(facts, ensure_ascii=True, indent=1, sort_keys=True) + "\n"
    with told(f"cannot write `{path}`", len(text)):
        if path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(platform.private_name(f".{path.name}", ".tmp"))
        try:
            with draft.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def read(path: Path) -> Mapping[str, object]:
    """What a label says; empty for none, or for one that cannot be read."""
    try:
        if path.stat().st_size > _LONGEST:
            return {}
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def text(said: Mapping[str, object], key: str) -> str:
    """A text of a label, empty for anything else."""
    value = said.get(key)
    return value if isinstance(value, str) else ""


def texts(said: Mapping[str, object], key: str) -> tuple[str, ...]:
    """A list of texts, without whatever in it is none."""
    value = said.get(key)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def objects(said: Mapping[str, object], key: str) -> Iterator[Mapping[str, object]]:
    """The objects in a list."""
    value = said.get(key)
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()
