"""Where the boxes of a drawn family tree go: parents above children, few crossings, nothing overlapping.

Layers by longest path, long arrows bent through every layer they pass, order by the mean place of the neighbours
(Sugiyama, Tagawa and Toda 1981), places by the same mean as far as there is room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_SWEEPS = 8
_BEND = 132.0
"""Room that a passing arrow takes with its words, in pixels."""


@dataclass(frozen=True, slots=True)
class Places:
    """The layer and the horizontal middle of every node; `bends` are the points an arrow passes between its ends."""

    layer: dict[str, int]
    x: dict[str, float]
    bends: dict[tuple[str, str], tuple[tuple[int, float], ...]]
    width: float


def place(nodes: Sequence[str], arrows: Iterable[tuple[str, str]], box: float, gap: float) -> Places:
    """Places for boxes `box` wide with `gap` between them; arrows are pairs of parent and child and may form loops."""
    forward = _without_loops(nodes, arrows)
    layer = _layers(nodes, forward)
    room = dict.fromkeys(nodes, box)
    chains: dict[tuple[str, str], list[str]] = {}
    steps: list[tuple[str, str]] = []
    at = dict(layer)
    for parent, child in forward:
        passed = [f"{parent}\0{child}\0{between}" for between in range(layer[parent] + 1, layer[child])]
        for name, between in zip(passed, range(layer[parent] + 1, layer[child]), strict=True):
            at[name], room[name] = between, _BEND
        chains[parent, child] = passed
        steps += zip([parent, *passed], [*passed, child], strict=True)
    rows = _ordered(at, steps)
    x = _spread(rows, steps, room, gap)
    left = min((x[name] - room[name] / 2 for name in x), default=0.0)
    x = {name: value - left for name, value in x.items()}
    bends = {ends: tuple((at[name], x[name]) for name in passed) for ends, passed in chains.items()}
    return Places(
        layer, {node: x[node] for node in nodes}, bends, max((x[name] + room[name] / 2 for name in x), default=0.0)
    )


def _without_loops(nodes: Sequence[str], arrows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows without those that close a loop."""
    kept: list[tuple[str, str]] = []
    below: dict[str, set[str]] = {node: set() for node in nodes}
    for parent, child in dict.fromkeys(arrows):
        if parent != child and not _reaches(below, child, parent):
            below[parent].add(child)
            kept.append((parent, child))
    return kept


def _reaches(below: Mapping[str, set[str]], start: str, end: str) -> bool:
    waiting, seen = [start], {start}
    while waiting:
        node = waiting.pop()
        if node == end:
            return True
        for onward in below[node] - seen:
            seen.add(onward)
            waiting.append(onward)
    return False


def _layers(nodes: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way from a root to each node; then every node with children is drawn down to just above them."""
    parents: dict[str, list[str]] = {node: [] for node in nodes}
    children: dict[str, list[str]] = {node: [] for node in nodes}
    for parent, child in arrows:
        parents[child].append(parent)
        children[parent].append(child)
    layer: dict[str, int] = {}
    order: list[str] = []
    waiting = [node for node in nodes if not parents[node]]
    left = {node: len(parents[node]) for node in nodes}
    while waiting:
        node = waiting.pop()
        layer[node] = max((layer[one] + 1 for one in parents[node]), default=0)
        order.append(node)
        for child in children[node]:
            left[child] -= 1
            if not left[child]:
                waiting.append(child)
    for node in reversed(order):
        if children[node]:
            layer[node] = min(layer[child] for child in children[node]) - 1
    return layer


def _ordered(at: Mapping[str, int], steps: Sequence[tuple[str, str]]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(max(at.values(), default=-1) + 1)]
    for name, layer in at.items():
        rows[layer].append(name)
    above, below = _neighbours(steps)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        beside = above if down else below
        for row in rows if down else reversed(rows):
            index = {name: place for other in rows for place, name in enumerate(other)}
            middle = {name: _mean([index[one] for one in beside.get(name, ())], index[name]) for name in row}
            row.sort(key=lambda name: middle[name])
    return rows


def _spread(
    rows: Sequence[list[str]], steps: Sequence[tuple[str, str]], room: Mapping[str, float], gap: float
) -> dict[str, float]:
    """A place for every name: near the mean of its neighbours, in the order of its row, `gap` apart."""
    x: dict[str, float] = {}
    for row in rows:
        edge = 0.0
        for name in row:
            x[name] = edge + room[name] / 2
            edge += room[name] + gap
    above, below = _neighbours(steps)
    for sweep in range(2 * _SWEEPS):
        down = sweep % 2 == 0
        beside = above if down else below
        for row in rows if down else reversed(rows):
            wanted = [_mean([x[one] for one in beside.get(name, ())], x[name]) for name in row]
            x.update(zip(row, _apart(row, wanted, room, gap), strict=True))
    return x


def _apart(row: Sequence[str], wanted: Sequence[float], room: Mapping[str, float], gap: float) -> list[float]:
    """The wanted places pushed apart: the mean of pushing from the left and pushing from the right."""

    def pushed(names: Sequence[str], places: Sequence[float]) -> list[float]:
        found: list[float] = []
        for index, (name, value) in enumerate(zip(names, places, strict=True)):
            least = found[-1] + (room[names[index - 1]] + room[name]) / 2 + gap if found else value
            found.append(max(value, least))
        return found

    right = pushed(row, wanted)
    left = [-value for value in reversed(pushed(row[::-1], [-value for value in reversed(wanted)]))]
    return [(one + other) / 2 for one, other in zip(right, left, strict=True)]


def _neighbours(steps: Iterable[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for parent, child in steps:
        above.setdefault(child, []).append(parent)
        below.setdefault(parent, []).append(child)
    return above, below


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
