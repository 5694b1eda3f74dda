"""Every sampler beside k-diffusion's, on the same noise."""

from __future__ import annotations

import pytest
import torch

from sdkeep.diffusion.sampling import classic, dpm, dpmpp
from sdkeep.diffusion.sampling.levels import Levels, scaled_linear
from sdkeep.diffusion.sampling.run import Run
from sdkeep.diffusion.sampling.schedules import exponential, karras, uniform
from tests.diffusion.sampling.toys import Rolled, gaussian
from tests.makers.oracles import k_diffusion_sampling

SHAPE = (2, 4, 8, 8)
LEVELS = Levels(scaled_linear())

PLAIN = {
    "sample_euler": classic.euler,
    "sample_heun": classic.heun,
    "sample_lms": classic.lms,
    "sample_dpm_2": classic.dpm_2,
    "sample_dpmpp_2m": dpmpp.dpmpp_2m,
}
NOISY = {
    "sample_euler_ancestral": (classic.euler_ancestral, {}),
    "sample_dpm_2_ancestral": (classic.dpm_2_ancestral, {}),
    "sample_dpmpp_2s_ancestral": (dpmpp.dpmpp_2s_ancestral, {}),
    "sample_dpmpp_sde": (dpmpp.dpmpp_sde, {}),
    "sample_dpmpp_2m_sde": (dpmpp.dpmpp_2m_sde, {}),
    "sample_dpmpp_2m_sde heun": (dpmpp.dpmpp_2m_sde_heun, {"solver_type": "heun"}),
    "sample_dpmpp_3m_sde": (dpmpp.dpmpp_3m_sde, {}),
}


def reference_model(x, sigma, **_):
    return gaussian(x, sigma[0])


def start(sigmas):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(5)) * sigmas[0]


def near(ours, theirs, relative=1e-5):
    assert torch.isfinite(ours).all()
    assert (ours - theirs).abs().max() <= relative * theirs.abs().max()


@pytest.mark.parametrize("schedule", [karras, uniform, exponential])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("name", PLAIN)
def test_a_sampler_without_noise_gives_k_diffusions_numbers(name, steps, schedule):
    sigmas = schedule(LEVELS, steps)
    theirs = getattr(k_diffusion_sampling(), name)(reference_model, start(sigmas), sigmas, disable=True)
    near(PLAIN[name](gaussian, start(sigmas), sigmas, Run()), theirs)


@pytest.mark.parametrize("eta", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("steps", [2, 3, 12])
@pytest.mark.parametrize("name", NOISY)
def test_a_sampler_with_noise_gives_k_diffusions_numbers_on_the_same_noise(name, steps, eta):
    sampler, options = NOISY[name]
    sigmas = karras(LEVELS, steps)
    ours, theirs = Rolled(SHAPE), Rolled(SHAPE)
    expected = getattr(k_diffusion_sampling(), name.split()[0])(
        reference_model, start(sigmas), sigmas, disable=True, eta=eta, noise_sampler=theirs, **options
    )
    near(sampler(gaussian, start(sigmas), sigmas, Run(noise=ours, eta=eta)), expected)
    assert torch.allclose(torch.tensor(ours.asked), torch.tensor(theirs.asked))


@pytest.mark.parametrize("eta", [1.0, 0.0])
@pytest.mark.parametrize("steps", [3, 4, 5, 6, 15])
def test_dpm_fast_gives_k_diffusions_numbers(steps, eta):
    sigmas = karras(LEVELS, steps)
    expected = k_diffusion_sampling().sample_dpm_fast(
        reference_model, start(sigmas), float(sigmas[-2]), float(sigmas[0]), steps,
        disable=True, eta=eta, noise_sampler=Rolled(SHAPE),
    )  # fmt: skip
    near(dpm.dpm_fast(gaussian, start(sigmas), sigmas, Run(noise=Rolled(SHAPE), eta=eta)), expected, 1e-4)


@pytest.mark.parametrize("eta", [1.0, 0.0])
def test_dpm_adaptive_gives_k_diffusions_numbers(eta):
    sigmas = karras(LEVELS, 10)
    expected = k_diffusion_sampling().sample_dpm_adaptive(
        reference_model, start(sigmas), float(sigmas[-2]), float(sigmas[0]),
        disable=True, eta=eta, noise_sampler=Rolled(SHAPE),
    )  # fmt: skip
    near(dpm.dpm_adaptive(gaussian, start(sigmas), sigmas, Run(noise=Rolled(SHAPE), eta=eta)), expected, 1e-4)


@pytest.mark.parametrize("name", ["sample_euler", "sample_heun", "sample_dpm_2"])
def test_churn_adds_noise_where_k_diffusion_adds_it(name, monkeypatch):
    sigmas = karras(LEVELS, 8)
    noise = Rolled(SHAPE)
    module = k_diffusion_sampling()
    monkeypatch.setattr(module.torch, "randn_like", lambda x: noise(0, 0))
    theirs = getattr(module, name)(
        reference_model, start(sigmas), sigmas, disable=True, s_churn=4.0, s_tmin=0.0, s_tmax=1e9, s_noise=1.003
    )
    run = Run(noise=Rolled(SHAPE), churn=4.0, s_noise=1.003)
    near(PLAIN[name](gaussian, start(sigmas), sigmas, run), theirs)


def test_every_step_is_shown_once_and_in_order():
    for sampler in (*PLAIN.values(), *(sampler for sampler, _ in NOISY.values())):
        sigmas, shown = karras(LEVELS, 6), []
        sampler(gaussian, start(sigmas), sigmas, Run(noise=Rolled(SHAPE), seen=shown.append))
        assert [one.step for one in shown] == list(range(6)), sampler.__name__
        assert [one.sigma for one in shown] == pytest.approx(sigmas[:-1].tolist())


def test_many_small_steps_of_every_sampler_end_where_the_flow_ends():
    exact = classic.euler(gaussian, start(karras(LEVELS, 2000)), karras(LEVELS, 2000), Run())
    for name, sampler in PLAIN.items():
        ours = sampler(gaussian, start(karras(LEVELS, 60)), karras(LEVELS, 60), Run())
        assert (ours - exact).abs().mean() < (0.05 if name in {"sample_euler", "sample_lms"} else 5e-3), name
