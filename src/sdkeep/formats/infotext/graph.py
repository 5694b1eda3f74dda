"""A ComfyUI graph as it was run: nodes by id, each with a class and inputs that are values or links to other nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sdkeep.formats.infotext.loose import rows, table, text

HOPS = 5
"""Links that are followed to find a value."""

_MOST_NODES = 20_000
_VALUES = ("value", "Value", "string", "text", "int", "float", "number", "boolean", "seed", "noise_seed")


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `inputs` as JSON gave them."""

    id: str
    kind: str
    inputs: dict[str, object] = field(repr=False)

    def number(self, *names: str) -> object:
        """The first of these inputs that is set."""
        return next((self.inputs[name] for name in names if self.inputs.get(name) is not None), None)


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes by id, in their order."""

    nodes: dict[str, Node]

    def linked(self, value: object) -> tuple[Node, int] | None:
        """The node and output slot that `value` links to, None when it is no link."""
        parts = rows(value)
        if len(parts) != 2 or not isinstance(parts[0], str | int) or not isinstance(parts[1], int):
            return None
        node = self.nodes.get(str(parts[0]))
        return (node, parts[1]) if node else None

    def value(self, value: object, name: str = "", hops: int = HOPS) -> object:
        """A plain value, following links through switches and primitive nodes; None when it leads nowhere.

        At each node the input called `name` is tried first, then those in which primitive nodes hold their value.
        """
        while hops >= 0:
            link = self.linked(value)
            if link is None:
                return None if isinstance(value, list | dict) else value
            value = self._held(link[0], name)
            hops -= 1
        return None

    def _held(self, node: Node, name: str) -> object:
        switched = self.switched(node)
        if switched is not None:
            return switched
        return node.number(name, *_VALUES) if name else node.number(*_VALUES)

    def switched(self, node: Node) -> object:
        """What a switch node lets through, None for any other node."""
        if "switch" not in node.inputs or "on_true" not in node.inputs:
            return None
        switch = node.inputs["switch"]
        link = self.linked(switch)
        on = link[0].number(*_VALUES) if link else switch
        return node.inputs.get("on_true" if on else "on_false")

    def upstream(self, value: object, hops: int = HOPS) -> Iterator[Node]:
        """The node that `value` links to and those that feed it, nearest first, up to so many links away."""
        level, seen = [value], set[str]()
        for _ in range(hops):
            found = [link[0] for value in level if (link := self.linked(value)) and link[0].id not in seen]
            fresh = list({node.id: node for node in found}.values())
            yield from fresh
            seen.update(node.id for node in fresh)
            level = [value for node in fresh for value in node.inputs.values()]


def read_graph(found: object) -> Graph | None:
    """The graph in a parsed `prompt` chunk, None when that holds no nodes."""
    nodes = {}
    for id_, facts in list(table(found).items())[:_MOST_NODES]:
        kind = text(table(facts).get("class_type"))
        if kind:
            nodes[str(id_)] = Node(str(id_), kind, table(table(facts).get("inputs")))
    return Graph(nodes) if nodes else None
