"""Euler, Heun, LMS and DPM2 in Karras' form, with their ancestral kin.

Every sampler is `(denoise, x, sigmas, run) -> x`: x starts at level `sigmas[0]` and ends at `sigmas[-1]`. Sources:
Karras et al. 2022 (arXiv:2206.00364), DPM-Solver-2 (arXiv:2206.00927), and k-diffusion, whose numbers they give.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from sdkeep.diffusion.sampling.run import Denoise, Run, Seen, ancestral, churned, slope


def euler(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """x += dx/dsigma (sigma' - sigma)."""
    for step in range(len(sigmas) - 1):
        x, sigma = churned(x, sigmas[step], len(sigmas) - 1, run)
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigmas[step]), denoised))
        x = x + slope(x, sigma, denoised) * (sigmas[step + 1] - sigma)
    return x


def euler_ancestral(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Euler further down than asked, then fresh noise up to the level that was asked."""
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigma), denoised))
        down, up = ancestral(sigma, following, run.eta)
        x = x + slope(x, sigma, denoised) * (down - sigma)
        if following > 0:
            x = x + run.noise(sigma, following) * run.s_noise * up
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """The mean of the slopes at both ends of an Euler step."""
    for step in range(len(sigmas) - 1):
        x, sigma = churned(x, sigmas[step], len(sigmas) - 1, run)
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigmas[step]), denoised))
        x = heun_step(denoise, x, (sigma, sigmas[step + 1]), denoised)
    return x


def heun_step(denoise: Denoise, x: Tensor, way: tuple[Tensor, Tensor], denoised: Tensor) -> Tensor:
    """The rest of one of Heun's steps; the last, to level 0, is Euler's."""
    sigma, following = way
    first, width = slope(x, sigma, denoised), following - sigma
    ahead = x + first * width
    if following == 0:
        return ahead
    second = slope(ahead, following, denoise(ahead, following))
    return x + (first + second) / 2 * width


def dpm_2(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """The slope half way, in log sigma, of an Euler step: DPM-Solver-2."""
    for step in range(len(sigmas) - 1):
        x, sigma = churned(x, sigmas[step], len(sigmas) - 1, run)
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigmas[step]), denoised))
        x = _midpoint(denoise, x, (sigma, sigmas[step + 1]), denoised)
    return x


def dpm_2_ancestral(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """`dpm_2` further down, then fresh noise."""
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigma), denoised))
        down, up = ancestral(sigma, following, run.eta)
        x = _midpoint(denoise, x, (sigma, down), denoised)
        if down > 0:
            x = x + run.noise(sigma, following) * run.s_noise * up
    return x


def _midpoint(denoise: Denoise, x: Tensor, way: tuple[Tensor, Tensor], denoised: Tensor) -> Tensor:
    sigma, following = way
    first = slope(x, sigma, denoised)
    if following == 0:
        return x + first * (following - sigma)
    middle = sigma.log().lerp(following.log(), 0.5).exp()
    half_way = x + first * (middle - sigma)
    return x + slope(half_way, middle, denoise(half_way, middle)) * (following - sigma)


def lms(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run, order: int = 4) -> Tensor:
    """Linear multistep (Adams-Bashforth on uneven steps): a polynomial through the last slopes, integrated."""
    slopes: list[Tensor] = []
    for step in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[step])
        run.seen(Seen(step, float(sigmas[step]), denoised))
        slopes = [*slopes, slope(x, sigmas[step], denoised)][-order:]
        known = tuple(map(float, sigmas[max(0, step - order + 1) : step + 2]))
        x = x + sum((weight * past for weight, past in zip(_weights(known), slopes, strict=True)), torch.zeros_like(x))
    return x


@cache
def _weights(levels: tuple[float, ...]) -> tuple[float, ...]:
    """The integral, over the last interval, of each Lagrange polynomial through all levels but the last."""
    *past, end = levels
    nodes, shares = np.polynomial.legendre.leggauss(len(past))
    start = past[-1]
    points = (end - start) / 2 * nodes + (end + start) / 2
    weights = []
    for place, level in enumerate(past):
        others = past[:place] + past[place + 1 :]
        values = np.prod([np.ones(len(nodes)), *((points - other) / (level - other) for other in others)], axis=0)
        weights.append(float((end - start) / 2 * np.sum(shares * values)))
    return tuple(weights)
