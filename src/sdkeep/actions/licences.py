"""What may be done with a file when its whole lineage is counted, and which files of the house may not be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sdkeep.actions.house import House
from sdkeep.actions.kinship import Entry, Kinship
from sdkeep.actions.walk import Link, Walk, reached, walk
from sdkeep.formats.permissions import Holder, Standing, effective
from sdkeep.ground.digest import DIGITS, DigestKind
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import Allowed, Permission, Use
from sdkeep.ground.lineage import Relation, Trust

DEPTH = 64
"""Links that a lineage is followed for permissions, however few are shown."""

_OF_THEIR_OWN = frozenset(
    {
        Kind.VAE, Kind.VAE_APPROX, Kind.UPSCALER, Kind.TEXT_ENCODER, Kind.CLIP_VISION, Kind.DETECTION, Kind.POSES,
        Kind.WILDCARDS, Kind.WORKFLOW, Kind.CONFIG, Kind.OTHER,
    }
)  # fmt: skip
_WEAK_HASHES = tuple(f"{kind}:" for kind in DigestKind if DIGITS[kind] < 10)
_SAME_THING = frozenset({Relation.CONVERTED_FROM, Relation.PRUNED_FROM})


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A catalogued file that may not, or may not surely, be put to a use."""

    name: str
    file_name: str
    sha256: str
    permission: Permission


def permissions(kin: Kinship, id_: str, upward: Walk | None = None) -> tuple[Permission, ...]:
    """The answer for every use of a node; `upward` is its whole walk towards its parents, if it was made already."""
    walked = upward or walk(id_, kin.parents, up=True, depth=DEPTH)
    own, *others = _holders(kin, id_, walked)
    return tuple(effective(use, own, others) for use in Use)


def forbidden(house: House, use: Use) -> list[Forbidden]:
    """The catalogued files whose lineage does not allow `use`, those that forbid it before those that leave it open."""
    kin = Kinship(house.book)
    found = []
    artifacts = {kin.of_artifact(artifact).id: artifact for artifact in house.book.list(limit=None).items}
    for id_, artifact in artifacts.items():
        house.stop.check()
        own, *others = _holders(kin, id_, walk(id_, kin.parents, up=True, depth=DEPTH))
        answer = effective(use, own, others)
        if answer.allowed is not Allowed.YES:
            found.append(Forbidden(artifact.name, artifact.file_name, artifact.sha256 or "", answer))
    return sorted(found, key=lambda one: (one.permission.allowed is not Allowed.NO, one.name))


def _holders(kin: Kinship, id_: str, walked: Walk) -> list[Holder]:
    """The node itself first, then everything above it, a holder for each licence."""
    links_up = [link for link in walked.links if not _licensed_anew(kin, link)]
    above: dict[str, list[Link]] = {}
    for link in links_up:
        above.setdefault(link.child, []).append(link)
    proved = reached(id_, [link for link in links_up if firm(link)])
    claimed = reached(id_, [link for link in links_up if link.candidates == 1])
    holders = []
    for node in reached(id_, links_up):
        at = Standing.PROVED if node in proved else Standing.CLAIMED if node in claimed else Standing.ONE_OF
        links, entry = above.get(node, []), kin.entries[node]
        inherits = any(link.edge.relation in _SAME_THING for link in links)
        name = _short_name(entry)
        holders += [Holder(name, licence, at, inherits) for licence in kin.licences(node) or (None,)]
        holders += [Holder(name, None, at, True, gap) for gap in _gaps(kin, node, links, walked)]
    return holders


def _licensed_anew(kin: Kinship, link: Link) -> bool:
    """Whether who published the parent also published the child, under a licence of its own that replaces the other."""
    child, parent = kin.entries[link.child].known, kin.entries[link.parent].known
    return bool(child and parent and child.licence.id and child.publisher and child.publisher == parent.publisher)


def _short_name(entry: Entry) -> str:
    if entry.artifact:
        return entry.artifact.name
    return next(iter(entry.known.aliases), entry.title) if entry.known else entry.title


def firm(link: Link) -> bool:
    """Whether a claim identifies the parent well enough to rest a permission on it.

    A hub's or a card's statement does, and so does the name of a base model that a publisher gave on a hub; a file name
    in metadata does not, nor does a hash of eight digits.
    """
    parent = link.edge.parent
    if link.candidates > 1:
        return False
    if parent.trust is Trust.NAME:
        return link.parent.startswith("base:") and ":" not in link.edge.source
    return parent.trust is not Trust.SHORT_HASH or not parent.value.startswith(_WEAK_HASHES)


def _gaps(kin: Kinship, node: str, links: list[Link], walked: Walk) -> Iterator[str]:
    entry = kin.entries[node]
    if node in walked.cut:
        yield "the lineage is longer than it is followed"
    if entry.root or entry.artifact is None or entry.kind in _OF_THEIR_OWN:
        return
    name = entry.artifact.name
    if not links:
        yield f"nothing says what `{name}` was made from"
    same = any(link.edge.relation in _SAME_THING for link in links)
    if kin.merged(node) and not same and all(link.edge.relation is not Relation.MERGE_OF for link in links):
        yield f"`{name}` is published as a merge, and what went into it is not listed"
