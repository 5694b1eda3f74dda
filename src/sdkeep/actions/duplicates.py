"""Files with the same bytes on one volume: told by size, then by the catalogue, and read where that is not enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdkeep.actions.areas import Area, Lying, files
from sdkeep.actions.house import House
from sdkeep.actions.stores import store_near, stores
from sdkeep.formats.digests import digest_file
from sdkeep.ground.digest import DigestKind
from sdkeep.store.blobs import Store
from sdkeep.store.links import points_at
from sdkeep.store.platform import may_write

_SHA256 = frozenset({DigestKind.SHA256})


@dataclass(slots=True)
class Same:
    """Files of one volume with the same bytes; `size` is of one of them."""

    sha256: str
    size: int
    lying: list[Lying] = field(default_factory=list)

    def donor(self) -> Lying | None:
        """The file that can become the blob where it lies: one with no other name."""
        return next((one for one in self.lying if one.links == 1), None)

    def store(self, house: House) -> Store:
        """The store of this volume: one that has the bytes where there is one."""
        nearby = [store for store in stores(house) if store.root.stat().st_dev == self.lying[0].device]
        holding = [store for store in nearby if store.has(self.sha256)]
        return next(iter([*holding, *nearby]), None) or store_near(house, self.lying[0].path.parent)

    def blob(self, house: House) -> Path | None:
        """The stored copy on this volume, if there is one."""
        nearby = (store for store in stores(house) if store.root.stat().st_dev == self.lying[0].device)
        return next((store.path_of(self.sha256) for store in nearby if store.has(self.sha256)), None)

    def unlinked(self, house: House) -> list[Lying]:
        """The files that are no names of the stored copy."""
        blob = self.blob(house)
        return [one for one in self.lying if blob is None or points_at(one.path, blob) is None]


def duplicates(house: House, chosen: Sequence[Area]) -> tuple[int, list[Same]]:
    """How many files were looked at, and those that hold bytes which another file or the store holds too."""
    by_size: dict[tuple[int, int], dict[Path, Lying]] = {}
    for area in chosen:
        for lying in files(house, area):
            by_size.setdefault((lying.device, lying.size), {}).setdefault(lying.path, lying)
    stored = {
        (store.root.stat().st_dev, one.size) for store in stores(house) for one in house.book.blobs_in(str(store.root))
    }
    groups: dict[tuple[int, str], Same] = {}
    for key, same_size in by_size.items():
        if key not in stored and len({one.inode for one in same_size.values()}) < 2:
            continue
        for lying in same_size.values():
            sha256 = _sha256_of(house, lying)
            groups.setdefault((lying.device, sha256), Same(sha256, lying.size)).lying.append(lying)
    looked = sum(map(len, by_size.values()))
    return looked, [group for group in groups.values() if _worth_it(house, group)]


def obstacle(house: House, lying: Lying, sha256: str) -> str:
    """Why a file is left alone, empty when nothing is in the way."""
    verdict = house.book.verdict_of(sha256) if house.book.artifact(sha256) else None
    if verdict is not None and not verdict.outcome.placeable:
        return f"it is {verdict.outcome}, so the store does not take it"
    if not may_write(lying.path.parent):
        return "its folder cannot be written"
    return ""


def _sha256_of(house: House, lying: Lying) -> str:
    """What the catalogue says of an untouched file, else what reading it says."""
    known = house.book.location_at(str(lying.path))
    if (
        known
        and known.sha256
        and (known.size, known.mtime_ns, known.inode) == (lying.size, lying.mtime_ns, lying.inode)
    ):
        return known.sha256
    return digest_file(lying.path, _SHA256, report=house.report, stop=house.stop)[0].value


def _worth_it(house: House, group: Same) -> bool:
    if group.blob(house) is None:
        return len({one.inode for one in group.lying}) > 1
    return bool(group.unlinked(house))
