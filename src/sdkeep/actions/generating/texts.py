"""One command, many prompts: styles, alternatives and wildcards, prompt matrices, grids. Each becomes jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.ground.errors import NotFoundHere, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdkeep.diffusion.grid.axes import Cell, Labels
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

    def sheets(self, job: Job, *, literal: bool = False) -> tuple[Sheet, ...]:
        """The jobs that a job with such prompts stands for, together where they are drawn together.

        With `literal` nothing is drawn by lot: the prompts are those of a picture that was made already.
        """
        from sdkeep.diffusion.grid.axes import Cell
        from sdkeep.diffusion.prompt.wildcards import has_choices

        job = self._styled(job)
        if self.matrix and self.grid:
            raise UsageError(
                "a matrix and a grid do not go together", "each makes a picture of its own of them all",
                'leave out `--matrix`, and write `--grid "Prompt S/R: ..."`',
            )  # fmt: skip
        drawing = not literal and (has_choices(job.prompt) or has_choices(job.negative))
        if not (drawing or self.matrix or self.grid):
            return (Sheet((Cell(job),)),)
        singles = [self._drawn(one) if drawing else one for one in _apart(job)]
        if not (self.matrix or self.grid):
            return (Sheet(tuple(Cell(one) for one in singles)),)
        return tuple(_matrix(one) if self.matrix else self._grid(one) for one in singles)

    def _styled(self, job: Job) -> Job:
        if not self.wanted:
            return job
        from sdkeep.diffusion.prompt.styles import read_styles, styled

        path = self.styles or Path("styles.csv")
        prompt, negative = styled(job.prompt, job.negative, self.wanted, read_styles(_text_of(path, "--styles")))
        return replace(job, prompt=prompt, negative=negative)

    def _drawn(self, job: Job) -> Job:
        """The job with every choice in its prompts made, by its own seed."""
        from sdkeep.diffusion.prompt.wildcards import drawn

        lines = _lines_below(self.wildcards) if self.wildcards else {}
        return replace(
            job, prompt=drawn(job.prompt, lines, job.seed), negative=drawn(job.negative, lines, job.seed)
        )  # fmt: skip

    def _grid(self, job: Job) -> Sheet:
        from sdkeep.diffusion.grid.axes import expand
        from sdkeep.diffusion.jobs import checked

        grid = expand(job, self.grid)
        for cell in grid.cells:
            checked(cell.job)
        return Sheet(grid.cells, grid.labels)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Jobs in order, each with the models that are its own; with `labels` they are drawn together as one picture."""

    cells: tuple[Cell, ...]
    labels: Labels | None = None

    @property
    def count(self) -> int:
        """How many pictures it has."""
        return sum(cell.job.count for cell in self.cells)

    def drawn(self, pictures: Sequence[Image]) -> Image | None:
        """The labelled picture, with empty places for what was not made; None where this is no grid."""
        if self.labels is None or not pictures:
            return None
        from sdkeep.diffusion.grid.drawing import draw_grid

        missing = [None] * (len(self.cells) - len(pictures))
        return draw_grid([*pictures, *missing], self.labels)


def _matrix(job: Job) -> Sheet:
    """Every combination, half of the parts along the columns and half along the rows."""
    from sdkeep.diffusion.grid.axes import Cell, Labels
    from sdkeep.diffusion.prompt.matrix import matrix, split_matrix

    parts = [part.strip().strip(",") for part in split_matrix(job.prompt)[1:]]
    if not parts:
        raise UsageError(
            "there is nothing to combine", "a prompt matrix has parts between `|`",
            '`sdkeep generate "a castle|at night|in snow" --matrix`',
        )  # fmt: skip
    cells = tuple(Cell(replace(job, prompt=one.prompt)) for one in matrix(job.prompt))
    across = (len(parts) + 1) // 2
    return Sheet(cells, Labels(_choices(parts[:across]), _choices(parts[across:])))


def _choices(parts: Sequence[str]) -> tuple[str, ...]:
    """What each combination of these parts is called; nothing where there is nothing to combine."""
    found = [
        ", ".join(part for place, part in enumerate(parts) if number >> place & 1) for number in range(2 ** len(parts))
    ]
    return tuple(name or "-" for name in found) if parts else ()


def _apart(job: Job) -> tuple[Job, ...]:
    """One job for each picture."""
    return tuple(
        replace(job, count=1, batch=1, seed=job.seed_of(place), variation_seed=job.variation_seed_of(place))
        for place in range(job.count)
    )


def _lines_below(folder: Path) -> dict[str, tuple[str, ...]]:
    """The wildcards in a folder and those below it; raises `NotFoundHere`."""
    from sdkeep.diffusion.prompt.wildcards import lines_of

    if not folder.is_dir():
        raise NotFoundHere(f"there is no folder `{folder}`", "`--wildcards` names one with .txt files", "check it")
    files = sorted(path for path in folder.rglob("*.txt") if path.is_file())
    return {
        path.relative_to(folder).with_suffix("").as_posix(): lines_of(_text_of(path, "--wildcards")) for path in files
    }


def _text_of(path: Path, flag: str) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise NotFoundHere(f"cannot read `{path}`", error.strerror or str(error), f"`{flag}` names another") from error
