"""What every sampler is given, and the steps that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]
"""`(x, sigma) -> denoised`: the network's best guess of the clean picture; `sigma` is a tensor without dimensions."""

Noise = Callable[[Tensor, Tensor], Tensor]
"""`(sigma, next sigma) -> noise` of deviation 1 and the shape of x, for the way between two levels."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A step as it happens: its place from 0, the level it starts from, what the network made of it."""

    step: int
    sigma: float
    denoised: Tensor


def _unseen(_seen: Seen) -> None:
    """Nobody looks."""


def _no_noise(_sigma: Tensor, _following: Tensor) -> Tensor:
    raise ValueError("this sampler adds noise, and was given none")


@dataclass(frozen=True, slots=True)
class Run:
    """How to sample. `eta` scales the noise that ancestral and SDE samplers add.

    `churn`, `tmin`, `tmax` as in Karras et al.
    """

    noise: Noise = _no_noise
    seen: Callable[[Seen], None] = field(default=_unseen)
    eta: float = 1.0
    s_noise: float = 1.0
    churn: float = 0.0
    tmin: float = 0.0
    tmax: float = float("inf")


def slope(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """dx/dsigma of the probability flow: Karras et al., equation 3."""
    return (x - denoised) / sigma


def ancestral(sigma: Tensor, following: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """How far down to step, and how much noise to add, so that the level becomes `following`."""
    if not eta:
        return following, torch.zeros_like(following)
    up = torch.minimum(following, eta * (following**2 * (sigma**2 - following**2) / sigma**2) ** 0.5)
    return (following**2 - up**2) ** 0.5, up


def churned(x: Tensor, sigma: Tensor, steps: int, run: Run) -> tuple[Tensor, Tensor]:
    """Add a little noise before a step, Karras et al., algorithm 2; the new x and its level."""
    inside = run.tmin <= float(sigma) <= run.tmax
    gamma = min(run.churn / steps, 2**0.5 - 1) if inside else 0.0
    if not gamma:
        return x, sigma
    raised = sigma * (gamma + 1)
    return x + run.noise(sigma, raised) * run.s_noise * (raised**2 - sigma**2) ** 0.5, raised
