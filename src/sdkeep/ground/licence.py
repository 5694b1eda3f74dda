"""Licences as recorded: an id, a place to read it, and per-use permissions where the publisher states them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Use(StrEnum):
    """The uses a permission is judged for."""

    SELL_PICTURES = "sell-pictures"
    SELL_MODEL = "sell-model"
    SERVE = "serve"
    MERGE = "merge"
    RELICENSE = "relicense"
    NO_CREDIT = "no-credit"


@dataclass(frozen=True, slots=True)
class Licence:
    """What a publisher allows. A use absent from `allows` is unknown, never allowed. Advice, not law."""

    id: str = ""
    name: str = ""
    url: str = ""
    allows: dict[Use, bool] = field(default_factory=dict)
    base_model: str = ""
    source: str = ""
    seen: str = ""
    verbatim: str = ""


class Allowed(StrEnum):
    """The answer for one use. `unknown` is never to be read as yes."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether one use is allowed once the whole lineage is counted; `why` names the files and licences that decide.

    `conditions` are what comes with a yes: restrictions that pass on. `by` are the names of the files that decide.
    """

    use: Use
    allowed: Allowed
    why: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


ADVICE = (
    "this is advice, not law: the licences themselves decide, and the data a model was trained on may hold "
    "copyrighted works"
)
"""What goes with every answer about permissions."""
