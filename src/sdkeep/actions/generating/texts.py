"""One command, many prompts: styles, alternatives and wildcards, prompt matrices, grids. Each becomes jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.ground.errors import NotFoundHere, UsageError

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

    def sheets(self, job: Job, *, literal: bool = False) -> tuple[Sheet, ...]:
        """The jobs that a job with such prompts stands for, together where they are drawn together.

        With `literal` nothing is drawn by lot: the prompts are those of a picture that was made already.
        """
        from sdkeep.diffusion.prompt.wildcards import has_choices

        job = self._styled(job)
        if self.matrix and self.grid:
            raise UsageError(
                "a matrix and a grid do not go together", "each makes a picture of its own of them all",
                'leave out `--matrix`, and write `--grid "Prompt S/R: ..."`',
            )  # fmt: skip
        drawing = not literal and (has_choices(job.prompt) or has_choices(job.negative))
        if not (drawing or self.matrix or self.grid):
            return (Sheet((job,)),)
        if not (self.matrix or self.grid):
            return (Sheet(tuple(self._drawn(one) for one in _apart(job))),)
        singles = [self._drawn(one) if drawing else one for one in _apart(job)]
        return tuple(self._matrix(one) if self.matrix else self._grid(one) for one in singles)

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

    def _matrix(self, job: Job) -> Sheet:
        from sdkeep.diffusion.prompt.matrix import matrix

        combinations = matrix(job.prompt)
        return Sheet(tuple(replace(job, prompt=one.prompt) for one in combinations))

    def _grid(self, job: Job) -> Sheet:
        return Sheet((job,))


@dataclass(frozen=True, slots=True)
class Sheet:
    """Jobs in order; `draw` makes one labelled picture of theirs."""

    jobs: tuple[Job, ...]
    draw: Callable[[Sequence[Image]], Image] | None = field(default=None)

    def drawn(self, pictures: Sequence[Image]) -> Image | None:
        """The labelled picture; None where this is no grid."""
        return self.draw(pictures) if self.draw else None


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
