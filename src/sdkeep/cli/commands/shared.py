"""Options that several verbs share, and small pieces of rendering."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, TypeVar

import typer

from sdkeep.cli.completion import catalogue_names, families, kinds, ui_names
from sdkeep.ground.errors import UsageError
from sdkeep.ground.kinds import Family, Kind, Vocabulary

OptionalRefs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="REF",
        help="civitai:ID, hf:ORG/REPO, a page URL, an AIR, a hash, a short name.",
        autocompletion=catalogue_names,
    ),
]
InUi = Annotated[
    list[str] | None,
    typer.Option(
        "--in",
        "--ui",
        metavar="UI",
        help="This registered WebUI only.",
        autocompletion=ui_names,
    ),
]
KindName = Annotated[
    str,
    typer.Option("--kind", metavar="KIND", help="checkpoint, lora, embedding, vae, ...", autocompletion=kinds),
]
FamilyName = Annotated[
    str, typer.Option("--family", metavar="FAMILY", help="sd1, sd2, sdxl, ...", autocompletion=families)
]


V = TypeVar("V", bound=Vocabulary)


def word(vocabulary: type[V], text: str, what: str) -> V | None:
    """The member that a person typed; None for an empty word, `UsageError` with the known ones for another."""
    if not text:
        return None
    found = vocabulary.of(text)
    if found.value == "unknown" and text != "unknown":
        known = ", ".join(member.value for member in vocabulary if member.value != "unknown")
        raise UsageError(f"`{text}` is no {what}", f"known are {known}", f"`--{what} {next(iter(vocabulary)).value}`")
    return found


def kind_called(text: str) -> Kind | None:
    """The kind a person typed; None for an empty word, `UsageError` for an unknown one."""
    return word(Kind, text, "kind")


def family_called(text: str) -> Family | None:
    """The family a person typed; None for an empty word, `UsageError` for an unknown one."""
    return word(Family, text, "family")


def duration_called(text: str, option: str) -> timedelta | None:
    """The time that a person typed (`30d`, `12h`, `10m`, `90s`); None for an empty word, `UsageError` for no time."""
    if not text:
        return None
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    number, unit = text[:-1], text[-1].lower()
    if unit not in units or not number.isascii() or not number.isdigit() or len(number) > 6:
        raise UsageError(f"`{text}` is no time", "it is a whole number and one of s, m, h, d, w", f"`{option} 30d`")
    return timedelta(**{units[unit]: int(number)})


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


def kind_text(kind: object, algorithm: str, variant: str) -> str:
    """The kind with what narrows it down."""
    return " ".join(dict.fromkeys(part for part in (str(kind), algorithm, variant) if part))
