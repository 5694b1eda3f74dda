"""A family tree as text for the terminal: what a file was made from, then what was made from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sdkeep.actions.kinship import Presence, Relative
from sdkeep.actions.lineage import Lineage
from sdkeep.actions.walk import Link, strongest_first
from sdkeep.ground.text import one_line


@dataclass(frozen=True, slots=True)
class Strokes:
    """What the branches are drawn with."""

    fork: str
    last: str
    bar: str
    gap: str = "   "


LINES = Strokes("├─ ", "└─ ", "│  ")
ASCII = Strokes("|- ", "`- ", "|  ")


def draw(shown: Lineage, strokes: Strokes) -> Iterator[str]:
    """The lines of a tree; a node that was drawn with its branches before is not drawn with them again."""
    yield " ".join(part for part in (_title(shown.node(shown.focus)), _facts(shown.node(shown.focus))) if part)
    for heading, links, up in (("made from", shown.up, True), ("made into", shown.down, False)):
        if links:
            yield heading
            yield from _Drawing(shown, strokes, links, up).below(shown.focus, "")


def link_words(links: list[Link]) -> str:
    """What several claims about the same two nodes say: the strongest in full, the sources of the others."""
    first = links[0]
    edge = first.edge
    words = [f"by {edge.parent.trust}" + (f", one of {first.candidates}" if first.candidates > 1 else "")]
    words.append(f"says {one_line(edge.source, 60)}")
    more = dict.fromkeys(f"{link.edge.parent.trust} by {one_line(link.edge.source, 60)}" for link in links[1:])
    words += [f"also {one}" for one in more]
    return ", ".join(words)


def amount(link: Link) -> str:
    """The weight of a parent in a merge, with the method where it is stated."""
    edge = link.edge
    weight = "" if edge.weight is None else f"{edge.weight:.4g}"
    return " ".join(part for part in (weight, f"({one_line(edge.method, 30)})" if edge.method else "") if part)


class _Drawing:
    """One direction of a tree while it is drawn; remembers what was drawn."""

    def __init__(self, shown: Lineage, strokes: Strokes, links: tuple[Link, ...], up: bool) -> None:
        self._nodes = {node.id: node for node in shown.nodes}
        self._cut = frozenset(shown.cut)
        self._strokes = strokes
        self._up = up
        self._onward: dict[str, dict[str, list[Link]]] = {}
        for link in strongest_first(links):
            here, there = (link.child, link.parent) if up else (link.parent, link.child)
            self._onward.setdefault(here, {}).setdefault(there, []).append(link)
        self._drawn: set[str] = set()

    def below(self, node: str, margin: str) -> Iterator[str]:
        """The branches of a node."""
        self._drawn.add(node)
        branches = self._onward.get(node, {})
        for index, (there, links) in enumerate(branches.items()):
            last = index == len(branches) - 1
            again = there in self._drawn and bool(self._onward.get(there))
            mark = " (drawn above)" if again else " ..." if there in self._cut else ""
            yield margin + (self._strokes.last if last else self._strokes.fork) + self._line(there, links) + mark
            if not again:
                yield from self.below(there, margin + (self._strokes.gap if last else self._strokes.bar))

    def _line(self, node: str, links: list[Link]) -> str:
        relative = self._nodes[node]
        parts = (str(links[0].edge.relation), amount(links[0]), _title(relative), _facts(relative))
        return " ".join(part for part in parts if part) + f" - {link_words(links)}"


def _title(node: Relative) -> str:
    name = f" ({node.name})" if node.name and node.name != node.title else ""
    return f"{node.title}{name}"


def _facts(node: Relative) -> str:
    presence = {
        Presence.HERE: "here",
        Presence.RECORDED: "not here any more",
        Presence.PUBLISHED: "at the hub",
        Presence.KNOWN: "known, not here",
        Presence.NAMED: "only named",
    }[node.presence]
    return (
        "["
        + ", ".join(part for part in ("" if node.kind == "unknown" else node.kind, node.family, presence) if part)
        + "]"
    )
