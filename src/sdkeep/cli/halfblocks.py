"""A picture in the characters of a terminal: two pixels a cell, the upper half block in two colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from sdkeep.ground.events import Glimpsed


def drawn(glimpse: Glimpsed, widest: int, highest: int) -> Text:
    """The picture at most `widest` columns and `highest` lines large; pixels are left out, never invented."""
    from rich.text import Text

    step = max(1, -(-glimpse.width // widest), -(-glimpse.height // (2 * highest)))
    text = Text(no_wrap=True, end="")
    for top in range(0, glimpse.height, 2 * step):
        if top:
            text.append("\n")
        for left in range(0, glimpse.width, step):
            upper, lower = _colour(glimpse, left, top), _colour(glimpse, left, top + step)
            text.append("▀", style=f"{upper} on {lower}" if lower else upper)
    return text


def _colour(glimpse: Glimpsed, left: int, top: int) -> str:
    """The colour of a pixel as `#rrggbb`; empty below the last row."""
    if top >= glimpse.height:
        return ""
    place = 3 * (top * glimpse.width + left)
    return "#" + glimpse.rgb[place : place + 3].hex()
