"""The sample model that comes with sdkeep: `digits`, drawn in three seconds, and what was made for it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

SAMPLE = "digits"
USUAL = {"cfg": 3.0}
"""What suits it where nothing else is asked for: it was made for a weaker guidance than large models."""
_NAMES = frozenset({SAMPLE, f"demo:{SAMPLE}"})


def sample_folder() -> Path:
    """Where the sample model and its adapters lie."""
    return Path(str(files("sdkeep"))) / "demo" / "models"


def sample_file(ref: str) -> Path | None:
    """The sample model's file when `ref` is its short name, `digits`; `name:digits` means the catalogue's instead."""
    if ref.strip().lower() not in _NAMES or Path(ref).exists():
        return None
    path = sample_folder() / f"{SAMPLE}.safetensors"
    return path if path.is_file() else None
