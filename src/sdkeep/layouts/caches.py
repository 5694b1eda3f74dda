"""Hashes that WebUIs have computed before us: AUTOMATIC1111's cache and its heirs', and the LoRA Manager's.

Hints only. A cache entry is used where the file still has exactly the time that was recorded with it; the WebUIs
themselves accept an older one, and so keep the hash of a file that was replaced by an older one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sdkeep.formats import abstract
from sdkeep.formats.pickled.budget import Budget
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import Kind
from sdkeep.layouts.folders import Installed
from sdkeep.layouts.jsonfile import object_in, read_object
from sdkeep.layouts.shelf import stems

Rows = Callable[[Path, str, tuple[str, ...]], Iterable[tuple[object, ...]]]
"""How to read the rows of a table in somebody else's database: `catalogue.foreign.foreign_rows`."""

_LARGEST_JSON = 64 << 20
_CLOSE = 0.001
_PICKLED = 4
_SMALL = Budget(opcodes=1000, memo=1000, depth=1000, literal=1 << 16, seconds=1.0)
_SECTIONS = (("hashes", DigestKind.SHA256), ("hashes-addnet", DigestKind.AUTOV3))
_BY_STEM = {
    "lora": (Kind.LORA, Kind.LYCORIS),
    "textual_inversion": (Kind.EMBEDDING,),
    "hypernet": (Kind.HYPERNETWORK,),
}
_MANAGER = ("cache/model/*.sqlite", "model_cache/*.sqlite", "model_cache.sqlite")


@dataclass(frozen=True, slots=True)
class CacheHint:
    """A digest that a WebUI computed for a file that has not changed since, by its time. `size` where it was noted."""

    path: Path
    digest: Digest
    mtime: float
    source: str
    size: int | None = None


def read_caches(here: Installed, rows: Rows) -> Iterator[CacheHint]:
    """Every usable hint in the caches of one WebUI. Nothing is written, no lock is taken, no pickle is run."""
    if here.layout.caches:
        yield from _Titles(here).hints(rows)
    yield from _managed(here, rows)


class _Titles:
    """A1111 names its entries by titles (`checkpoint/sub/x.safetensors`, `lora/x`); they are led back to paths here."""

    def __init__(self, here: Installed) -> None:
        self._here = here

    def hints(self, rows: Rows) -> Iterator[CacheHint]:
        """Hints from the JSON file of old and the databases of new versions."""
        for section, kind, title, entry, source in self._entries(rows):
            stated, mtime = entry.get("sha256"), entry.get("mtime")
            digest = Digest.of(kind, stated) if isinstance(stated, str) and len(stated) == 64 else None
            path = self._path(title) if digest else None
            weights = section == "hashes" or (path is not None and path.suffix.lower() == ".safetensors")
            if digest and path and weights and isinstance(mtime, float | int) and _unchanged(path, mtime):
                yield CacheHint(path, digest, float(mtime), source)

    def _entries(self, rows: Rows) -> Iterator[tuple[str, DigestKind, str, Mapping[str, object], str]]:
        said = read_object(self._here.data / "cache.json", _LARGEST_JSON) or {}
        for section, kind in _SECTIONS:
            for title in object_in(said, section):
                yield section, kind, title, object_in(object_in(said, section), title), "cache.json"
            file = self._here.data / "cache" / section / "cache.db"
            for key, value, mode in rows(file, "Cache", ("key", "value", "mode")):
                if isinstance(key, str) and isinstance(value, bytes) and mode == _PICKLED:
                    yield section, kind, key, _unpickled(value), f"cache/{section}"

    def _path(self, title: str) -> Path | None:
        group, _, name = title.replace("\\", "/").partition("/")
        if not name or ".." in name.split("/"):
            return None
        if group == "checkpoint":
            folders = self._here.folders.get(Kind.CHECKPOINT, ())
            return next((folder / name for folder in folders if (folder / name).is_file()), None)
        found = self._by_stem.get((group, name), ())
        return found[0] if len(found) == 1 else None

    @cached_property
    def _by_stem(self) -> dict[tuple[str, str], tuple[Path, ...]]:
        found: dict[tuple[str, str], tuple[Path, ...]] = {}
        for group, kinds in _BY_STEM.items():
            for kind in kinds:
                shelf = self._here.layout.shelves.get(kind)
                listed = stems(self._here.folders.get(kind, ()), shelf, str) if shelf else {}
                for stem, paths in listed.items():
                    found[group, stem] = tuple(dict.fromkeys((*found.get((group, stem), ()), *paths)))
        return found


def _unpickled(data: bytes) -> Mapping[str, object]:
    """The plain pairs of a small pickled dict, read by our own machine; empty for one that names anything."""
    reading = read_pickle(data, budget=_SMALL)
    pairs = abstract.mapping(reading.root) if reading.complete and not reading.events else None
    return {key: value for name, value in pairs or () if (key := abstract.text(name)) is not None}


def _managed(here: Installed, rows: Rows) -> Iterator[CacheHint]:
    """The LoRA Manager's own table, where it keeps it inside its folder."""
    columns = ("file_path", "sha256", "modified", "size")
    for pattern in _MANAGER:
        for file in sorted(here.root.glob(f"custom_nodes/*/{pattern}")):
            for path, sha256, mtime, size in rows(file, "models", columns):
                digest = Digest.of(DigestKind.SHA256, sha256) if isinstance(sha256, str) else None
                if digest and isinstance(path, str) and isinstance(mtime, float | int) and isinstance(size, int):
                    place = Path(path)
                    if place.is_absolute() and _unchanged(place, mtime, size):
                        yield CacheHint(place, digest, float(mtime), "LoRA Manager", size)


def _unchanged(path: Path, mtime: float, size: int | None = None) -> bool:
    try:
        info = path.stat()
    except (OSError, ValueError):
        return False
    return abs(info.st_mtime - mtime) < _CLOSE and size in (None, info.st_size)
