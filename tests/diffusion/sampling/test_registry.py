"""Names of samplers and schedules, old and new."""

from __future__ import annotations

import pytest

from sdkeep.diffusion.sampling.registry import SAMPLERS, choose
from sdkeep.diffusion.sampling.schedules import SCHEDULES
from sdkeep.ground.errors import UsageError

PUBLISHED = {
    "DPM++ 2M": ("k_dpmpp_2m", "Karras", ""),
    "DPM++ SDE": ("k_dpmpp_sde", "Karras", "twice brownian"),
    "DPM++ 2M SDE": ("k_dpmpp_2m_sde", "Exponential", "brownian"),
    "DPM++ 2M SDE Heun": ("k_dpmpp_2m_sde_heun", "Exponential", "brownian"),
    "DPM++ 2S a": ("k_dpmpp_2s_a", "Karras", "twice ensd"),
    "DPM++ 3M SDE": ("k_dpmpp_3m_sde", "Exponential", "discards brownian"),
    "Euler a": ("k_euler_a k_euler_ancestral", "Uniform", "ensd"),
    "Euler": ("k_euler", "Uniform", ""),
    "LMS": ("k_lms", "Uniform", ""),
    "Heun": ("k_heun", "Uniform", "twice"),
    "DPM2": ("k_dpm_2", "Karras", "twice discards"),
    "DPM2 a": ("k_dpm_2_a", "Karras", "twice discards ensd"),
    "DPM fast": ("k_dpm_fast", "Uniform", "ensd"),
    "DPM adaptive": ("k_dpm_ad", "Uniform", "ensd"),
    "Restart": ("restart", "Karras", "twice"),
    "DDIM": ("ddim", "Uniform", ""),
    "DDIM CFG++": ("ddim_cfgpp", "Uniform", ""),
    "PLMS": ("plms", "Uniform", ""),
    "UniPC": ("unipc", "Uniform", ""),
    "LCM": ("k_lcm", "Uniform", ""),
}
"""AUTOMATIC1111 1.10's samplers: aliases, what `Automatic` means, and the options that they are listed with."""

SCHEDULE_NAMES = (
    "Automatic", "Uniform", "Karras", "Exponential", "Polyexponential", "SGM Uniform", "KL Optimal",
    "Align Your Steps", "Simple", "Normal", "DDIM", "Beta",
)  # fmt: skip


def test_the_samplers_and_schedules_are_automatic1111s_in_its_order():
    assert [one.name for one in SAMPLERS] == list(PUBLISHED)
    assert tuple(one.name for one in SCHEDULES) == SCHEDULE_NAMES


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_sampler_is_run_as_automatic1111_runs_it(name):
    aliases, schedule, options = PUBLISHED[name]
    sampler = choose(name).sampler
    assert {choose(alias).sampler.name for alias in aliases.split()} == {name}
    assert choose(name).schedule.name == schedule
    said = {
        "twice": sampler.calls == 2,
        "discards": sampler.drops_penultimate,
        "brownian": sampler.brownian,
        "ensd": sampler.ensd,
    }
    assert [word for word, yes in said.items() if yes] == sorted(options.split(), key=list(said).index)


@pytest.mark.parametrize("name", SCHEDULE_NAMES)
def test_a_schedule_is_found_in_every_spelling(name):
    for word in (name, name.upper(), name.lower().replace(" ", "_")):
        assert choose("Euler", word).schedule.name == ("Uniform" if name == "Automatic" else name)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.name)
def test_every_name_and_alias_finds_its_sampler(sampler):
    for word in (sampler.name, sampler.name.upper(), *sampler.aliases):
        assert choose(word).sampler is sampler
    assert (sampler.levelled is None) != (sampler.stepped is None)


@pytest.mark.parametrize(
    ("old", "sampler", "schedule"),
    [
        ("DPM++ 2M Karras", "DPM++ 2M", "Karras"),
        ("DPM++ 2M SDE Karras", "DPM++ 2M SDE", "Karras"),
        ("DPM++ 2M SDE Heun Exponential", "DPM++ 2M SDE Heun", "Exponential"),
        ("DPM2 a Karras", "DPM2 a", "Karras"),
        ("LMS Karras", "LMS", "Karras"),
        ("Euler SGM Uniform", "Euler", "SGM Uniform"),
        ("k_lms_ka", "LMS", "Karras"),
        ("k_dpm_2_a_ka", "DPM2 a", "Karras"),
        ("k_dpmpp_2s_a_ka", "DPM++ 2S a", "Karras"),
        ("k_dpmpp_2m_ka", "DPM++ 2M", "Karras"),
        ("k_dpmpp_sde_ka", "DPM++ SDE", "Karras"),
        ("k_dpmpp_2m_sde_ka", "DPM++ 2M SDE", "Karras"),
        ("k_dpmpp_2m_sde_exp", "DPM++ 2M SDE", "Exponential"),
        ("k_dpmpp_2m_sde_heun_ka", "DPM++ 2M SDE Heun", "Karras"),
        ("k_dpmpp_3m_sde_exp", "DPM++ 3M SDE", "Exponential"),
    ],
)
def test_old_names_hold_both(old, sampler, schedule):
    chosen = choose(old)
    assert (chosen.sampler.name, chosen.schedule.name, chosen.automatic) == (sampler, schedule, False)


def test_an_explicit_schedule_wins_over_the_old_name():
    assert choose("DPM++ 2M Karras", "Exponential").schedule.name == "Exponential"


def test_automatic_is_what_the_sampler_prefers():
    chosen = choose("DPM++ 3M SDE")
    assert (chosen.schedule.name, chosen.automatic) == ("Exponential", True)
    assert choose("Euler a", "automatic").schedule.name == "Uniform"


def test_an_unknown_name_answers_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        choose("DPM++ 2MM")
    assert "`DPM++ 2M`" in caught.value.why
    with pytest.raises(UsageError) as caught:
        choose("Euler", "karas")
    assert "`Karras`" in caught.value.why
