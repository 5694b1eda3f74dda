"""DPM-Solver++ in its single-step, multi-step and stochastic forms.

Sources: Lu et al. 2022, arXiv:2211.01095, and k-diffusion, whose numbers they give. `t` is log time, -log sigma; `h`
a step of it. Samplers as in `classic`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sdkeep.diffusion.sampling.run import Denoise, Run, Seen, ancestral, slope


def _time(sigma: Tensor) -> Tensor:
    return sigma.log().neg()


def _level(time: Tensor) -> Tensor:
    return time.neg().exp()


def dpmpp_2s_ancestral(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """A step of second order with one call half way, then fresh noise."""
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigma), denoised))
        down, up = ancestral(sigma, following, run.eta)
        if down == 0:
            x = x + slope(x, sigma, denoised) * (down - sigma)
        else:
            t, goal = _time(sigma), _time(down)
            h = goal - t
            middle = t + h / 2
            half_way = _level(middle) / _level(t) * x - (-h / 2).expm1() * denoised
            x = _level(goal) / _level(t) * x - (-h).expm1() * denoise(half_way, _level(middle))
        if following > 0:
            x = x + run.noise(sigma, following) * run.s_noise * up
    return x


def dpmpp_sde(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """`dpmpp_2s_ancestral` as a stochastic equation: noise half way too, out of one Brownian path."""
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigma), denoised))
        if following == 0:
            x = x + slope(x, sigma, denoised) * (following - sigma)
            continue
        t, goal = _time(sigma), _time(following)
        middle = t + (goal - t) / 2
        half_way = _stochastic(x, (t, middle), denoised, run)
        x = _stochastic(x, (t, goal), denoise(half_way, _level(middle)), run)
    return x


def _stochastic(x: Tensor, way: tuple[Tensor, Tensor], denoised: Tensor, run: Run) -> Tensor:
    """One step of first order, and its share of the noise."""
    t, goal = way
    down, up = ancestral(_level(t), _level(goal), run.eta)
    short = _time(down)
    x = _level(short) / _level(t) * x - (t - short).expm1() * denoised
    return x + run.noise(_level(t), _level(goal)) * run.s_noise * up


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Second order from the last two calls: one call a step."""
    before: Tensor | None = None
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigma), denoised))
        t, goal = _time(sigma), _time(following)
        h = goal - t
        guess = denoised
        if before is not None and following > 0:
            r = (t - _time(sigmas[step - 1])) / h
            guess = (1 + 1 / (2 * r)) * denoised - (1 / (2 * r)) * before
        x = _level(goal) / _level(t) * x - (-h).expm1() * guess
        before = denoised
    return x


def dpmpp_2m_sde(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """`dpmpp_2m` as a stochastic equation, corrected at the midpoint."""
    return _second_order_sde(denoise, x, sigmas, run, heun=False)


def dpmpp_2m_sde_heun(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """`dpmpp_2m_sde`, corrected as by Heun."""
    return _second_order_sde(denoise, x, sigmas, run, heun=True)


def _second_order_sde(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, heun: bool) -> Tensor:
    before, last = None, torch.zeros(())
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigma), denoised))
        if following == 0:
            return denoised
        h = _time(following) - _time(sigma)
        wide = h + run.eta * h
        drop = (-wide).expm1().neg()
        x = following / sigma * (-run.eta * h).exp() * x + drop * denoised
        if before is not None:
            bend = drop / -wide + 1 if heun else 0.5 * drop
            x = x + bend * (h / last) * (denoised - before)
        if run.eta:
            x = x + run.noise(sigma, following) * following * (-2 * run.eta * h).expm1().neg().sqrt() * run.s_noise
        before, last = denoised, h
    return x


def dpmpp_3m_sde(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Third order from the last three calls, as a stochastic equation."""
    past: list[tuple[Tensor, Tensor]] = []
    for step in range(len(sigmas) - 1):
        sigma, following = sigmas[step], sigmas[step + 1]
        denoised = denoise(x, sigma)
        run.seen(Seen(step, float(sigma), denoised))
        if following == 0:
            return denoised
        h = _time(following) - _time(sigma)
        wide = h * (run.eta + 1)
        x = torch.exp(-wide) * x + (-wide).expm1().neg() * denoised + _bend(denoised, past, h, wide)
        if run.eta:
            x = x + run.noise(sigma, following) * following * (-2 * h * run.eta).expm1().neg().sqrt() * run.s_noise
        past = [(denoised, h), *past[:1]]
    return x


def _bend(denoised: Tensor, past: list[tuple[Tensor, Tensor]], h: Tensor, wide: Tensor) -> Tensor:
    """The terms of second and third order, by divided differences of what the network said before."""
    if not past:
        return torch.zeros_like(denoised)
    before, width = past[0]
    second = wide.neg().expm1() / wide + 1
    r0 = width / h
    near = (denoised - before) / r0
    if len(past) == 1:
        return second * near
    r1 = past[1][1] / h
    far = (before - past[1][0]) / r1
    first = near + (near - far) * r0 / (r0 + r1)
    return second * first - (second / wide - 0.5) * ((near - far) / (r0 + r1))
