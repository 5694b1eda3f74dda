"""Walking a family tree that may lie, loop and branch: pure, bounded, strongest claims first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from sdkeep.ground.lineage import Edge, Trust

MOST_NODES = 2000
"""Nodes that one walk visits before it stops and says so."""

_ORDER = {trust: rank for rank, trust in enumerate(Trust)}
_AMBIGUOUS = len(_ORDER)


@dataclass(frozen=True, slots=True)
class Link:
    """A claim between two nodes of a tree. `candidates` above 1 says that the label fits that many files equally."""

    child: str
    parent: str
    edge: Edge
    candidates: int = 1

    @property
    def weakness(self) -> int:
        """0 for a parent known by its SHA-256, more for weaker labels, most for one that fits several files."""
        return _AMBIGUOUS if self.candidates > 1 else _ORDER[self.edge.parent.trust]


@dataclass(frozen=True, slots=True)
class Walk:
    """What was reached: how far each node is from the start, the links in the order they were met.

    `cut` names nodes behind which more may lie that was not followed.
    """

    start: str
    distance: dict[str, int]
    links: tuple[Link, ...] = ()
    cut: frozenset[str] = frozenset()


def walk(
    start: str, links_of: Callable[[str], Sequence[Link]], *, up: bool, depth: int, most: int = MOST_NODES
) -> Walk:
    """Follow `links_of` from `start`, towards parents or towards children, nearest nodes first, each node once.

    `depth` is in links; a node that far is reached and not asked. Loops end where they began.
    """
    distance = {start: 0}
    found: dict[Link, None] = {}
    cut: set[str] = set()
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for link in strongest_first(links_of(node)):
            onward = link.parent if up else link.child
            if onward not in distance and (distance[node] >= depth or len(distance) >= most):
                cut.add(node)
                continue
            found[link] = None
            if onward not in distance:
                distance[onward] = distance[node] + 1
                waiting.append(onward)
    return Walk(start, distance, tuple(found), frozenset(cut))


def within(walked: Walk, depth: int, *, up: bool) -> Walk:
    """The part of a walk that is at most `depth` links from its start."""
    kept = {node: far for node, far in walked.distance.items() if far <= depth}
    links = tuple(link for link in walked.links if link.child in kept and link.parent in kept)
    gone = {link.child if up else link.parent for link in walked.links if link not in set(links)}
    return Walk(walked.start, kept, links, frozenset((walked.cut | gone) & kept.keys()))


def strongest_first(links: Iterable[Link]) -> list[Link]:
    """Links by what identifies the parent, otherwise in the order given."""
    return sorted(links, key=lambda link: link.weakness)


def best_path(start: str, links: Collection[Link], goals: Collection[str]) -> tuple[Link, ...] | None:
    """The way up from `start` to a goal whose weakest link is strongest, the shortest such; None when there is none."""
    for limit in sorted({link.weakness for link in links}):
        path = _shortest(start, [link for link in links if link.weakness <= limit], goals)
        if path is not None:
            return path
    return None


def nearest(start: str, links: Collection[Link], goals: Collection[str]) -> tuple[str, ...]:
    """The goals that can be reached from `start` without passing another goal, nearest first."""
    came = _search(start, links, goals)
    return tuple(node for node in came if node in goals)


def reached(start: str, links: Collection[Link]) -> tuple[str, ...]:
    """The nodes that can be reached upwards from `start` over these links, nearest first, `start` itself too."""
    return tuple(_search(start, links, ()))


def _shortest(start: str, links: Collection[Link], goals: Collection[str]) -> tuple[Link, ...] | None:
    came = _search(start, links, goals)
    node = next((node for node in came if node in goals and node != start), None)
    if node is None:
        return None
    path: list[Link] = []
    while (link := came[node]) is not None:
        path.append(link)
        node = link.child
    return tuple(reversed(path))


def _search(start: str, links: Collection[Link], goals: Collection[str]) -> dict[str, Link | None]:
    """Every node reached breadth first, with the link that led there; goals are not passed."""
    parents: dict[str, list[Link]] = {}
    for link in strongest_first(links):
        parents.setdefault(link.child, []).append(link)
    came: dict[str, Link | None] = {start: None}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        if node in goals and node != start:
            continue
        for link in parents.get(node, ()):
            if link.parent not in came:
                came[link.parent] = link
                waiting.append(link.parent)
    return came
