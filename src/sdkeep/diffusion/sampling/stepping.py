"""Samplers that walk the network's own timesteps: DDIM, DDIM CFG++, PLMS and UniPC as AUTOMATIC1111 runs them.

Every sampler is `(predict, x, walk, run) -> x`. Unlike the samplers of `classic`, x here is what the network was
trained on, sqrt(a) signal + sqrt(1 - a) noise, and `predict` gives the noise. Sources: Song et al. 2020
(arXiv:2010.02502), Liu et al. 2022 (arXiv:2202.09778), Chung et al. 2024 (arXiv:2406.08070), AUTOMATIC1111
`modules/sd_samplers_timesteps_impl.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sdkeep.diffusion.sampling.run import Run, Seen


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """The noise that the network sees; `uncond` is what it sees without the prompt."""

    noise: Tensor
    uncond: Tensor


Predict = Callable[[Tensor, Tensor], Predicted]
"""`(x, timestep) -> noise`; the timestep is a tensor without dimensions and may be a fraction."""


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Which timesteps to visit, (n,) rising whole numbers, and the network's `alphas_cumprod`, (1000,).

    The first of the timesteps is where the walk ends and is not itself visited. `partial` says that the walk starts
    from a picture.
    """

    timesteps: Tensor
    alphas_cumprod: Tensor
    partial: bool = False

    @property
    def alphas(self) -> Tensor:
        """`alphas_cumprod` at each timestep."""
        return self.alphas_cumprod[self.timesteps]

    @property
    def alphas_before(self) -> Tensor:
        """`alphas_cumprod` one timestep of the walk earlier, in double precision; of timestep 0 before the first."""
        return self.alphas_cumprod[torch.nn.functional.pad(self.timesteps[:-1], (1, 0))].double()


def timesteps_for(steps: int, trained: int = 1000) -> Tensor:
    """Every (1000 // steps)-th timestep from 1 on: AUTOMATIC1111's count, which may exceed `steps`."""
    return torch.clip(torch.arange(0, trained, max(trained // steps, 1)) + 1, 0, trained - 1)


def ddim(predict: Predict, x: Tensor, walk: Walk, run: Run) -> Tensor:
    """Song et al., equation 12; `run.eta` 0 is the deterministic one, 1 is DDPM."""
    return _ddim(predict, x, walk, run, lambda predicted: predicted.noise)


def ddim_cfgpp(predict: Predict, x: Tensor, walk: Walk, run: Run) -> Tensor:
    """DDIM that goes back up along the noise seen without the prompt; `predict` must scale the guidance by 1/12.5."""
    return _ddim(predict, x, walk, run, lambda predicted: predicted.uncond)


def _ddim(predict: Predict, x: Tensor, walk: Walk, run: Run, direction: Callable[[Predicted], Tensor]) -> Tensor:
    alphas, before = walk.alphas, walk.alphas_before
    for step, index in enumerate(range(len(walk.timesteps) - 1, 0, -1)):
        predicted = predict(x, walk.timesteps[index])
        a, a_before = float(alphas[index]), float(before[index])
        sigma = run.eta * ((1 - a_before) / (1 - a) * (1 - a / a_before)) ** 0.5
        clean = (x - (1 - a) ** 0.5 * predicted.noise) / a**0.5
        run.seen(Seen(step, ((1 - a) / a) ** 0.5, clean))
        x = a_before**0.5 * clean + (1 - a_before - sigma**2) ** 0.5 * direction(predicted)
        if sigma:
            at = torch.tensor(((1 - a) / a) ** 0.5)
            x = x + sigma * run.noise(at, at)
    return x


def plms(predict: Predict, x: Tensor, walk: Walk, run: Run) -> Tensor:
    """Pseudo linear multistep: DDIM's step along a slope of fourth order from the last four predictions."""
    alphas, before = walk.alphas, walk.alphas_before
    past: list[Tensor] = []
    for step, index in enumerate(range(len(walk.timesteps) - 1, 0, -1)):
        way = (float(alphas[index]), float(before[index]))
        noise = predict(x, walk.timesteps[index]).noise
        if not past:
            ahead, _ = _along(x, noise, way)
            mean = (noise + predict(ahead, walk.timesteps[index - 1]).noise) / 2
        else:
            mean = _multistep([noise, *past])
        past = [noise, *past][:3]
        x, clean = _along(x, mean, way)
        run.seen(Seen(step, ((1 - way[0]) / way[0]) ** 0.5, clean))
    return x


def _along(x: Tensor, noise: Tensor, way: tuple[float, float]) -> tuple[Tensor, Tensor]:
    a, a_before = way
    clean = (x - (1 - a) ** 0.5 * noise) / a**0.5
    return a_before**0.5 * clean + (1 - a_before) ** 0.5 * noise, clean


_ADAMS_BASHFORTH = {2: (3 / 2, -1 / 2), 3: (23 / 12, -16 / 12, 5 / 12), 4: (55 / 24, -59 / 24, 37 / 24, -9 / 24)}


def _multistep(slopes: list[Tensor]) -> Tensor:
    weights = _ADAMS_BASHFORTH[len(slopes)]
    return sum((weight * past for weight, past in zip(weights, slopes, strict=True)), torch.zeros_like(slopes[0]))
