"""Metadata values read without trust: strings that may hold JSON, JSON with NaN, or neither, of any length."""

from __future__ import annotations

import json
from collections.abc import Mapping

LONGEST = 1000
"""Characters of one text that are kept."""

SILENT = frozenset({"", "none", "null", "unknown", "n/a"})
"""Lower-case values that say nothing."""

_MOST_JSON = 8 * 1024 * 1024


def value(metadata: Mapping[str, str], *keys: str) -> str:
    """The first of these keys that says something, cut to a bearable length; empty when none does."""
    for key in keys:
        text = metadata.get(key)
        if isinstance(text, str) and text.strip().lower() not in SILENT:
            return text.strip()[:LONGEST]
    return ""


def parsed(text: object) -> object:
    """The JSON in a metadata value, or None when there is none that can be read."""
    if not isinstance(text, str) or not text or len(text) > _MOST_JSON:
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found
