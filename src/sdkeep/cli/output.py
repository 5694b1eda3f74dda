"""The one object that prints. Standard output is data; everything else goes to standard error.

Four modes: `human` (a terminal: colour, aligned columns), `plain` (piped: tab-separated, nothing cut), `json` (exactly
one document, written by the verb's frame), `quiet` (the bare answer, one a line). All outside text is made harmless
here, once, on its way out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from sdkeep.ground.text import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console


class Mode(StrEnum):
    """How answers are written."""

    HUMAN = "human"
    PLAIN = "plain"
    JSON = "json"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Look:
    """What the output may use: decided once from flags, environment and the two streams."""

    mode: Mode
    colour: bool
    verbose: bool = False
    assume_yes: bool = False
    interactive: bool = False
    width: int = 100


STYLES = {
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "hint": "cyan",
    "dim": "dim",
    "head": "bold",
    "": "",
}


class Out:
    """Prints answers in one of the four modes."""

    def __init__(self, look: Look, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.look = look
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._rich: Console | None = None

    @property
    def mode(self) -> Mode:
        """The mode in force."""
        return self.look.mode

    def line(self, text: str = "", style: str = "") -> None:
        """One line of data, in human and plain modes."""
        if self.mode in (Mode.HUMAN, Mode.PLAIN):
            self._write(self._stdout, _on_one_line(text), style)

    def bare(self, text: str) -> None:
        """One line of the bare answer: what `-q` prints, and nothing else does. Tabs part its columns."""
        if self.mode is Mode.QUIET:
            self._write(self._stdout, "\t".join(map(one_line, text.split("\t"))))

    def record(self, pairs: Iterable[tuple[str, str | None]]) -> None:
        """Labelled facts, one a line; pairs with an empty value are left out."""
        kept = [(label, value) for label, value in pairs if value]
        if self.mode not in (Mode.HUMAN, Mode.PLAIN) or not kept:
            return
        width = max(len(label) for label, _ in kept)
        for label, value in kept:
            lines = printable(value).splitlines() or [""]
            if self.mode is Mode.PLAIN:
                for line in lines:
                    self._write(self._stdout, f"{label}\t{line}")
                continue
            self._write(self._stdout, f"{label:<{width}}  {lines[0]}")
            for more in lines[1:]:
                self._write(self._stdout, f"{'':<{width}}  {more}")

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under heads: aligned and fitted to the terminal, or tab-separated when piped."""
        if self.mode not in (Mode.HUMAN, Mode.PLAIN):
            return
        cells = [[one_line(cell) for cell in row] for row in rows]
        if self.mode is Mode.PLAIN:
            for row in cells:
                self._write(self._stdout, "\t".join(row))
            return
        from sdkeep.cli.columns import fit

        for index, text in enumerate(fit(heads, cells, self.look.width)):
            self._write(self._stdout, text, "head" if index == 0 else "")

    def document(self, text: str) -> None:
        """The one JSON document of a `--json` run."""
        self._stdout.write(text + "\n")
        self._stdout.flush()

    def report(self, pieces: Iterable[str]) -> None:
        """A document for another program, as it stands."""
        self._stdout.writelines(pieces)
        self._stdout.flush()

    def note(self, text: str, style: str = "") -> None:
        """A sentence for the person, on standard error."""
        if self.mode in (Mode.HUMAN, Mode.PLAIN):
            self._write(self._stderr, _on_one_line(text), style)

    def warning(self, text: str) -> None:
        """Something the person should know; in `--json` runs it stands in the document instead."""
        if self.mode is not Mode.JSON:
            self._write(self._stderr, f"warning: {_on_one_line(text)}", "warn")

    def hint(self, text: str) -> None:
        """The next useful command."""
        if self.mode is Mode.HUMAN:
            self._write(self._stderr, f"hint: {_on_one_line(text)}", "hint")

    def failure(self, text: str, style: str = "bad") -> None:
        """Part of an error, on standard error; in `--json` runs it stands in the document instead."""
        if self.mode is not Mode.JSON:
            self._write(self._stderr, _on_one_line(text), style)

    def debug(self, text: str) -> None:
        """Detail that only `-v` shows."""
        if self.look.verbose and self.mode is not Mode.JSON:
            self._write(self._stderr, _on_one_line(text), "dim")

    def _write(self, stream: TextIO, text: str, style: str = "") -> None:
        if self.look.colour and style and self.mode is Mode.HUMAN:
            self._console(stream).print(
                text, style=STYLES.get(style, style), markup=False, highlight=False, soft_wrap=True
            )
            return
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()

    def _console(self, stream: TextIO) -> Console:
        from rich.console import Console

        if self._rich is None or self._rich.file is not stream:
            self._rich = Console(file=stream, soft_wrap=True)
        return self._rich


def _on_one_line(text: str) -> str:
    """Harmless text whose line feeds cannot pass for lines of ours; the margin stays."""
    return " ".join(printable(text).splitlines())
