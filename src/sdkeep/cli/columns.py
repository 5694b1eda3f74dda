"""Columns fitted to a terminal: each as wide as its widest cell, the widest ones cut first when room runs out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

GAP = 2
LEAST = 8


def fit(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The head line and one line a row, none wider than `width` cells (wide characters count two)."""
    widths = [max([cell_len(head), *(cell_len(row[i]) for row in rows)]) for i, head in enumerate(heads)]
    room = width - GAP * (len(widths) - 1)
    while sum(widths) > room and max(widths) > LEAST:
        widest = widths.index(max(widths))
        others = sorted(widths[:widest] + widths[widest + 1 :], reverse=True)
        second = others[0] if others else LEAST
        widths[widest] = max(LEAST, min(widths[widest] - 1, max(second, widths[widest] - (sum(widths) - room))))
    return [_row(cells, widths) for cells in [heads, *rows]]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    shown = [_cell(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return (" " * GAP).join(shown).rstrip()


def _cell(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    cut = set_cell_size(text, width - 1).rstrip() + "…"
    return set_cell_size(cut, width)
