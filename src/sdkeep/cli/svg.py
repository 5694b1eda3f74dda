"""Family trees as SVG, drawn here: parents above, children below, dashed where a name is all there is."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from rich.cells import cell_len, set_cell_size

from sdkeep.actions.kinship import Presence, Relative
from sdkeep.actions.lineage import Lineage
from sdkeep.cli.graphs import Arrow, Graph, facts, joined
from sdkeep.cli.layered import Places, place
from sdkeep.ground.text import one_line

BOX, HIGH, GAP, STEP, MARGIN = 216.0, 76.0, 28.0, 168.0, 28.0
"""In pixels: a box's width and height, the room between two, from one layer to the next, around the drawing."""

_HEAD = 58.0
_FOOT = 34.0
_LEAST = 700.0
_LETTERS = 24
"""Characters that fit in a line of a box's title, which has two."""

_COLOURS = {
    Presence.HERE: ("#e7f4ea", "#2f7d3f"),
    Presence.RECORDED: ("#f2f2f2", "#777777"),
    Presence.PUBLISHED: ("#f4eefb", "#7a4fb0"),
    Presence.KNOWN: ("#e6effb", "#2d63ab"),
    Presence.NAMED: ("#ffffff", "#999999"),
}
_LEGEND = {
    Presence.HERE: "here",
    Presence.RECORDED: "not here any more",
    Presence.PUBLISHED: "at the hub",
    Presence.KNOWN: "known model, not here",
    Presence.NAMED: "only named",
}
_STYLE = (
    "text{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1c1c1c}"
    ".t{font-size:14px;font-weight:600}.f{font-size:12px;fill:#444444}.l{font-size:11px;fill:#444444}"
    ".h{font-size:17px;font-weight:600}"
)


def svg(trees: Sequence[Lineage]) -> str:
    """One self-contained drawing of one or several trees."""
    graph = joined(trees)
    places = place(tuple(graph.nodes), [(arrow.parent, arrow.child) for arrow in graph.arrows], BOX, GAP)
    layers = max(places.layer.values(), default=0) + 1
    title = "Lineage of " + ", ".join(one_line(tree.node(tree.focus).title, 60) for tree in trees)
    answers = [_answer(tree) for tree in trees]
    width = max(places.width + 2 * MARGIN, _LEAST)
    shift = (width - places.width) / 2
    height = _HEAD + layers * STEP - (STEP - HIGH) + _FOOT + 2 * MARGIN
    arrows = [_arrow(arrow, graph, places, shift) for arrow in graph.arrows]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"<title>{escape(title)}</title><desc>{escape(' '.join(answers))}</desc>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0L8,4L0,8z" fill="#666666"/></marker></defs>',
        f'<rect x="0" y="0" width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        _text(MARGIN, MARGIN + 14, "h", _cut(title, int(width / 10)), "start"),
        _text(MARGIN, MARGIN + 36, "f", _cut(answers[0], int(width / 6.6)), "start") if len(answers) == 1 else "",
        *(line for line, _ in arrows),
        *(label for _, label in arrows),
        *(
            _box(node, id_ in graph.focuses, _left(places, id_, shift), _top(places, id_))
            for id_, node in graph.nodes.items()
        ),
        *_legend(height - MARGIN),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _answer(tree: Lineage) -> str:
    base = tree.base
    proof = f"; {base.proof}" if base.proof else ""
    return one_line(f"Base model: {base.name}{proof}" if base.name else f"Base model {base.sentence}", 300)


def _wrapped(title: str) -> list[str]:
    """A title in at most two lines, broken between words where there is a good place."""
    if cell_len(title) <= _LETTERS:
        return [title]
    broken = max(title.rfind(mark, _LETTERS // 3, _LETTERS) for mark in " _-.")
    at = broken + 1 if broken > 0 else _LETTERS - 2
    return [title[:at].strip(), _cut(title[at:].strip(), _LETTERS - 2)]


def _box(node: Relative, focus: bool, left: float, top: float) -> str:
    fill, line = _COLOURS[node.presence]
    dashes = ' stroke-dasharray="5 4"' if node.presence is Presence.NAMED else ""
    told = [("t", line) for line in _wrapped(node.title)]
    told += [
        (style, _cut(text, most)) for style, text, most in (("f", facts(node), 30), ("l", node.licence, 33)) if text
    ]
    first = top + HIGH / 2 - 8.5 * (len(told) - 1) + 5
    texts = [_text(left + BOX / 2, first + 17 * index, style, text) for index, (style, text) in enumerate(told)]
    hover = "\n".join(text for text in (node.title, node.name, node.id, node.licence, node.data) if text)
    return (
        f"<g><title>{escape(one_line(hover, 600))}</title>"
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{BOX:.0f}" height="{HIGH:.0f}" rx="9" fill="{fill}" '
        f'stroke="{line}" stroke-width="{3 if focus else 1.4}"{dashes}/>{"".join(texts)}</g>'
    )


def _arrow(arrow: Arrow, graph: Graph, places: Places, shift: float) -> tuple[str, str]:
    """A smooth line from the foot of the parent past what lies between to the head of the child, and its words."""
    ends = (arrow.parent, arrow.child)
    if ends not in places.bends:
        return _loop(arrow, places, shift)
    start = (shift + places.x[arrow.parent], _top(places, arrow.parent) + HIGH)
    end = (shift + places.x[arrow.child], _top(places, arrow.child) - 2)
    points = [start]
    for layer, x in places.bends[ends]:
        top = MARGIN + _HEAD + layer * STEP
        points += [(shift + x, top), (shift + x, top + HIGH)]
    points.append(end)
    drawn = f"M{start[0]:.1f},{start[1]:.1f}"
    for index in range(0, len(points) - 1, 2):
        (x1, y1), (x2, y2) = points[index], points[index + 1]
        drawn += f"C{x1:.1f},{(y1 + y2) / 2:.1f} {x2:.1f},{(y1 + y2) / 2:.1f} {x2:.1f},{y2:.1f}"
        if index + 2 < len(points):
            drawn += f"L{points[index + 2][0]:.1f},{points[index + 2][1]:.1f}"
    crowded = sum(other.child == arrow.child for other in graph.arrows) > 1
    branching = sum(other.parent == arrow.parent for other in graph.arrows) > 1
    along = 0.7 if not crowded else 0.5 if branching else 0.3
    near = points[1:3] if len(points) > 2 else points
    return _stroke(drawn, arrow), _label(arrow, near, 0.5 if len(points) > 2 else along)


def _loop(arrow: Arrow, places: Places, shift: float) -> tuple[str, str]:
    """A claim that contradicts the others: it leads back up, so it goes round the side."""
    x1, y1 = shift + places.x[arrow.parent] + BOX / 2, _top(places, arrow.parent) + HIGH / 2
    x2, y2 = shift + places.x[arrow.child] + BOX / 2, _top(places, arrow.child) + HIGH / 2
    out = max(x1, x2) + GAP
    return _stroke(f"M{x1:.1f},{y1:.1f}C{out:.1f},{y1:.1f} {out:.1f},{y2:.1f} {x2:.1f},{y2:.1f}", arrow), ""


def _stroke(path: str, arrow: Arrow) -> str:
    dashes = ' stroke-dasharray="5 4"' if arrow.weak else ""
    return f'<path d="{path}" fill="none" stroke="#666666" stroke-width="1.4" marker-end="url(#tip)"{dashes}/>'


def _label(arrow: Arrow, ends: Sequence[tuple[float, float]], along: float) -> str:
    """The words of an arrow on a white ground, one below the other."""
    (x1, y1), (x2, y2) = ends
    s, t = 1 - along, along
    x, y = x1 + (x2 - x1) * (3 * s * t * t + t**3), y1 + (y2 - y1) * along
    lines = [_cut(word.strip("[]()"), 21) for word in arrow.words]
    wide, top = max(map(cell_len, lines)) * 6.1 + 6, y - 6.5 * len(lines)
    ground = f'<rect x="{x - wide / 2:.1f}" y="{top - 2:.1f}" width="{wide:.1f}" height="{13 * len(lines) + 3}" rx="3"'
    texts = [_text(x, top + 9 + 13 * index, "l", line) for index, line in enumerate(lines)]
    return f'{ground} fill="#ffffff" opacity="0.9"/>' + "".join(texts)


def _legend(y: float) -> list[str]:
    parts, x = [], MARGIN
    for presence, words in _LEGEND.items():
        fill, line = _COLOURS[presence]
        dashes = ' stroke-dasharray="3 2"' if presence is Presence.NAMED else ""
        parts.append(
            f'<rect x="{x:.0f}" y="{y - 11:.0f}" width="20" height="13" rx="3" fill="{fill}" stroke="{line}"{dashes}/>'
        )
        parts.append(_text(x + 26, y, "l", words, "start"))
        x += 26 + 6.3 * len(words) + 22
    return parts


def _text(x: float, y: float, style: str, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class={quoteattr(style)} text-anchor="{anchor}">{escape(words)}</text>'


def _cut(text: str, most: int) -> str:
    line = one_line(text)
    return line if cell_len(line) <= most else set_cell_size(line, most - 1).rstrip() + "…"


def _left(places: Places, node: str, shift: float) -> float:
    return shift + places.x[node] - BOX / 2


def _top(places: Places, node: str) -> float:
    return MARGIN + _HEAD + places.layer[node] * STEP
