"""Restart and LCM sampling.

Sources: Xu et al. 2023, arXiv:2306.14878, and Luo et al. 2023, arXiv:2310.04378, as AUTOMATIC1111 runs them
(`modules/sd_samplers_extra.py`, `modules/sd_samplers_lcm.py`).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from sdkeep.diffusion.sampling.classic import heun_step
from sdkeep.diffusion.sampling.run import Denoise, Run, Seen
from sdkeep.diffusion.sampling.schedules import karras_between

_RESTART_FROM, _RESTART_TO = 0.1, 2.0


def restart(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Heun's steps that go down, then back up by fresh noise, and down again, once or twice; from 20 steps on."""
    last: Tensor | None = None
    for step, (sigma, following) in enumerate(_way(sigmas)):
        if last is not None and last < sigma:
            x = x + run.noise(last, sigma) * run.s_noise * (sigma**2 - last**2) ** 0.5
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigma), denoised))
        x = heun_step(denoise, x, (sigma, following), denoised)
        last = following
    return x


def _way(sigmas: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Every step from a level to the next; the budget of steps is shared between the way down and the repeats."""
    steps = len(sigmas) - 1
    if steps < 20:
        return list(pairwise(sigmas))
    repeats = 2 if steps >= 36 else 1
    length = steps // 4 if steps >= 36 else 9
    sigmas = karras_between(steps - length * repeats, float(sigmas[-2]), float(sigmas[0]))
    low, high = (int((sigmas - level).abs().argmin()) for level in (_RESTART_FROM, _RESTART_TO))
    way = list(pairwise(sigmas))
    if high >= low:
        return way
    again = karras_between(length + 1, float(sigmas[low]), float(sigmas[high]))[:-1]
    return way[:low] + list(pairwise(again)) * repeats + way[low:]


def lcm(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Jump to the clean picture at once, then back to the next level by fresh noise."""
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        x = denoise(x, sigma)
        run.seen(Seen(step, float(sigma), x))
        if following > 0:
            x = x + following * run.noise(sigma, following)
    return x


class ConsistencyLevels:
    """The 50 levels that LCM was distilled at, out of a network's 1,000."""

    def __init__(self, alphas_cumprod: Tensor, trained: int = 50) -> None:
        self.stride = len(alphas_cumprod) // trained
        self.alphas_cumprod = alphas_cumprod[self.stride - 1 :: self.stride]
        self.sigmas = ((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5

    def timestep(self, sigma: Tensor) -> Tensor:
        """The network's timestep of the nearest of the levels."""
        nearest = (sigma.log() - self.sigmas.log()[:, None]).abs().argmin(dim=0).view(sigma.shape)
        return nearest * self.stride + (self.stride - 1)

    def schedule(self, steps: int) -> Tensor:
        """Levels for a run of `steps`, and 0."""
        start, end = self.timestep(self.sigmas[[-1, 0]])
        times = torch.linspace(float(start), float(end), steps)
        places = ((times - (self.stride - 1)) / self.stride).clamp(0, len(self.sigmas) - 1)
        known = self.sigmas.log()
        low, share = places.floor().long(), places.frac()
        return torch.cat([((1 - share) * known[low] + share * known[places.ceil().long()]).exp(), torch.zeros(1)])

    def blended(self, sigma: Tensor, denoised: Tensor, x: Tensor) -> Tensor:
        """The boundary condition of a consistency model: near timestep 0 the answer is x itself."""
        scaled = self.timestep(sigma) * 10.0
        skip = 0.25 / (scaled**2 + 0.25)
        out = scaled / (scaled**2 + 0.25) ** 0.5
        return out * denoised + skip * x
