"""AUTOMATIC1111's options for samplers and schedules, each by its own formula."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.guidance import Asked, Muting, stretched
from sdkeep.diffusion.jobs import Job, checked
from sdkeep.diffusion.knobs import Knobs, without_penultimate
from sdkeep.diffusion.pipeline import Pipeline, Refiner
from sdkeep.diffusion.sampling import schedules
from sdkeep.diffusion.sampling.levels import Levels, scaled_linear
from sdkeep.ground.errors import UsageError

LEVELS = Levels(scaled_linear())
JOB = Job("a cat", size=(32, 32), steps=6, sampler="Euler", schedule="Uniform", seed=1)


def test_a_schedule_runs_between_the_ends_that_are_set() -> None:
    knobs = Knobs(least=0.1, greatest=10.0)
    sigmas = knobs.bent(schedules.karras)(knobs.within(LEVELS), 5)
    wanted = [(10 ** (1 / 7) + step / 4 * (0.1 ** (1 / 7) - 10 ** (1 / 7))) ** 7 for step in range(5)]
    assert sigmas.tolist() == pytest.approx([*wanted, 0.0], rel=1e-5)
    assert Knobs().within(LEVELS) is LEVELS


def test_rho_bends_what_can_be_bent_and_nothing_else() -> None:
    knobs = Knobs(rho=3.0)
    sigmas = knobs.bent(schedules.karras)(LEVELS, 3)
    middle = ((LEVELS.greatest ** (1 / 3) + LEVELS.least ** (1 / 3)) / 2) ** 3
    assert float(sigmas[1]) == pytest.approx(middle, rel=1e-5)
    assert knobs.bent(schedules.exponential) is schedules.exponential


def test_beta_takes_its_two_parameters() -> None:
    plain = schedules.beta(LEVELS, 6)
    assert torch.equal(Knobs().bent(schedules.beta)(LEVELS, 6), plain)
    assert not torch.equal(Knobs(beta=(0.9, 0.9)).bent(schedules.beta)(LEVELS, 6), plain)


def test_noise_begins_as_stabilitys_own_code_has_it() -> None:
    noise, first = torch.ones(2), torch.tensor(3.0)
    assert Knobs().begun(noise, first).tolist() == [3, 3]
    assert Knobs(sgm_noise=True).begun(noise, first).tolist() == pytest.approx([math.sqrt(10)] * 2)
    assert without_penultimate(torch.tensor([3.0, 2.0, 1.0, 0.0])).tolist() == [3, 2, 0]


def test_the_negative_prompt_is_left_out_where_it_is_muted() -> None:
    below = Muting(sigma=1.0)
    assert [below.mutes(step, 6, 0.5) for step in range(4)] == [False, True, False, True]
    assert not below.mutes(1, 6, 2.0)
    assert replace(below, all=True).mutes(0, 6, 0.5)
    assert [Muting(early=0.5).mutes(step, 4, 9.0) for step in range(4)] == [True, True, True, False]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many answers each call of the network was asked for."""
    sizes: list[int] = []
    ask = Model.predict
    monkeypatch.setattr(Model, "predict", lambda self, x, *given: sizes.append(len(x)) or ask(self, x, *given))
    return sizes


def test_muted_steps_ask_half_as_much(sd1: Model, asked: list[int]) -> None:
    list(Pipeline(sd1).run(replace(JOB, muting=Muting(sigma=100.0))))
    assert asked == [2, 1, 2, 1, 2, 1]


def test_prompts_of_different_lengths_go_in_one_batch_where_they_are_padded(sd1: Model, asked: list[int]) -> None:
    long = replace(JOB, prompt="a cat " * 60, steps=2)
    list(Pipeline(sd1).run(long))
    list(Pipeline(sd1).run(replace(long, pads=True)))
    assert asked == [1, 1, 1, 1, 2, 2]


def test_a_refiner_can_take_over_by_steps(paired: Callable[..., tuple[object, Model]]) -> None:
    base, refiner = paired("sd1")[1], paired("sd2")[1]
    order: list[Model] = []
    ask = Model.predict
    patch = pytest.MonkeyPatch()
    patch.setattr(Model, "predict", lambda self, *given: order.append(self) or ask(self, *given))
    try:
        job = replace(JOB, schedule="Karras", refine_at=0.5, refine_by_steps=True)
        list(Pipeline(base, refiner=Refiner(refiner)).run(job))
    finally:
        patch.undo()
    assert [one is refiner for one in order] == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("knobs", "offered"),
    [
        (Knobs(rho=-1.0), '`--set "Schedule rho: 0"`'),
        (Knobs(churn=math.nan), '`--set "Sigma churn: 0"`'),
        (Knobs(least=3.0, greatest=2.0), "leave one of them out"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_by_its_name(knobs: Knobs, offered: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(replace(JOB, knobs=knobs))
    assert caught.value.next == offered


def test_shorter_parts_of_a_prompt_repeat_their_last_vector() -> None:
    long, short = Asked(0, torch.arange(8.0).view(4, 2)), Asked(0, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    found = stretched([long, short])
    assert found[0] is long
    assert found[1].context.tolist() == [[1, 2], [3, 4], [3, 4], [3, 4]]
