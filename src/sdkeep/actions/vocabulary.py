"""Words of the closed vocabularies as a project file spells them."""

from __future__ import annotations

from typing import TypeVar

from sdkeep.ground.errors import BadSetting
from sdkeep.ground.kinds import Vocabulary

V = TypeVar("V", bound=Vocabulary)


def member(vocabulary: type[V], text: str, what: str) -> V | None:
    """The member called `text`; None for an empty word, `BadSetting` with the known ones for another."""
    if not text:
        return None
    found = vocabulary.of(text)
    if found.value == "unknown" and text != "unknown":
        known = ", ".join(one.value for one in vocabulary if one.value != "unknown")
        raise BadSetting(f"`{text}` is no {what}", f"known are {known}", "edit `sdkeep.toml`")
    return found
