"""Schedules beside k-diffusion, scipy and literal statements of their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.diffusion.sampling import schedules
from sdkeep.diffusion.sampling.beta import beta_quantile, beta_share
from sdkeep.diffusion.sampling.levels import Levels, scaled_linear, zero_terminal
from sdkeep.diffusion.sampling.schedules import SCHEDULES
from tests.makers.oracles import k_diffusion_sampling

LEVELS = Levels(scaled_linear())
ALL = [one for one in SCHEDULES if one.schedule is not None]


def test_the_levels_are_stable_diffusions():
    assert LEVELS.least == pytest.approx(0.0292, abs=1e-4)
    assert LEVELS.greatest == pytest.approx(14.6146, abs=1e-4)


@given(t=st.floats(0, 999))
@settings(deadline=None)
def test_a_timestep_survives_the_way_to_a_level_and_back(t):
    back = LEVELS.timestep(LEVELS.sigma(torch.tensor([t])))
    assert float(back[0]) == pytest.approx(t, abs=2e-2)


@pytest.mark.parametrize("named", ALL, ids=lambda named: named.name)
@given(steps=st.integers(1, 150))
@settings(deadline=None, max_examples=25)
def test_levels_fall_from_the_greatest_and_stay_finite(named, steps):
    sigmas = named.schedule(LEVELS, steps)
    assert sigmas.dtype == torch.float32
    assert torch.isfinite(sigmas).all()
    assert (sigmas[:-1] > sigmas[1:]).all() or named.name == "DDIM"
    assert float(sigmas[0]) <= LEVELS.greatest * 1.001
    if named.name != "KL Optimal":
        assert float(sigmas[-1]) == 0


@pytest.mark.parametrize("steps", [1, 5, 20, 37])
def test_karras_and_its_kin_are_k_diffusions(steps):
    theirs = k_diffusion_sampling()
    low, high = LEVELS.least, LEVELS.greatest
    assert torch.allclose(schedules.karras(LEVELS, steps), theirs.get_sigmas_karras(steps, low, high))
    assert torch.allclose(schedules.exponential(LEVELS, steps), theirs.get_sigmas_exponential(steps, low, high))
    assert torch.allclose(
        schedules.polyexponential(LEVELS, steps, 1.3), theirs.get_sigmas_polyexponential(steps, low, high, 1.3)
    )


def test_uniform_visits_timesteps_at_equal_distances():
    ours = schedules.uniform(LEVELS, 5)[:-1]
    assert LEVELS.timestep(ours).tolist() == pytest.approx([999, 749.25, 499.5, 249.75, 0], abs=0.01)


def test_sgm_uniform_leaves_the_last_of_them_out():
    ours = schedules.sgm_uniform(LEVELS, 4)[:-1]
    assert LEVELS.timestep(ours).tolist() == pytest.approx([999, 749.25, 499.5, 249.75], abs=0.01)


def test_normal_visits_the_timesteps_of_both_ends():
    ours = schedules.normal(LEVELS, 5)[:-1]
    assert LEVELS.timestep(ours).tolist() == pytest.approx([999, 749.25, 499.5, 249.75, 0], abs=0.01)
    assert torch.allclose(ours, schedules.uniform(LEVELS, 5)[:-1], rtol=1e-4)


def test_simple_takes_the_networks_own_levels():
    own = LEVELS.sigmas
    assert schedules.simple(LEVELS, 4).tolist() == pytest.approx(
        [*(float(own[-(1 + i)]) for i in (0, 250, 500, 750)), 0]
    )


def test_ddim_counts_from_below():
    own = LEVELS.sigmas
    assert schedules.ddim(LEVELS, 4).tolist() == pytest.approx([*(float(own[i]) for i in (751, 501, 251, 1)), 0])


def test_kl_optimal_is_linear_in_the_arctangent():
    ours = schedules.kl_optimal(LEVELS, 6)
    angles = [math.atan(value) for value in ours.tolist()]
    assert np.diff(angles) == pytest.approx([np.diff(angles)[0]] * 6, abs=1e-5)
    assert float(ours[-1]) == pytest.approx(LEVELS.least, rel=1e-4)


def test_align_your_steps_gives_the_published_levels():
    assert schedules.align_your_steps(LEVELS, 11).tolist() == pytest.approx(
        [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029, 0]
    )
    assert float(schedules.align_your_steps_sdxl(LEVELS, 11)[1]) == pytest.approx(6.315)
    ten = schedules.align_your_steps(LEVELS, 10)
    assert float(ten[0]) == pytest.approx(14.615)
    assert float(ten[-2]) == pytest.approx(0.029)


@given(share=st.floats(0.001, 0.999), a=st.floats(0.2, 5), b=st.floats(0.2, 5))
@settings(deadline=None, max_examples=200)
def test_quantiles_of_the_beta_distribution_are_scipys(share, a, b):
    from scipy import stats

    assert beta_share(share, a, b) == pytest.approx(stats.beta.cdf(share, a, b), rel=1e-9, abs=1e-12)
    assert beta_quantile(share, a, b) == pytest.approx(stats.beta.ppf(share, a, b), rel=1e-6, abs=1e-9)


def test_the_beta_schedule_is_a_literal_statement_of_its_formula():
    from scipy import stats

    low, high = LEVELS.least, LEVELS.greatest
    expected = [low + stats.beta.ppf(x, 0.6, 0.6) * (high - low) for x in 1 - np.linspace(0, 1, 12)]
    assert schedules.beta(LEVELS, 12).tolist() == pytest.approx([*expected, 0], rel=1e-5)


def test_levels_stretched_to_pure_noise_keep_the_first():
    stretched = zero_terminal(scaled_linear())
    assert float(stretched[0]) == pytest.approx(float(scaled_linear()[0]))
    assert float(stretched[-1]) == pytest.approx(4.8973451890853435e-08)
    assert (stretched[:-1] > stretched[1:]).all()
