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
    "scan",
    "audit",
    "allow",
    "convert",
    "verify",
    "place",
    "rm",
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
"""Modules in the order that help lists their verbs; each registers the verb or group of its own name, and perhaps more."""


def register(app: typer.Typer, word: str = "") -> None:
    """Put every verb on `app`; when `word` is one of them, its module alone, for a run needs no other."""
    for name in (word,) if word in MODULES else MODULES:
        import_module(f"{__name__}.{name}").register(app)
