"""From what a network says to what samplers ask: noise, or velocity, made into a guess of the clean picture.

Source: Karras et al. 2022 (arXiv:2206.00364) section 5 and k-diffusion's `external`; velocity: Salimans and Ho 2022,
arXiv:2202.00512; EDM scalings as Playground v2.5 uses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sdkeep.diffusion.networks.config import Prediction
from sdkeep.diffusion.sampling.extra import ConsistencyLevels
from sdkeep.diffusion.sampling.levels import Levels

Network = Callable[[Tensor, Tensor], Tensor]
"""`(x, timestep) -> prediction`; x of variance 1, the timestep a tensor without dimensions."""


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """`(x, sigma) -> clean picture`, with x = clean + sigma noise."""

    network: Network
    levels: Levels
    prediction: Prediction = Prediction.EPSILON

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean picture that the network sees behind x."""
        return clean(self.network, x, sigma, self.levels.asked(sigma), self.prediction)


@dataclass(frozen=True, slots=True, eq=False)
class ConsistencyGuess:
    """`Guess` for the LCM sampler: nearest of 50 timesteps, and a boundary condition."""

    network: Network
    levels: ConsistencyLevels
    prediction: Prediction = Prediction.EPSILON

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean picture, x itself at the least level."""
        guess = clean(self.network, x, sigma, self.levels.timestep(sigma), self.prediction)
        return self.levels.blended(sigma, guess, x)


def clean(network: Network, x: Tensor, sigma: Tensor, timestep: Tensor, prediction: Prediction) -> Tensor:
    """The clean picture in x = clean + sigma noise, by what the network says of x at variance 1."""
    if prediction is Prediction.EDM:
        return _clean_edm(network, x, sigma, timestep)
    scale = 1 / (sigma**2 + 1) ** 0.5
    said = network(x * scale, timestep)
    if prediction is Prediction.V:
        return x / (sigma**2 + 1) - said * sigma * scale
    return x - said * sigma


_DATA = 0.5
"""The deviation of what EDM networks were trained on."""


def _clean_edm(network: Network, x: Tensor, sigma: Tensor, timestep: Tensor) -> Tensor:
    """Karras et al., equation 7 and table 1."""
    variance = sigma**2 + _DATA**2
    said = network(x / variance**0.5, timestep)
    return x * _DATA**2 / variance + said * sigma * _DATA / variance**0.5


def as_noise(x: Tensor, said: Tensor, alpha: Tensor, prediction: Prediction) -> Tensor:
    """The noise in x = sqrt(alpha) clean + sqrt(1 - alpha) noise, from what the network said of it."""
    if prediction is Prediction.V:
        return torch.sqrt(alpha) * said + torch.sqrt(1 - alpha) * x
    return said
