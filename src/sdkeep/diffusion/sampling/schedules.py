"""Which noise levels a run of n steps visits, by AUTOMATIC1111's names.

Every schedule is `(levels, steps) -> sigmas`, float32, falling, the last 0. Sources: AUTOMATIC1111
`modules/sd_schedulers.py`; Karras et al. 2022 (arXiv:2206.00364) for Karras; NVIDIA's Align Your Steps
(arXiv:2404.14507); KL Optimal (arXiv:2404.14507, appendix); Beta (Lee et al. 2024, arXiv:2407.12173).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sdkeep.diffusion.sampling.beta import beta_quantile
from sdkeep.diffusion.sampling.levels import Levels

Schedule = Callable[[Levels, int], Tensor]

_AYS_SD = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
_AYS_SDXL = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)


def _ended(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas.float(), torch.zeros(1)])


def uniform(levels: Levels, steps: int) -> Tensor:
    """Timesteps at equal distances, the last and the first included; what a sampler does without a schedule."""
    return _ended(levels.sigma(torch.linspace(len(levels.alphas_cumprod) - 1, 0, steps)))


def karras(levels: Levels, steps: int, rho: float = 7.0) -> Tensor:
    """Equal distances in sigma ** (1 / rho): Karras et al., equation 5."""
    return karras_between(steps, levels.least, levels.greatest, rho)


def karras_between(steps: int, least: float, greatest: float, rho: float = 7.0) -> Tensor:
    """`karras` between two levels."""
    ramp = torch.linspace(0, 1, steps)
    low, high = least ** (1 / rho), greatest ** (1 / rho)
    return _ended((high + ramp * (low - high)) ** rho)


def exponential(levels: Levels, steps: int) -> Tensor:
    """Equal distances in log sigma."""
    return _ended(torch.linspace(math.log(levels.greatest), math.log(levels.least), steps).exp())


def polyexponential(levels: Levels, steps: int, rho: float = 1.0) -> Tensor:
    """A power of equal distances in log sigma; with `rho` 1 almost `exponential`."""
    low, high = math.log(levels.least), math.log(levels.greatest)
    return _ended(torch.exp(torch.linspace(1, 0, steps) ** rho * (high - low) + low))


def sgm_uniform(levels: Levels, steps: int) -> Tensor:
    """Timesteps at equal distances without the last of them, as Stability's generative-models do."""
    start, end = _timesteps_of_ends(levels)
    return _ended(levels.sigma(torch.linspace(start, end, steps + 1)[:-1]))


def normal(levels: Levels, steps: int) -> Tensor:
    """Timesteps at equal distances between those of the outermost levels."""
    start, end = _timesteps_of_ends(levels)
    return _ended(levels.sigma(torch.linspace(start, end, steps)))


def _timesteps_of_ends(levels: Levels) -> tuple[float, float]:
    ends = levels.timestep(torch.tensor([levels.greatest, levels.least]))
    return float(ends[0]), float(ends[1])


def kl_optimal(levels: Levels, steps: int) -> Tensor:
    """Equal distances in arctan sigma. The last level is the network's least, not 0."""
    low, high = math.atan(levels.least), math.atan(levels.greatest)
    share = torch.arange(steps + 1) / steps
    return torch.tan(share * low + (1 - share) * high)


def align_your_steps(_levels: Levels, steps: int) -> Tensor:
    """Levels found by NVIDIA for SD 1.5 at 10 steps; other counts are interpolated in log sigma."""
    return _aligned(_AYS_SD, steps)


def align_your_steps_sdxl(_levels: Levels, steps: int) -> Tensor:
    """`align_your_steps` with the levels found for SDXL."""
    return _aligned(_AYS_SDXL, steps)


def _aligned(found: tuple[float, ...], steps: int) -> Tensor:
    if steps == len(found):
        return _ended(torch.tensor(found))
    known = np.log(np.array(found[::-1]))
    wanted = np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, len(found)), known)
    return _ended(torch.from_numpy(np.exp(wanted)[::-1].copy()))


def simple(levels: Levels, steps: int) -> Tensor:
    """Every n-th of the network's own levels, from the greatest down."""
    sigmas = levels.sigmas
    stride = len(sigmas) / steps
    return _ended(torch.stack([sigmas[-(1 + int(step * stride))] for step in range(steps)]))


def ddim(levels: Levels, steps: int) -> Tensor:
    """Every n-th of the network's own levels, counted from the least but one up; may have a step more than asked."""
    sigmas = levels.sigmas
    return _ended(sigmas[1 :: max(len(sigmas) // steps, 1)].flip(0))


def beta(levels: Levels, steps: int, alpha: float = 0.6, second: float = 0.6) -> Tensor:
    """Quantiles of a beta distribution over the range of levels: many steps at both ends."""
    quantiles = [beta_quantile(share, alpha, second) for share in 1 - np.linspace(0, 1, steps)]
    low, high = levels.least, levels.greatest
    return _ended(torch.tensor([low + share * (high - low) for share in quantiles]))


@dataclass(frozen=True, slots=True)
class Named:
    """A schedule with the name that people and infotext write, and the words that mean the same."""

    name: str
    schedule: Schedule | None
    aliases: tuple[str, ...] = ()


SCHEDULES: tuple[Named, ...] = (
    Named("Automatic", None),
    Named("Uniform", uniform),
    Named("Karras", karras),
    Named("Exponential", exponential),
    Named("Polyexponential", polyexponential),
    Named("SGM Uniform", sgm_uniform, ("SGMUniform",)),
    Named("KL Optimal", kl_optimal),
    Named("Align Your Steps", align_your_steps, ("AYS",)),
    Named("Simple", simple),
    Named("Normal", normal),
    Named("DDIM", ddim, ("DDIM Uniform",)),
    Named("Beta", beta),
)
"""In AUTOMATIC1111's order. `Automatic` is whatever the sampler prefers."""
