"""A grid as one picture: columns and rows under their labels, tables under their titles. The font is Pillow's own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from sdkeep.diffusion.grid.axes import Labels

PAPER, INK, TITLE, LINE, MISSING = (252, 252, 250), (38, 40, 44), (20, 22, 26), (222, 222, 217), (236, 236, 231)
SMALLEST = 128
"""Pixels that the longer side of a picture has at least: tiny ones are enlarged by a whole number, without blur."""
LARGEST = 16000
"""Pixels that a side of the whole has at most; beyond it everything is made smaller."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Everything measured: the cell, the gap, fonts, the room for labels (in pixels)."""

    cell: tuple[int, int]
    gap: int
    font: Font
    bold: Font
    columns: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[str, ...], ...]
    tables: tuple[tuple[str, ...], ...]

    @property
    def line(self) -> int:
        """The height of a line of a label."""
        return round(_height(self.font) * 1.35)

    @property
    def left(self) -> int:
        """The room beside the rows."""
        widest = max((_width(self.font, line) for label in self.rows for line in label), default=0)
        return widest + 2 * self.gap if widest else self.gap

    @property
    def top(self) -> int:
        """The room above the columns."""
        most = max((len(label) for label in self.columns), default=0)
        return most * self.line + 2 * self.gap if most else self.gap

    def title(self, table: int) -> int:
        """The room above a table."""
        return round(_height(self.bold) * 1.35) * len(self.tables[table]) + 2 * self.gap if self.tables else 0


def draw_grid(pictures: Sequence[Image.Image | None], labels: Labels) -> Image.Image:
    """The pictures in the order of `Grid.cells`, labelled; one that is not there (yet) leaves an empty place.

    Pictures may differ in size: a cell is as wide as the widest and as high as the highest of them.
    """
    columns, rows, tables = labels.shape
    sizes = [picture.size for picture in pictures if picture]
    width, height = max((w for w, _ in sizes), default=SMALLEST), max((h for _, h in sizes), default=SMALLEST)
    factor = max(1, -(-SMALLEST // max(width, height)))
    sheet = _sheet(labels, (width * factor, height * factor))
    across = sheet.left + columns * (sheet.cell[0] + sheet.gap)
    heights = [sheet.title(table) + sheet.top + rows * (sheet.cell[1] + sheet.gap) for table in range(tables)]
    whole = Image.new("RGB", (across, sum(heights) + sheet.gap), PAPER)
    pen = ImageDraw.Draw(whole)
    y = 0
    for table in range(tables):
        first = table * rows * columns
        _draw_labels(pen, sheet, y, table, across)
        y += sheet.title(table) + sheet.top
        for place, picture in enumerate([*pictures[first : first + rows * columns]]):
            row, column = divmod(place, columns)
            corner = sheet.left + column * (sheet.cell[0] + sheet.gap), y + row * (sheet.cell[1] + sheet.gap)
            _draw_cell(whole, pen, picture, corner, sheet.cell, factor)
        y += rows * (sheet.cell[1] + sheet.gap)
    return _within(whole)


def _sheet(labels: Labels, cell: tuple[int, int]) -> _Sheet:
    size = min(max(cell[0] // 14, 15), 34)
    font, bold = _font(size), _font(round(size * 1.3))
    gap = max(6, size // 2)
    beside = max(cell[0] // 2, 11 * size)
    across = max(len(labels.columns), 1) * (cell[0] + gap)
    return _Sheet(
        cell,
        gap,
        font,
        bold,
        tuple(wrapped(label, font, cell[0]) for label in labels.columns),
        tuple(wrapped(label, font, beside) for label in labels.rows),
        tuple(wrapped(label, bold, across) for label in labels.tables),
    )


def _draw_labels(pen: ImageDraw.ImageDraw, sheet: _Sheet, y: int, table: int, across: int) -> None:
    """A table's title, a line under it, and the labels of columns and rows."""
    if sheet.tables:
        _write(pen, (sheet.left, y + sheet.gap), sheet.tables[table], sheet.bold, TITLE, "left")
        if table:
            pen.line((0, y, across, y), fill=LINE, width=1)
        y += sheet.title(table)
    for column, label in enumerate(sheet.columns):
        x = sheet.left + column * (sheet.cell[0] + sheet.gap) + sheet.cell[0] // 2
        bottom = y + sheet.top - sheet.gap - len(label) * sheet.line
        _write(pen, (x, bottom), label, sheet.font, INK, "center")
    for row, label in enumerate(sheet.rows):
        middle = y + sheet.top + row * (sheet.cell[1] + sheet.gap) + sheet.cell[1] // 2
        _write(pen, (sheet.left - sheet.gap, middle - len(label) * sheet.line // 2), label, sheet.font, INK, "right")


def _write(
    pen: ImageDraw.ImageDraw,
    at: tuple[int, int],
    lines: Sequence[str],
    font: Font,
    ink: tuple[int, int, int],
    side: str,
) -> None:
    """Lines one below the other from a point at their left, right or middle."""
    step = round(_height(font) * 1.35)
    for number, line in enumerate(lines):
        shift = {"left": 0.0, "center": _width(font, line) / 2, "right": float(_width(font, line))}[side]
        pen.text((at[0] - shift, at[1] + number * step), line, fill=ink, font=font)


def _draw_cell(
    whole: Image.Image,
    pen: ImageDraw.ImageDraw,
    picture: Image.Image | None,
    corner: tuple[int, int],
    cell: tuple[int, int],
    factor: int,
) -> None:
    """A picture in the middle of its cell; an empty one is grey with a line across."""
    x, y = corner
    if picture is None:
        pen.rectangle((x, y, x + cell[0] - 1, y + cell[1] - 1), fill=MISSING)
        pen.line((x, y + cell[1] - 1, x + cell[0] - 1, y), fill=LINE, width=2)
        return
    shown = picture.convert("RGB")
    if factor > 1:
        shown = shown.resize((shown.width * factor, shown.height * factor), Image.Resampling.NEAREST)
    whole.paste(shown, (x + (cell[0] - shown.width) // 2, y + (cell[1] - shown.height) // 2))


def wrapped(label: str, font: Font, width: int) -> tuple[str, ...]:
    """The label in lines of at most `width` pixels, cut between words; within a word only where it alone is wider,
    behind a sign such as `:` if there is one.
    """
    lines: list[str] = []
    for word in label.split():
        if lines and _width(font, f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        while _width(font, word) > width and len(word) > 1:
            fits = max(1, bisect_right(range(1, len(word)), width, key=lambda n: _width(font, word[:n])))
            signs = [n for n in range(2, fits + 1) if not word[n - 1].isalnum()]
            kept = signs[-1] if signs else fits
            lines.append(word[:kept])
            word = word[kept:]
        lines.append(word)
    return tuple(lines)


def _within(whole: Image.Image) -> Image.Image:
    share = LARGEST / max(whole.size)
    if share >= 1:
        return whole
    return whole.resize((round(whole.width * share), round(whole.height * share)), Image.Resampling.LANCZOS)


@cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _width(font: Font, text: str) -> int:
    return round(font.getlength(text))


@cache
def _height(font: Font) -> int:
    box = font.getbbox("Ag|")
    return round(box[3] - box[1])
