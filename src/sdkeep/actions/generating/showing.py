"""How far the pictures are, step by step, and how they look meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sdkeep.ground.events import Ended, Glimpsed, Moved, Report, Started

if TYPE_CHECKING:
    from sdkeep.diffusion.checkpoint import Model
    from sdkeep.diffusion.pipeline import Watched

JOB = "generate"
_CHEAP = 256
"""So few latents are decoded for a preview instead of guessed at."""


@dataclass(slots=True)
class Showing:
    """Turns the pipeline's steps into progress; with `preview` also into small pictures."""

    report: Report
    planned: int
    done: int
    preview: bool
    model: Model | None = None
    _at: tuple[object, ...] = field(default=())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def watch(self, seen: Watched) -> None:
        """A step was made."""
        now = (seen.places, seen.stage, self.done)
        if now != self._at or seen.step == 0:
            self._end()
            first, last = self.done + 1, self.done + len(seen.places)
            which = f"{first}" if first == last else f"{first}-{last}"
            second = ", second pass" if seen.stage == "hires" else ""
            what = f"picture {which} of {self.planned}{second}"
            self.report(Started(JOB, what, seen.steps, "steps"))
            self._at = now
        self.report(Moved(JOB, seen.step + 1))
        if self.preview:
            self._glimpse(seen)

    def finished(self) -> None:
        """A picture is done."""
        self._end()
        self.done += 1

    def _end(self) -> None:
        if self._at:
            self._at = ()
            self.report(Ended(JOB))

    def _glimpse(self, seen: Watched) -> None:
        from sdkeep.diffusion.preview import packed, rough

        first = seen.latents[:1]
        if self.model is None:
            return
        if first.shape[-1] * first.shape[-2] <= _CHEAP:
            self.report(Glimpsed(JOB, *packed(self.model.to_pixels(first)[0])))
        else:
            self.report(Glimpsed(JOB, *rough(first[0], self.model.config.family)))
