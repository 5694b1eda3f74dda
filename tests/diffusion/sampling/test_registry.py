"""Names of samplers and schedules, old and new."""

from __future__ import annotations

import pytest

from sdkeep.diffusion.sampling.registry import SAMPLERS, choose
from sdkeep.ground.errors import UsageError


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
