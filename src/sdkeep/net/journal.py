"""Which bytes of a download are safely on the disk: a set of ranges, and the file beside the partial one that tells."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sdkeep.net.offer import Validator

FORMAT = 1


class Ranges:
    """A set of byte offsets as sorted, disjoint, half-open ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._ranges: list[tuple[int, int]] = []
        for start, stop in ranges:
            self.add(start, stop)

    def add(self, start: int, stop: int) -> None:
        """Put [start, stop) in."""
        if start >= stop:
            return
        before = [part for part in self._ranges if part[1] < start]
        after = [part for part in self._ranges if part[0] > stop]
        touching = self._ranges[len(before) : len(self._ranges) - len(after)]
        if touching:
            start, stop = min(start, touching[0][0]), max(stop, touching[-1][1])
        self._ranges = [*before, (start, stop), *after]

    def missing(self, total: int) -> list[tuple[int, int]]:
        """What is not in, within [0, total)."""
        gaps, position = [], 0
        for start, stop in self._ranges:
            if start > position:
                gaps.append((position, min(start, total)))
            position = max(position, stop)
        if position < total:
            gaps.append((position, total))
        return [(start, stop) for start, stop in gaps if start < stop]

    @property
    def prefix(self) -> int:
        """How many bytes are in from 0 on, without a gap."""
        return self._ranges[0][1] if self._ranges and self._ranges[0][0] == 0 else 0

    @property
    def covered(self) -> int:
        """How many bytes are in."""
        return sum(stop - start for start, stop in self._ranges)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._ranges == other._ranges

    __hash__ = None  # type: ignore[assignment]  # it changes


@dataclass(frozen=True, slots=True)
class Journal:
    """What a partial file holds. Only `done` counts after a crash; `size` is None while nobody has told it."""

    url: str
    size: int | None = None
    sha256: str = ""
    validator: Validator = field(default_factory=Validator)
    done: tuple[tuple[int, int], ...] = ()
    name: str = ""
    host: str = ""

    def save(self, path: Path) -> None:
        """Replace the journal at `path`; after a crash the old or the new one is there."""
        value = {
            "format": FORMAT,
            "url": self.url,
            "size": self.size,
            "sha256": self.sha256,
            "etag": self.validator.etag,
            "modified": self.validator.modified,
            "done": [list(part) for part in self.done],
            "name": self.name,
            "host": self.host,
        }
        fresh = path.with_name(path.name + ".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def load(path: Path) -> Journal | None:
    """The journal at `path`; None when there is none or it makes no sense, since then no byte is vouched for."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        return None
    texts = {name: value.get(name) for name in ("url", "sha256", "etag", "modified", "name", "host")}
    size, done = value.get("size"), _ranges(value.get("done"))
    if not all(isinstance(text, str) for text in texts.values()) or done is None:
        return None
    if not (size is None or (_is_count(size) and all(stop <= size for _, stop in done))):
        return None
    validator = Validator(str(texts["etag"]), str(texts["modified"]))
    return Journal(
        str(texts["url"]), size, str(texts["sha256"]), validator, done, str(texts["name"]), str(texts["host"])
    )


def _ranges(value: object) -> tuple[tuple[int, int], ...] | None:
    if not isinstance(value, list):
        return None
    done = []
    for part in value:
        if not (
            isinstance(part, list) and len(part) == 2 and all(_is_count(end) for end in part) and part[0] < part[1]
        ):
            return None
        done.append((part[0], part[1]))
    return tuple(done)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
