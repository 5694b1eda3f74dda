"""Near-duplicates: files whose tensors are the same, in another container, pruned, or of half the precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.actions.stores import bytes_of
from sdkeep.catalogue.listing import Filter
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from sdkeep.formats.tensor_digest import shape_of, tensor_digests
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.errors import KeepError
from sdkeep.ground.events import stage
from sdkeep.ground.record import Artifact

SAME, PRUNED, HALF, PRUNED_HALF = "same tensors", "pruned", "half precision", "pruned, half precision"


@dataclass(frozen=True, slots=True)
class Twin:
    """`name` is what `relation` says, of `other`, the larger. Sizes are those of the files, in bytes."""

    name: str
    sha256: str
    relation: str
    other: str
    other_sha256: str
    size: int
    other_size: int


def twins(house: House) -> tuple[Twin, ...]:
    """Every pair of files that are here and hold the same tensors; those that may are read once, then remembered."""
    found: list[Twin] = []
    for alike in _alike(house):
        digests = {one.sha256 or "": _digests(house, one, path) for one, path in alike}
        for (one, _), (other, _) in combinations(alike, 2):
            first, second = sorted((one, other), key=lambda artifact: (artifact.size or 0, artifact.name))
            relation = _relation(digests[first.sha256 or ""], digests[second.sha256 or ""])
            if relation:
                sizes = (first.size or 0, second.size or 0)
                found.append(Twin(first.name, first.sha256 or "", relation, second.name, second.sha256 or "", *sizes))
    return tuple(sorted(found, key=lambda twin: (-twin.size, twin.name, twin.other)))


def _alike(house: House) -> Iterator[list[tuple[Artifact, Path]]]:
    """Groups of files with tensors of the same names and dimensions: all others cannot be twins."""
    groups: dict[str, list[tuple[Artifact, Path]]] = {}
    chosen = house.book.list(Filter(present=True), limit=None).items
    with stage(house.report, "twins", "reading headers", len(chosen), "files") as moved:
        for number, artifact in enumerate(chosen):
            house.stop.check()
            moved(number)
            if not artifact.sha256:
                continue
            try:
                path = bytes_of(house, artifact)
                with FileSource(path) as source:
                    shape = shape_of(look(source, thorough=False, stop=house.stop))
            except KeepError as error:
                house.warn(f"`{artifact.name}` was left out: {error.what}")
                continue
            if shape:
                groups.setdefault(shape, []).append((artifact, path))
    yield from (group for group in groups.values() if len(group) > 1)


def _digests(house: House, artifact: Artifact, path: Path) -> frozenset[str]:
    """The digests of a file's tensors, from the catalogue or computed now."""
    sha256 = artifact.sha256 or ""
    known = [one for one in house.book.digests_of(sha256) if one.kind is DigestKind.TENSORS]
    if not known:
        try:
            with (
                FileSource(path) as source,
                stage(house.report, sha256, f"hashing {artifact.name}", artifact.size) as moved,
            ):
                contents = look(source, stop=house.stop)
                made = tensor_digests(source, contents, house.settings.home, moved=moved, stop=house.stop)
        except KeepError as error:
            house.warn(f"`{artifact.name}` was left out: {error.what}")
            return frozenset()
        house.book.add_digests(sha256, made)
    return frozenset(map(str, house.book.digests_of(sha256)))


def _relation(small: frozenset[str], large: frozenset[str]) -> str:
    """What the smaller file is to the larger, by the kinds of digests they share; empty when it is nothing."""
    kinds = {text.partition(":")[0] for text in small & large}
    if DigestKind.TENSORS in kinds:
        return SAME
    if DigestKind.CORE in kinds:
        return PRUNED
    if DigestKind.HALF in kinds or DigestKind.BRAIN in kinds:
        cut = _has_averages(large) and not _has_averages(small)
        return PRUNED_HALF if cut else HALF
    return ""


def _has_averages(digests: frozenset[str]) -> bool:
    """Whether a file holds averaged weights: then what it is without them has digests of its own."""
    cores = {text.partition(":")[2] for text in digests if text.startswith(f"{DigestKind.CORE}:")}
    wholes = {text.partition(":")[2] for text in digests if text.startswith(f"{DigestKind.TENSORS}:")}
    return not wholes <= cores
