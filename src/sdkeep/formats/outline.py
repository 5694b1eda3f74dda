"""Safetensors files that differ in nothing but metadata and weights: thousands of adapters share a few layouts.

An outline tells whether the layout of a header was met before, at a fraction of the cost of reading the header. What
follows from a layout (the kind, the family, the verdict on a flawless header) need not be found out again.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from sdkeep.formats.contents import Container
from sdkeep.formats.draft import Draft
from sdkeep.formats.twofold import second_nature
from sdkeep.ground.events import Stop
from sdkeep.ground.source import Source

_FIRST_READ = 1 << 16
_LONGEST = 8 << 20  # a longer header is no plain one, and `look` reads it within its budget
_OPENING = re.compile(r'\{"__metadata__": ?')
_DECODER = json.JSONDecoder(object_pairs_hook=tuple)


@dataclass(frozen=True, slots=True)
class Outline:
    """A header in two parts: `layout` stands for the names, types, shapes and places of all tensors, and the size."""

    layout: bytes
    metadata: dict[str, str]


def outline(source: Source) -> Outline | None:
    """The outline of a header as the reference library writes it, metadata first; None for whatever is less plain."""
    front = source.read_at(0, _FIRST_READ)
    length = int.from_bytes(front[:8], "little")
    if not 2 <= length <= _LONGEST or 8 + length > source.size:
        return None
    raw = front[8 : 8 + length]
    if len(raw) < length:
        raw += source.read_at(8 + len(raw), length - len(raw))
    try:
        text = raw.decode()
        metadata, end = _metadata(text)
    except (ValueError, RecursionError):
        return None
    if metadata is None or not text.startswith("{"):
        return None
    digest = hashlib.sha256(text[end:].rstrip(" ").encode())  # the padding depends on the metadata
    digest.update((source.size - 8 - length).to_bytes(8, "little"))
    return Outline(digest.digest(), metadata)


def is_one_thing(source: Source, stop: Stop | None = None) -> bool:
    """Whether nothing but a safetensors file is in `source`: no zip at its end, no pickle at its front."""
    draft = Draft(source, stop=stop, container=Container.SAFETENSORS)
    second_nature(draft, Container.SAFETENSORS)
    return not (draft.flaws or draft.pickles or draft.unread)


def _metadata(text: str) -> tuple[dict[str, str] | None, int]:
    """The metadata and where its text ends; None for one with a doubled key or with anything but texts."""
    opening = _OPENING.match(text)
    if opening is None:
        return {}, 0
    pairs, end = _DECODER.raw_decode(text, opening.end())
    found: dict[str, str] = {}
    for key, value in pairs if isinstance(pairs, tuple) else ():
        if key in found or not isinstance(value, str):
            return None, end
        found[key] = value
    return (found if isinstance(pairs, tuple) else None), end
