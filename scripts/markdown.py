"""Markdown for the generated pages: titles with a notice, tables, code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTICE = "<!-- Written by scripts/reference.py. Change the code, then run `make docs`. -->"


def page(*parts: str) -> str:
    """A generated page: the title, the notice below it, the rest."""
    title, *rest = parts
    return "\n\n".join([title, NOTICE, *rest]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def fenced(language: str, text: str) -> str:
    """A code block."""
    return f"```{language}\n{text}\n```"


def codes(words: Iterable[str]) -> str:
    """Words as code, with commas."""
    return ", ".join(f"`{word}`" for word in words)


def cell(text: str | None) -> str:
    """Text on one line."""
    return " ".join((text or "").split())


def anchor(heading: str) -> str:
    """What a link to a heading of lower-case words ends in."""
    return heading.replace(" ", "-")
