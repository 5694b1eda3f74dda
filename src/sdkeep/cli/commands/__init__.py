"""One module a verb (or a housekeeping group). Actions are imported inside the bodies, so that help stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

MODULES = (
    "search",
    "get",
    "show",
    "lineage",
    "ls",
    "add",
    "sync",
    "outdated",
    "update",
    "scan",
    "audit",
    "allow",
    "convert",
    "generate",
    "merge",
    "recipe",
    "lora",
    "embedding",
    "verify",
    "place",
    "rm",
    "lock",
    "dedupe",
    "du",
    "gc",
    "doctor",
    "ui",
    "auth",
    "config",
    "db",
    "demo",
)
"""Modules in the order that help lists their verbs; each brings the verb or group of its name, or more."""


def register(app: typer.Typer, word: str = "") -> None:
    """Put every verb on `app`; when `word` is one of them, its module alone, for a run needs no other."""
    for name in (word,) if word in MODULES else MODULES:
        import_module(f"{__name__}.{name}").register(app)
