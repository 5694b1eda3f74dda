"""What a publisher on Civitai allows, and what stands between a person and the bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sdkeep.formats.bases import named
from sdkeep.ground.kinds import Access
from sdkeep.ground.licence import Licence, Use

FLAGS = ("allowNoCredit", "allowCommercialUse", "allowDerivatives", "allowDifferentLicense")
_LADDER = ("image", "rent", "sell")
_SOLD = {Use.SELL_PICTURES: "image", Use.SERVE: "rent", Use.SELL_MODEL: "sell"}
_SAID = {Use.MERGE: "allowDerivatives", Use.RELICENSE: "allowDifferentLicense", Use.NO_CREDIT: "allowNoCredit"}


@dataclass(frozen=True, slots=True)
class Gate:
    """The fields of a version and its model that say who may download it, raw."""

    mode: str = ""
    usage: str = ""
    availability: str = ""
    paid: Mapping[str, object] | None = None
    ends_at: str = ""
    days: int = 0
    published: str = ""


def licence(flags: Mapping[str, object], base: str, url: str, seen: str) -> Licence:
    """The licence that a model's permission flags and its base model make. `seen` is a date.

    Under a base model whose own licence forbids commercial use nothing may be sold or served, whatever the flags say,
    and whether its pictures may be sold is unknown.
    """
    stated = {name: flags[name] for name in FLAGS if name in flags}
    allows = {use: flag for use, name in _SAID.items() if isinstance(flag := flags.get(name), bool)}
    sold = commercial_uses(flags.get("allowCommercialUse"))
    if sold is not None:
        allows |= {use: word in sold for use, word in _SOLD.items()}
    under = named(base)
    if under is not None and not under.commercial:
        allows |= {Use.SELL_MODEL: False, Use.SERVE: False}
        if allows.get(Use.SELL_PICTURES):
            del allows[Use.SELL_PICTURES]
    return Licence(
        id="civitai-permissions" if stated else "",
        name="permissions stated on Civitai" if stated else "",
        url=url,
        allows=allows,
        base_model=base,
        source="civitai",
        seen=seen,
        verbatim=json.dumps(stated, ensure_ascii=True) if stated else "",
    )


def commercial_uses(value: object) -> frozenset[str] | None:
    """The words of `allowCommercialUse`, lower-case; None when it is absent.

    Until 2023 one word meant itself and all milder ones; later the words are listed, as a JSON list or as the text of a
    database array. `rentcivit`, generating on Civitai's own site, gives no other service a right.
    """
    if isinstance(value, list):
        return frozenset(word.strip().lower() for word in value if isinstance(word, str))
    if not isinstance(value, str):
        return None
    word = value.strip().lower()
    if word.startswith("{"):
        return frozenset(part.strip().strip('"') for part in word.strip("{}").split(","))
    if word in _LADDER:
        return frozenset(_LADDER[: _LADDER.index(word) + 1])
    if word == "rentcivit":
        return frozenset({"image", "rentcivit"})
    return frozenset() if word == "none" else None


def access(gate: Gate, now: datetime) -> tuple[Access, str]:
    """What stands before the download, and the UTC time when it ends if it does."""
    if gate.mode.lower() == "archived":
        return Access.ARCHIVED, ""
    if gate.usage and gate.usage.lower() != "download":
        return Access.DISABLED, ""
    if gate.paid is not None:
        return _paid(gate.paid, now)
    ends = moment(gate.ends_at)
    if ends is None and gate.days > 0:
        begun = moment(gate.published)
        ends = begun + timedelta(days=min(gate.days, 3650)) if begun and begun.year < 9000 else None
    if ends is not None:
        return (Access.EARLY, utc(ends)) if ends > now else (Access.FREE, "")
    if gate.availability.lower() == "earlyaccess":
        return Access.EARLY, ""
    return (Access.LOGIN if gate.availability.lower() == "private" else Access.FREE), ""


def _paid(paid: Mapping[str, object], now: datetime) -> tuple[Access, str]:
    if paid.get("permanent") is True:
        return Access.PAID, ""
    ends = moment(paid.get("endsAt"))
    if ends is None:
        return Access.EARLY, ""
    return (Access.EARLY, utc(ends)) if ends > now else (Access.FREE, "")


def moment(text: object) -> datetime | None:
    """The time that an ISO-8601 text means, in UTC when it names no zone; None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text.strip())
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def utc(time: datetime) -> str:
    """`time` as UTC ISO-8601 text to the second."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
