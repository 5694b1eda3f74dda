"""Nothing passes because what it would be compared with is missing."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from sdkeep.diffusion.sampling import dpm, extra, stepping
from sdkeep.diffusion.sampling.registry import SAMPLERS
from sdkeep.diffusion.sampling.schedules import SCHEDULES
from sdkeep.diffusion.sampling.unipc import unipc
from tests.diffusion.sampling import test_extra, test_samplers, test_schedules, test_stepping

REFERENCES = (
    "clip-anytorch", "diffusers", "instant-clip-tokenizer", "k-diffusion", "lark", "scikit-learn", "scipy",
    "stable-diffusion-sdkit", "torchsde", "transformers",
)  # fmt: skip


@pytest.mark.parametrize("package", REFERENCES)
def test_a_reference_implementation_is_installed(package: str) -> None:
    assert version(package)


def test_every_sampler_is_compared_with_a_reference() -> None:
    compared = {
        *test_samplers.PLAIN.values(),
        *(sampler for sampler, _ in test_samplers.NOISY.values()),
        *{
            dpm.dpm_fast: test_samplers.test_dpm_fast_gives_k_diffusions_numbers,
            dpm.dpm_adaptive: test_samplers.test_dpm_adaptive_gives_k_diffusions_numbers,
            extra.restart: test_extra.test_restart_gives_the_numbers_of_its_rule,
            extra.lcm: test_extra.test_lcm_jumps_and_adds_noise_but_the_last_time,
            stepping.ddim: test_stepping.test_ddim_is_diffusers_ddim_down_to_its_last_but_one_step,
            stepping.ddim_cfgpp: test_stepping.test_cfgpp_climbs_along_the_noise_without_the_prompt,
            stepping.plms: test_stepping.test_plms_is_diffusers_pndm_without_runge_kutta,
            unipc: test_stepping.test_unipc_is_diffusers_unipc_at_its_times,
        },
    }
    assert {one.levelled or one.stepped for one in SAMPLERS} <= compared


def test_every_schedule_is_compared_with_a_reference() -> None:
    compared = {
        "Automatic": test_schedules.ALL,
        "Uniform": test_schedules.test_uniform_visits_timesteps_at_equal_distances,
        "Karras": test_schedules.test_karras_and_its_kin_are_k_diffusions,
        "Exponential": test_schedules.test_karras_and_its_kin_are_k_diffusions,
        "Polyexponential": test_schedules.test_karras_and_its_kin_are_k_diffusions,
        "SGM Uniform": test_schedules.test_sgm_uniform_leaves_the_last_of_them_out,
        "KL Optimal": test_schedules.test_kl_optimal_is_linear_in_the_arctangent,
        "Align Your Steps": test_schedules.test_align_your_steps_gives_the_published_levels,
        "Simple": test_schedules.test_simple_takes_the_networks_own_levels,
        "Normal": test_schedules.test_normal_visits_the_timesteps_of_both_ends,
        "DDIM": test_schedules.test_ddim_counts_from_below,
        "Beta": test_schedules.test_the_beta_schedule_is_a_literal_statement_of_its_formula,
    }
    assert {one.name for one in SCHEDULES} == compared.keys()
