"""The noise levels a network was trained on, and the way between them and its timesteps.

A level is sigma, the standard deviation of the noise beside a signal of deviation 1 (Karras et al. 2022,
arXiv:2206.00364): sigma(t) = sqrt((1 - alphas_cumprod[t]) / alphas_cumprod[t]).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """`alphas_cumprod`: (steps,) float32, falling; the share of the signal's variance that is left at each timestep."""

    alphas_cumprod: Tensor

    @property
    def sigmas(self) -> Tensor:
        """(steps,) rising."""
        return ((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5

    @property
    def least(self) -> float:
        """The smallest level, at timestep 0."""
        return float(self.sigmas[0])

    @property
    def greatest(self) -> float:
        """The largest level, at the last timestep."""
        return float(self.sigmas[-1])

    def timestep(self, sigma: Tensor) -> Tensor:
        """The timestep of a level, fractions allowed: linear between neighbours in log sigma, held at both ends."""
        known, wanted = self.sigmas.log(), sigma.log()
        low = (wanted - known[:, None]).ge(0).cumsum(dim=0).argmax(dim=0).clamp(max=len(known) - 2)
        share = ((known[low] - wanted) / (known[low] - known[low + 1])).clamp(0, 1)
        return ((1 - share) * low + share * (low + 1)).view(sigma.shape)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The level of a timestep, fractions allowed."""
        known, at = self.sigmas.log(), timestep.float()
        low, high, share = at.floor().long(), at.ceil().long(), at.frac()
        return ((1 - share) * known[low] + share * known[high]).exp()

    def asked(self, sigma: Tensor) -> Tensor:
        """What the network is told of a level: its timestep."""
        return self.timestep(sigma)

    def nearest(self, sigma: Tensor) -> Tensor:
        """The whole timestep whose level is nearest in log sigma."""
        return (sigma.log() - self.sigmas.log()[:, None]).abs().argmin(dim=0).view(sigma.shape)


@dataclass(frozen=True, slots=True, eq=False)
class EdmLevels(Levels):
    """Levels of a network that is told log(sigma) / 4: Karras et al., table 1. `known` is (steps,), rising."""

    known: Tensor

    @classmethod
    def between(cls, least: float = 0.002, greatest: float = 80.0, steps: int = 1000) -> EdmLevels:
        """At equal distances in log sigma; the ends are those of Playground v2.5."""
        known = torch.linspace(math.log(least), math.log(greatest), steps, dtype=torch.float64).exp()
        return cls((1 / (1 + known**2)).float(), known.float())

    @property
    def sigmas(self) -> Tensor:
        """As they are known; those of `alphas_cumprod` would be coarse near 0."""
        return self.known

    def asked(self, sigma: Tensor) -> Tensor:
        """A quarter of the logarithm."""
        return sigma.log() / 4


def scaled_linear(steps: int = 1000, start: float = 0.00085, end: float = 0.012) -> Tensor:
    """`alphas_cumprod` of Stable Diffusion.

    Betas linear in their square roots (CompVis latent-diffusion, `linear_start`).
    """
    betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0).float()


def zero_terminal(alphas_cumprod: Tensor) -> Tensor:
    """The same levels stretched so that the last is (almost) pure noise.

    Lin et al. 2023, arXiv:2305.08891, algorithm 1; the last value is 4.8973451890853435e-08 as in k-diffusion's users,
    for a level must stay finite.
    """
    roots = alphas_cumprod.sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    roots = (roots - last) * first / (first - last)
    stretched = roots**2
    stretched[-1] = 4.8973451890853435e-08
    return stretched
