"""DPM-Solver in its two driving modes: a fixed number of network calls, and steps as wide as the error allows.

Source: Lu et al. 2022, arXiv:2206.00927; k-diffusion's formulation in log time, t = -log sigma. Both go from the
greatest to the least level that is not 0, and take no list of levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sdkeep.diffusion.sampling.run import Denoise, Run, Seen, ancestral


def dpm_fast(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """As many network calls as `sigmas` has steps, in steps of order 3 and a shorter end (section 3.4)."""
    calls = len(sigmas) - 1
    start, end = _time(sigmas[0]), _time(sigmas[sigmas > 0].min())
    pieces = calls // 3 + 1
    times = torch.linspace(float(start), float(end), pieces + 1)
    orders = [3] * (pieces - 2) + [2, 1] if calls % 3 == 0 else [3] * (pieces - 1) + [calls % 3]
    for piece, order in enumerate(orders):
        now, following = times[piece], times[piece + 1]
        goal, up = _shortened(now, following, end, run.eta)
        first = _Slopes(denoise, x, now)
        run.seen(Seen(piece, float(_level(now)), x - _level(now) * first.at_start))
        x = _STEPS[order](first, goal)
        x = _noised(x, (now, following), up, run)
    return x


def _shortened(now: Tensor, following: Tensor, end: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """Where to step, and how much noise to add there, so that the level of `following` is met."""
    if not eta:
        return following, torch.zeros(())
    down, _ = ancestral(_level(now), _level(following), eta)
    goal = torch.minimum(end, _time(down))
    return goal, (_level(following) ** 2 - _level(goal) ** 2) ** 0.5


def _noised(x: Tensor, way: tuple[Tensor, Tensor], up: Tensor, run: Run) -> Tensor:
    if not run.eta:
        return x
    return x + up * run.s_noise * run.noise(_level(way[0]), _level(way[1]))


def _time(sigma: Tensor) -> Tensor:
    return -sigma.log()


def _level(time: Tensor) -> Tensor:
    return time.neg().exp()


@dataclass(slots=True)
class _Slopes:
    """The noise that the network sees along one step; a place it was asked for is not asked again."""

    denoise: Denoise
    x: Tensor
    now: Tensor
    _known: dict[str, Tensor] = field(default_factory=dict)

    @property
    def at_start(self) -> Tensor:
        """At the start of the step."""
        return self.at("start", lambda: self.x, self.now)

    def at(self, name: str, x: Callable[[], Tensor], time: Tensor) -> Tensor:
        """At the place called `name`."""
        if name not in self._known:
            there = x()
            self._known[name] = (there - self.denoise(there, _level(time))) / _level(time)
        return self._known[name]


def _first_order(slopes: _Slopes, goal: Tensor) -> Tensor:
    h = goal - slopes.now
    return slopes.x - _level(goal) * h.expm1() * slopes.at_start


def _second_order(slopes: _Slopes, goal: Tensor, share: float = 1 / 2) -> Tensor:
    h = goal - slopes.now
    inner = _inner(slopes, share, h)
    return (
        slopes.x
        - _level(goal) * h.expm1() * slopes.at_start
        - _level(goal) / (2 * share) * h.expm1() * (inner - slopes.at_start)
    )


def _inner(slopes: _Slopes, share: float, h: Tensor) -> Tensor:
    """The noise at `share` of a step, reached by a step of first order."""
    time = slopes.now + share * h
    return slopes.at(f"inner {share}", lambda: slopes.x - _level(time) * (share * h).expm1() * slopes.at_start, time)


def _third_order(slopes: _Slopes, goal: Tensor, near: float = 1 / 3, far: float = 2 / 3) -> Tensor:
    h = goal - slopes.now
    first, inner = slopes.at_start, _inner(slopes, near, h)
    time = slopes.now + far * h
    bend = (far * h).expm1() / (far * h) - 1
    outer = slopes.at(
        "outer",
        lambda: (
            slopes.x - _level(time) * (far * h).expm1() * first - _level(time) * (far / near) * bend * (inner - first)
        ),
        time,
    )
    return slopes.x - _level(goal) * h.expm1() * first - _level(goal) / far * (h.expm1() / h - 1) * (outer - first)


_STEPS: dict[int, Callable[[_Slopes, Tensor], Tensor]] = {1: _first_order, 2: _second_order, 3: _third_order}


@dataclass(slots=True)
class _Controller:
    """The width of the next step from the error of the last: an integral controller with a soft limit."""

    h: Tensor | float
    order: float
    accept: float = 0.81

    def judge(self, error: Tensor) -> bool:
        """Whether a step with that error stands; sets the next width."""
        factor = 1 + math.atan((1 / (float(error) + 1e-8)) ** (1 / self.order) - 1)
        self.h = self.h * factor
        return factor >= self.accept


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What error a step may have: `absolute` plus `relative` of the values; `first` is the width tried first."""

    relative: float = 0.05
    absolute: float = 0.0078
    first: float = 0.05


def dpm_adaptive(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    run: Run,
    tolerance: Tolerance = Tolerance(),
) -> Tensor:
    """Steps of order 3, each as wide as the difference to order 2 allows.

    The number of steps asked for plays no part.
    """
    now, end = _time(sigmas[0]), _time(sigmas[sigmas > 0].min())
    previous = x
    controller = _Controller(tolerance.first, 1.5 if run.eta else 3)
    step = 0
    while now < end - 1e-5:
        following = torch.minimum(end, now + controller.h)
        goal, up = _shortened(now, following, end, run.eta)
        slopes = _Slopes(denoise, x, now)
        clean = x - _level(now) * slopes.at_start
        low, high = _second_order(slopes, goal, 1 / 3), _third_order(slopes, goal)
        delta = torch.maximum(
            torch.tensor(tolerance.absolute), tolerance.relative * torch.maximum(low.abs(), previous.abs())
        )
        error = torch.linalg.norm((low - high) / delta) / x.numel() ** 0.5
        if controller.judge(error):
            previous = low
            x = _noised(high, (now, following), up, run)
            now = following
            run.seen(Seen(step, float(_level(now)), clean))
            step += 1
    return x
