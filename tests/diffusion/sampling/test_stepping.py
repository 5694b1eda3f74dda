"""Timestep samplers beside diffusers' schedulers and literal statements of their formulas."""

from __future__ import annotations

import warnings

import pytest
import torch

from sdkeep.diffusion.sampling.levels import Levels, scaled_linear
from sdkeep.diffusion.sampling.run import Run
from sdkeep.diffusion.sampling.stepping import Predicted, Walk, ddim, ddim_cfgpp, plms, timesteps_for
from sdkeep.diffusion.sampling.unipc import unipc, unipc_along
from tests.diffusion.sampling.toys import Rolled, gaussian

SHAPE = (2, 4, 6, 6)
ALPHAS = scaled_linear()


def noise_at(x, timestep):
    """The noise that the toy sees in x of variance 1."""
    place = float(timestep)
    low = int(place)
    share = place - low
    alpha = torch.exp((1 - share) * ALPHAS[low].log() + share * ALPHAS[min(low + 1, 999)].log())
    sigma = ((1 - alpha) / alpha) ** 0.5
    clean = gaussian(x / alpha.sqrt(), sigma)
    return (x - alpha.sqrt() * clean) / (1 - alpha).sqrt()


def predict(x, timestep):
    noise = noise_at(x, timestep)
    return Predicted(noise, noise)


def start():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))


def walk(steps):
    return Walk(timesteps_for(steps), ALPHAS)


def diffusers_scheduler(name, **options):
    diffusers = pytest.importorskip("diffusers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(diffusers, name)(
            num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", **options
        )


def test_timesteps_are_counted_as_by_automatic1111():
    assert timesteps_for(20).tolist() == list(range(1, 1000, 50))
    assert len(timesteps_for(15)) == 16
    assert timesteps_for(1).tolist() == [1]
    assert timesteps_for(1000).tolist() == [*range(1, 1000), 999]


@pytest.mark.parametrize("steps", [5, 10, 20])
def test_ddim_is_diffusers_ddim_down_to_its_last_but_one_step(steps):
    scheduler = diffusers_scheduler("DDIMScheduler", steps_offset=1, clip_sample=False, set_alpha_to_one=False)
    scheduler.set_timesteps(steps)
    x = start()
    for timestep in scheduler.timesteps[:-1]:
        x = scheduler.step(noise_at(x, timestep), timestep, x).prev_sample
    ours = ddim(predict, start(), walk(steps), Run(eta=0.0))
    assert torch.allclose(ours, x, atol=2e-5)


def test_ddim_with_noise_adds_what_the_paper_says():
    noise, steps = Rolled(SHAPE), walk(10)
    ours = ddim(predict, start(), steps, Run(noise=noise, eta=0.6))
    x, drawn = start(), Rolled(SHAPE)
    times = steps.timesteps.tolist()
    for now, before in zip(times[:0:-1], times[-2::-1], strict=True):
        a, b = float(ALPHAS[now]), float(ALPHAS[before])
        sigma = 0.6 * ((1 - b) / (1 - a)) ** 0.5 * (1 - a / b) ** 0.5
        seen = noise_at(x, now)
        clean = (x - (1 - a) ** 0.5 * seen) / a**0.5
        x = b**0.5 * clean + (1 - b - sigma**2) ** 0.5 * seen + sigma * drawn(0, 0)
    assert torch.allclose(ours, x, atol=2e-5)


def test_cfgpp_climbs_along_the_noise_without_the_prompt():
    def guided(x, timestep):
        return Predicted(noise_at(x, timestep), 0.5 * noise_at(x, timestep))

    ours = ddim_cfgpp(guided, start(), walk(6), Run(eta=0.0))
    x, times = start(), walk(6).timesteps.tolist()
    for now, before in zip(times[:0:-1], times[-2::-1], strict=True):
        a, b = float(ALPHAS[now]), float(ALPHAS[before])
        seen = noise_at(x, now)
        x = b**0.5 * (x - (1 - a) ** 0.5 * seen) / a**0.5 + (1 - b) ** 0.5 * 0.5 * seen
    assert torch.allclose(ours, x, atol=2e-5)


@pytest.mark.parametrize("steps", [10, 20])
def test_plms_is_diffusers_pndm_without_runge_kutta(steps):
    scheduler = diffusers_scheduler("PNDMScheduler", steps_offset=1, skip_prk_steps=True, set_alpha_to_one=False)
    scheduler.set_timesteps(steps)
    x = start()
    for timestep in scheduler.timesteps[:-1]:
        x = scheduler.step(noise_at(x, timestep), timestep, x).prev_sample
    ours = plms(predict, start(), walk(steps), Run(eta=0.0))
    assert torch.allclose(ours, x, atol=5e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("steps", [3, 6, 12])
def test_unipc_is_diffusers_unipc_at_its_times(steps):
    options = {"solver_order": 3, "solver_type": "bh1", "final_sigmas_type": "sigma_min"}
    scheduler = diffusers_scheduler("UniPCMultistepScheduler", **options)
    scheduler.set_timesteps(steps)
    x = start()
    for timestep in scheduler.timesteps:
        x = scheduler.step(noise_at(x, timestep), timestep, x).prev_sample
    times = torch.cat([(scheduler.timesteps + 1) / 1000, torch.tensor([1 / 1000])])
    ours = unipc_along(predict, start(), times, walk(steps), Run(eta=0.0))
    assert torch.allclose(ours, x, atol=1e-3)


def test_unipc_needs_far_fewer_steps_than_ddim():
    exact = ddim(predict, start(), walk(1000), Run(eta=0.0))

    def error(sampler, steps):
        return float((sampler(predict, start(), walk(steps), Run(eta=0.0)) - exact).abs().mean())

    assert error(unipc, 20) < error(ddim, 30)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("sampler", [ddim, plms, unipc])
def test_few_steps_give_numbers(sampler, steps):
    assert torch.isfinite(sampler(predict, start(), walk(steps), Run(eta=0.0))).all()


def test_the_levels_of_a_walk_are_the_networks():
    levels = Levels(ALPHAS)
    assert float(levels.sigma(torch.tensor([500.0]))) == pytest.approx(float(levels.sigmas[500]))
