"""The refiner's hand-over: one network answers until a share of the way is done, another from then on.

Source of the conventions: AUTOMATIC1111 `modules/sd_samplers_common.py` (`apply_refiner`).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sdkeep.diffusion.guidance import Guide
from sdkeep.diffusion.sampling.levels import Levels

_TRAINED = 1000


@dataclass(slots=True, eq=False)
class Relay:
    """Two guides in turn. `share` is of the training's timesteps, from pure noise on.

    With `calls` it is of so many calls of the network instead, as AUTOMATIC1111 before 1.8 had it. Once handed over, it
    stays so; prompts that change on the way go on from the step that is reached.
    """

    first: Guide
    second: Guide
    share: float
    levels: Levels
    calls: int = 0
    handed_over: bool = False

    def __call__(self, x: Tensor, timestep: Tensor) -> Tensor:
        """The answer of the one whose turn it is."""
        if not self.handed_over and self._done(timestep) >= self.share:
            self.handed_over = True
            self.second.calls = self.first.calls
        return self.turn(x, timestep)

    @property
    def turn(self) -> Guide:
        """Whose turn it is."""
        return self.second if self.handed_over else self.first

    @property
    def last_uncond(self) -> Tensor | None:
        """What the one whose turn it is said last without the prompt."""
        return self.turn.last_uncond

    def _done(self, timestep: Tensor) -> float:
        """The share of the way that is behind a timestep."""
        if self.calls:
            return self.first.calls / self.calls
        nearest = int((self.levels.sigmas - self.levels.sigma(timestep)).abs().argmin())
        return (_TRAINED - 1 - nearest) / _TRAINED
