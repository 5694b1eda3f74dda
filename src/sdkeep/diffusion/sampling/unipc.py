"""UniPC: a predictor and a corrector of the same order, with one network call a step.

Source: Zhao et al. 2023, arXiv:2302.04867, in the form that AUTOMATIC1111 runs by default: data prediction,
multistep, order 3, B(h) = h ("bh1"), lower order at the end, times at equal distances.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from sdkeep.diffusion.sampling.run import Run, Seen
from sdkeep.diffusion.sampling.stepping import Predict, Walk

ORDER = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Clock:
    """Continuous time on (0, 1]: 1 is the last timestep. log alpha is linear between timesteps and beyond them."""

    log_alphas: Tensor

    @classmethod
    def of(cls, alphas_cumprod: Tensor) -> _Clock:
        return cls(0.5 * alphas_cumprod.log())

    @property
    def total(self) -> int:
        return len(self.log_alphas)

    def log_alpha(self, time: Tensor) -> Tensor:
        place = time * self.total - 1
        low = place.floor().clamp(0, self.total - 2).long()
        return self.log_alphas[low] + (place - low) * (self.log_alphas[low + 1] - self.log_alphas[low])

    def alpha(self, time: Tensor) -> Tensor:
        return self.log_alpha(time).exp()

    def sigma(self, time: Tensor) -> Tensor:
        return (1 - (2 * self.log_alpha(time)).exp()).sqrt()

    def half_log_snr(self, time: Tensor) -> Tensor:
        log_alpha = self.log_alpha(time)
        return log_alpha - 0.5 * torch.log(1 - (2 * log_alpha).exp())


@dataclass(slots=True)
class _UniPC:
    predict: Predict
    clock: _Clock
    run: Run
    steps: int = 0
    past: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def clean(self, x: Tensor, time: Tensor) -> Tensor:
        """The network's guess of the clean picture at a time."""
        noise = self.predict(x, (time - 1 / self.clock.total) * self.clock.total).noise
        return (x - self.clock.sigma(time) * noise) / self.clock.alpha(time)

    def remember(self, time: Tensor, guess: Tensor) -> None:
        """Keep a guess for the steps to come, and show it."""
        self.past = [(time, guess), *self.past[: ORDER - 1]]
        self.run.seen(Seen(self.steps, float(self.clock.sigma(time) / self.clock.alpha(time)), guess))
        self.steps += 1

    def step(self, x: Tensor, time: Tensor, order: int, *, correct: bool) -> Tensor:
        """From the time of the last guess to `time`; with `correct`, a new guess is made there and used."""
        clock, (before, guess) = self.clock, self.past[0]
        h = clock.half_log_snr(time) - clock.half_log_snr(before)
        phi = torch.expm1(-h)
        ratios = [(clock.half_log_snr(then) - clock.half_log_snr(before)) / h for then, _ in self.past[1:order]]
        bends = [(was - guess) / ratio for (_, was), ratio in zip(self.past[1:order], ratios, strict=True)]
        straight = clock.sigma(time) / clock.sigma(before) * x - clock.alpha(time) * phi * guess
        scale = clock.alpha(time) * -h
        rows, goals = _system(ratios, h, order)
        ahead = straight - scale * _weighted(_predictor(rows, goals, order), bends, x)
        if not correct:
            return ahead
        there = self.clean(ahead, time)
        weights = torch.full((1,), 0.5) if order == 1 else torch.linalg.solve(rows, goals)
        self.remember(time, there)
        return straight - scale * (_weighted(weights[:-1], bends, x) + weights[-1] * (there - guess))


def _system(ratios: list[Tensor], h: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """R and b of the paper's equation 11, for B(h) = -h."""
    points = torch.stack([*ratios, torch.ones(())])
    hh = -h
    phi = torch.expm1(hh) / hh - 1
    factorial, rows, goals = 1.0, [], []
    for power in range(order):
        rows.append(points**power)
        goals.append(phi * factorial / hh)
        factorial *= power + 2
        phi = phi / hh - 1 / factorial
    return torch.stack(rows), torch.stack(goals)


def _predictor(rows: Tensor, goals: Tensor, order: int) -> Tensor:
    if order <= 2:
        return torch.full((order - 1,), 0.5)
    solved: Tensor = torch.linalg.solve(rows[:-1, :-1], goals[:-1])
    return solved


def _weighted(weights: Tensor, bends: list[Tensor], like: Tensor) -> Tensor:
    return sum((weight * bend for weight, bend in zip(weights, bends, strict=True)), torch.zeros_like(like))


def unipc(predict: Predict, x: Tensor, walk: Walk, run: Run) -> Tensor:
    """As `stepping.ddim`; the walk's timesteps only tell how many steps to take and where a picture's walk starts."""
    trained = len(walk.alphas_cumprod)
    start = float(walk.timesteps[-1] + 1) / trained if walk.partial else 1.0
    return unipc_along(predict, x, torch.linspace(start, 1 / trained, len(walk.timesteps) + 1), walk, run)


def unipc_along(predict: Predict, x: Tensor, times: Tensor, walk: Walk, run: Run) -> Tensor:
    """`unipc` at chosen times: (steps + 1,) falling, in shares of the training's; timestep n is (n + 1) / 1000."""
    steps = len(times) - 1
    order = min(ORDER, steps)
    walker = _UniPC(predict, _Clock.of(walk.alphas_cumprod), run)
    walker.remember(times[0], walker.clean(x, times[0]))
    for step in range(1, steps + 1):
        allowed = step if step < order else min(order, steps + 1 - step)
        x = walker.step(x, times[step], allowed, correct=step < steps)
    return x
