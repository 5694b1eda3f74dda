"""The settings of samplers and schedules that AUTOMATIC1111 keeps among its options, by what they mean.

Source of the conventions: AUTOMATIC1111 1.10 `modules/shared_options.py` (section "Sampler parameters"),
`modules/sd_samplers_kdiffusion.py` (`get_sigmas`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from sdkeep.diffusion.sampling import schedules
from sdkeep.diffusion.sampling.levels import Levels
from sdkeep.diffusion.sampling.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Knobs:
    """What a sampler and its schedule are told beside the steps.

    None and 0 leave it to the sampler. `least` and `greatest` are the schedule's ends, `rho` its bend, `beta` the two
    parameters of the schedule of that name. `drops_penultimate` leaves out the last level but one of any sampler.
    `sgm_noise` begins with the noise of Stability's own SDXL code. `extra_noise` is added to a picture that is changed.
    """

    eta: float | None = None
    s_noise: float = 1.0
    churn: float = 0.0
    tmin: float = 0.0
    tmax: float = float("inf")
    least: float = 0.0
    greatest: float = 0.0
    rho: float = 0.0
    beta: tuple[float, float] = (0.6, 0.6)
    drops_penultimate: bool = False
    sgm_noise: bool = False
    extra_noise: float = 0.0

    def bent(self, schedule: Schedule, *, large: bool = False) -> Schedule:
        """The schedule with its own parameters; `large` says that the network is SDXL's."""
        if schedule is schedules.align_your_steps and large:
            return schedules.align_your_steps_sdxl
        if schedule is schedules.beta:
            return partial(schedules.beta, alpha=self.beta[0], second=self.beta[1])
        if self.rho and schedule in _BENDING:
            return partial(_BENDING[schedule], rho=self.rho)
        return schedule

    def within(self, levels: Levels) -> Levels:
        """The levels for a schedule to run between."""
        if not (self.least or self.greatest):
            return levels
        return Between(levels.alphas_cumprod, levels, self.least or levels.least, self.greatest or levels.greatest)

    def begun(self, noise: Tensor, first: Tensor) -> Tensor:
        """Noise of deviation 1 at the first level of a run."""
        return noise * ((1 + first**2).sqrt() if self.sgm_noise else first)


_BENDING: dict[Schedule, Callable[..., Tensor]] = {
    schedules.karras: schedules.karras, schedules.polyexponential: schedules.polyexponential
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Between(Levels):
    """Levels of a network with other ends."""

    inner: Levels
    low: float
    high: float

    @property
    def sigmas(self) -> Tensor:
        """All that the network knows."""
        return self.inner.sigmas

    @property
    def least(self) -> float:
        """The lower end."""
        return self.low

    @property
    def greatest(self) -> float:
        """The upper end."""
        return self.high


def without_penultimate(sigmas: Tensor) -> Tensor:
    """Levels without the last but one."""
    return torch.cat([sigmas[:-2], sigmas[-1:]])
