"""Options that several verbs share, and small pieces of rendering."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Family, Kind, Vocabulary

Refs = Annotated[
    list[str],
    typer.Argument(metavar="REF...", help="civitai:ID, hf:ORG/REPO, a page URL, an AIR, a hash, a short name."),
]
InUi = Annotated[
    list[str] | None,
    typer.Option("--in", "--ui", metavar="UI", help="Place in this registered WebUI only (repeatable)."),
]
KindName = Annotated[str, typer.Option("--kind", metavar="KIND", help="checkpoint, lora, embedding, vae, ...")]
FamilyName = Annotated[str, typer.Option("--family", metavar="FAMILY", help="sd1, sd2, sdxl, ...")]


def kind_called(text: str) -> Kind | None:
    """The kind a person typed; None for an empty word, `UsageError` for an unknown one."""
    found = Kind.of(text) if text else None
    if found is Kind.UNKNOWN and text != "unknown":
        raise UsageError(f"`{text}` is no kind", "known are " + ", ".join(_words(Kind)), "`--kind lora`")
    return found


def family_called(text: str) -> Family | None:
    """The family a person typed; None for an empty word, `UsageError` for an unknown one."""
    found = Family.of(text) if text else None
    if found is Family.UNKNOWN and text != "unknown":
        raise UsageError(f"`{text}` is no family", "known are " + ", ".join(_words(Family)), "`--family sdxl`")
    return found


def _words(vocabulary: type[Vocabulary]) -> Iterable[str]:
    return (member.value for member in vocabulary)


def size_text(size: int | None) -> str:
    """A size for people: three digits and a binary unit."""
    if size is None:
        return ""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1000 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.3g} {unit}"
        amount /= 1024
    return ""


def family_text(family: object, base: str) -> str:
    """The structure's family with the claimed base behind it where that says more."""
    known = "" if str(family) == "unknown" else str(family)
    return f"{known} ({base})" if known and base and base.lower() != known else known or base
