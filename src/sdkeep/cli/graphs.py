"""Family trees for other programs to draw: Mermaid and Graphviz. Arrows lead from parent to child."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sdkeep.actions.kinship import Presence, Relative
from sdkeep.actions.lineage import Lineage
from sdkeep.actions.walk import Link, strongest_first
from sdkeep.ground.text import one_line


@dataclass(frozen=True, slots=True)
class Arrow:
    """Every claim about one pair of nodes, drawn as one arrow; `words` are relation and weight, method, proof."""

    parent: str
    child: str
    words: tuple[str, ...]
    weak: bool

    @property
    def label(self) -> str:
        """The words in one line."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Graph:
    """One or several trees as one drawing."""

    nodes: dict[str, Relative]
    arrows: tuple[Arrow, ...]
    focuses: frozenset[str]


def joined(trees: Sequence[Lineage]) -> Graph:
    """The trees as one graph, each node and each pair once."""
    nodes = {node.id: node for tree in trees for node in tree.nodes}
    pairs: dict[tuple[str, str], list[Link]] = {}
    for link in strongest_first(dict.fromkeys(link for tree in trees for link in (*tree.up, *tree.down))):
        pairs.setdefault((link.parent, link.child), []).append(link)
    arrows = tuple(Arrow(parent, child, _words(links[0]), _weak(links[0])) for (parent, child), links in pairs.items())
    return Graph(nodes, arrows, frozenset(tree.focus for tree in trees))


def facts(node: Relative) -> str:
    """Kind and family of a node, as far as they are known."""
    return " ".join(word for word in (str(node.kind), node.family) if word and word != "unknown")


def mermaid(trees: Sequence[Lineage]) -> str:
    """A Mermaid flowchart."""
    graph = joined(trees)
    ids = {id_: f"n{index}" for index, id_ in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    lines += [f'  {ids[id_]}["{_mermaid(_lines(node))}"]' for id_, node in graph.nodes.items()]
    for arrow in graph.arrows:
        stroke = "-.->" if arrow.weak else "-->"
        lines.append(f'  {ids[arrow.parent]} {stroke}|"{_mermaid([arrow.label])}"| {ids[arrow.child]}')
    named = [ids[id_] for id_, node in graph.nodes.items() if node.presence is Presence.NAMED]
    lines += ["  classDef focus stroke-width:3px", "  classDef named stroke-dasharray:4"]
    lines += [f"  class {ids[id_]} focus" for id_ in sorted(graph.focuses)]
    lines += [f"  class {','.join(named)} named"] if named else []
    return "\n".join(lines) + "\n"


def dot(trees: Sequence[Lineage]) -> str:
    """A Graphviz digraph."""
    graph = joined(trees)
    ids = {id_: f"n{index}" for index, id_ in enumerate(graph.nodes)}
    lines = ["digraph lineage {", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    lines.append('  edge [fontname="sans-serif", fontsize=10];')
    for id_, node in graph.nodes.items():
        extra = ", penwidth=2" if id_ in graph.focuses else ""
        extra += ', style="rounded,dashed"' if node.presence is Presence.NAMED else ""
        lines.append(f'  {ids[id_]} [label="{_dot(_lines(node))}"{extra}];')
    for arrow in graph.arrows:
        style = ", style=dashed" if arrow.weak else ""
        lines.append(f'  {ids[arrow.parent]} -> {ids[arrow.child]} [label="{_dot([arrow.label])}"{style}];')
    return "\n".join([*lines, "}"]) + "\n"


def _lines(node: Relative) -> list[str]:
    return [line for line in (one_line(node.title, 60), facts(node), one_line(node.licence, 50)) if line]


def _words(first: Link) -> tuple[str, ...]:
    edge = first.edge
    weight = "" if edge.weight is None else f" {edge.weight:.4g}"
    method = f"({one_line(edge.method, 24)})" if edge.method else ""
    doubt = f", one of {first.candidates}" if first.candidates > 1 else ""
    return tuple(word for word in (f"{edge.relation}{weight}", method, f"[{edge.parent.trust}{doubt}]") if word)


def _weak(link: Link) -> bool:
    return link.candidates > 1 or link.edge.parent.trust == "name"


def _mermaid(lines: Iterable[str]) -> str:
    return "<br>".join("".join(map(_entity, line)) for line in lines)


def _entity(character: str) -> str:
    return character if character.isalnum() or character in " .,-_()[]/:+=" else f"#{ord(character)};"


def _dot(lines: Iterable[str]) -> str:
    return "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
