"""Metadata as a person reads it: what matters first, tags counted, dates as dates, long values cut and said to be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from sdkeep.formats.tolerant import parsed

LONGEST_SHOWN = 300
MOST_OF_ONE, MOST_TOGETHER, MOST_OF_KEY = 4 << 20, 16 << 20, 1 << 10
"""Characters of one value, of all values together and of one key that a document holds."""

_TOP = 12
_GROUPS = ("modelspec.", "sdkeep.", "ss_", "sd_merge_", "ot_")
_TIMES = frozenset({"ss_training_started_at", "ss_training_finished_at"})
_EARLIEST, _LATEST = 1e9, 1e10


def readable(metadata: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every key with its text for the eye, ModelSpec's first, then group by group. Texts are not cleaned."""
    return [(key, _text(key, metadata[key])) for key in sorted(metadata, key=_rank)]


def within(metadata: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """As much of the metadata as a document should hold, and a sentence about what was cut; empty where nothing was."""
    kept, room, cut = dict[str, str](), MOST_TOGETHER, 0
    for key, text in metadata.items():
        most = min(MOST_OF_ONE, room)
        kept[key[:MOST_OF_KEY]] = text[:most]
        cut += max(len(text) - most, 0) + max(len(key) - MOST_OF_KEY, 0)
        room = max(room - min(len(text), most) - min(len(key), MOST_OF_KEY), 0)
    return kept, f"{cut:,} characters of its metadata are left out: more than any trainer writes" if cut else ""


def _rank(key: str) -> tuple[int, str]:
    group = next((place for place, prefix in enumerate(_GROUPS) if key.startswith(prefix)), len(_GROUPS))
    return group, key


def _text(key: str, text: str) -> str:
    if text.startswith("data:"):
        return f"{text[: text.find(',')][:60]}, {len(text):,} characters"
    if key in _TIMES:
        return _moment(text)
    value = parsed(text) if text[:1] in ("{", "[") else None
    if key == "ss_tag_frequency" and isinstance(value, dict):
        return _tags(value)
    if isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False)
    more = len(text) - LONGEST_SHOWN
    return f"{text[:LONGEST_SHOWN]}… ({more:,} characters more; `--json` prints all)" if more > 0 else text


def _moment(text: str) -> str:
    try:
        seconds = float(text)
    except ValueError:
        return text[:LONGEST_SHOWN]
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M UTC}" if _EARLIEST < seconds < _LATEST else text


def _tags(folders: Mapping[str, object]) -> str:
    """Folder by folder the commonest tags with the number of pictures that have them."""
    lines = []
    for folder, tags in folders.items():
        if not isinstance(tags, dict):
            continue
        counted = Counter({tag.strip(): n for tag, n in tags.items() if isinstance(n, int) and 0 < n < 2**31})
        told = ", ".join(f"{tag} {count}" for tag, count in counted.most_common(_TOP))
        more = len(counted) - _TOP
        lines.append(f"{folder[:80]}: {told}" + (f" and {more:,} more" if more > 0 else ""))
    return "\n".join(lines[:_TOP])
