"""One command, many prompts: styles, alternatives and wildcards, prompt matrices, grids. Each becomes jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdkeep.diffusion.jobs import Job


@dataclass(frozen=True, slots=True)
class Dialect:
    """What prompts may hold beside words: a file of styles and those wanted of it, a folder of wildcards.

    With `matrix` every combination of the parts between `|` is made; `grid` names axes and their values.
    """

    styles: Path | None = None
    wanted: tuple[str, ...] = ()
    wildcards: Path | None = None
    matrix: bool = False
    grid: str = ""

    def sheets(self, job: Job) -> tuple[Sheet, ...]:
        """The jobs that a job with such prompts stands for, together where they are drawn together."""
        return (Sheet((job,)),)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Jobs in order; `draw` makes one labelled picture of theirs."""

    jobs: tuple[Job, ...]
    draw: Callable[[Sequence[Image]], Image] | None = field(default=None)

    def drawn(self, pictures: Sequence[Image]) -> Image | None:
        """The labelled picture; None where this is no grid."""
        return self.draw(pictures) if self.draw else None
