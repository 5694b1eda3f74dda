"""Restart and LCM."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from sdkeep.diffusion.sampling import classic
from sdkeep.diffusion.sampling.extra import ConsistencyLevels, lcm, restart
from sdkeep.diffusion.sampling.levels import Levels, scaled_linear
from sdkeep.diffusion.sampling.run import Run
from sdkeep.diffusion.sampling.schedules import karras
from tests.diffusion.sampling.toys import Rolled, gaussian
from tests.makers.oracles import k_diffusion_sampling

SHAPE = (1, 4, 6, 6)
LEVELS = Levels(scaled_linear())


def start(sigmas):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)) * sigmas[0]


@pytest.mark.parametrize(("steps", "climbs"), [(12, 0), (19, 0), (20, 1), (30, 1), (36, 2), (60, 2)])
def test_restart_climbs_back_up_once_or_twice_within_its_budget(steps, climbs):
    sigmas, shown, noise = karras(LEVELS, steps), [], Rolled(SHAPE)
    restart(gaussian, start(sigmas), sigmas, Run(noise=noise, seen=shown.append))
    levels = [one.sigma for one in shown]
    assert sum(after > before for before, after in pairwise(levels)) == climbs
    assert len(noise.asked) == climbs
    assert abs(len(levels) - steps) <= 1


def test_restart_of_few_steps_is_heun():
    sigmas = karras(LEVELS, 12)
    ours = restart(gaussian, start(sigmas), sigmas, Run())
    assert torch.equal(ours, classic.heun(gaussian, start(sigmas), sigmas, Run()))


def restart_by_the_letter(x, sigmas, noise):
    """AUTOMATIC1111's rule: from 20 steps on once, 9 steps; from 36 on twice, a quarter of them; from 0.1 up to 2."""
    steps = len(sigmas) - 1
    times, length = (2, steps // 4) if steps >= 36 else (1, 9) if steps >= 20 else (0, 0)
    if times:
        sigmas = k_diffusion_sampling().get_sigmas_karras(steps - times * length, float(sigmas[-2]), float(sigmas[0]))
    lowest, highest = (min(range(len(sigmas)), key=lambda place: abs(sigmas[place] - wanted)) for wanted in (0.1, 2.0))

    def down(x, levels):
        for sigma, after in pairwise(levels):
            slope = (x - gaussian(x, sigma)) / sigma
            ahead = x + slope * (after - sigma)
            x = ahead if after == 0 else x + (slope + (ahead - gaussian(ahead, after)) / after) / 2 * (after - sigma)
        return x

    if not times:
        return down(x, sigmas)
    x = down(x, sigmas[: lowest + 1])
    low, high = sigmas[lowest], sigmas[highest]
    for _ in range(times):
        again = k_diffusion_sampling().get_sigmas_karras(length + 1, float(low), float(high))[:-1]
        x = down(x + noise(0, 0) * (again[0] ** 2 - low**2) ** 0.5, again)
        low = again[-1]
    return down(x, sigmas[lowest:])


@pytest.mark.parametrize("steps", [12, 20, 27, 36, 50])
def test_restart_gives_the_numbers_of_its_rule(steps):
    sigmas = karras(LEVELS, steps)
    ours = restart(gaussian, start(sigmas), sigmas, Run(noise=Rolled(SHAPE)))
    assert torch.allclose(ours, restart_by_the_letter(start(sigmas), sigmas, Rolled(SHAPE)), atol=2e-5)


def test_lcm_jumps_and_adds_noise_but_the_last_time():
    sigmas, noise = karras(LEVELS, 4), Rolled(SHAPE)
    ours = lcm(gaussian, start(sigmas), sigmas, Run(noise=noise))
    x, drawn = start(sigmas), Rolled(SHAPE)
    for sigma, following in pairwise(sigmas):
        x = gaussian(x, sigma)
        if following > 0:
            x = x + following * drawn(0, 0)
    assert torch.equal(ours, x)
    assert len(noise.asked) == 3


def test_consistency_levels_are_every_twentieth():
    levels = ConsistencyLevels(scaled_linear())
    assert len(levels.sigmas) == 50
    assert float(levels.sigmas[-1]) == pytest.approx(LEVELS.greatest)
    assert levels.timestep(levels.sigmas[[0, 49]]).tolist() == [19, 999]
    schedule = levels.schedule(4)
    assert levels.timestep(schedule[:-1]).tolist() == [999, 679, 339, 19]
    assert float(schedule[-1]) == 0


def test_at_the_least_level_a_consistency_answer_is_nearly_the_networks():
    levels = ConsistencyLevels(scaled_linear())
    x, denoised = torch.ones(SHAPE), torch.zeros(SHAPE)
    blended = levels.blended(levels.sigmas[0], denoised, x)
    scaled = 19 * 10.0
    assert float(blended.mean()) == pytest.approx(0.25 / (scaled**2 + 0.25))
