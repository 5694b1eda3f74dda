"""Markdown pages taken apart: fenced blocks, commands with their output, commands in running text, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
WRITTEN = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *DOCS.glob("*.md"),
        *DOCS.glob("guides/*.md"),
        *DOCS.glob("concepts/*.md"),
    ]
)
"""The pages that people write."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text, and the line it starts on."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """A command in a terminal picture and the output shown below it, empty where none is."""

    command: str
    output: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page, of these languages or all."""
    whole = page.read_text(encoding="utf-8")
    found = [Block(m[1], m[2], whole.count("\n", 0, m.start()) + 1) for m in _BLOCK.finditer(whole)]
    return [block for block in found if not languages or block.language in languages]


def steps(page: Path) -> list[Step]:
    """Every `$ ...` of the terminal pictures of a page, in order."""
    found: list[Step] = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append(Step(command, output))
    return found


def mentioned(page: Path) -> Iterator[list[str]]:
    """Every `sdkeep ...` that a page mentions, in blocks and in running text, as words."""
    lines = [line for block in blocks(page, "sh", "console") for line in block.text.splitlines()]
    lines += [one[1] for one in _INLINE.finditer(_BLOCK.sub("", page.read_text(encoding="utf-8")))]
    for line in lines:
        for part in re.findall(r"(?:^|[\s(|&$;])sdkeep\s+([^|)#&;>]*)", " " + line.removeprefix("$ ")):
            yield _words(part)


def links(page: Path) -> list[str]:
    """The targets of a page's links."""
    return re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", page.read_text(encoding="utf-8")))


def refreshed(page: Path, printed: list[str]) -> str:
    """The page with what was printed put where something else was shown, step by step."""
    text, at = page.read_text(encoding="utf-8"), 0
    for step, said in zip(steps(page), printed, strict=True):
        at = text.index(f"$ {step.command}\n", at) + len(step.command) + 3
        if step.output and not matches(step.output, said):
            text = text[:at] + said.rstrip() + "\n" + text[at + len(step.output) :]
    return text


def matches(shown: str, printed: str) -> bool:
    """Whether output is as shown; `...` stands for anything, as in a doctest."""
    pattern = ".*?".join(re.escape(part) for part in shown.strip().split("..."))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
