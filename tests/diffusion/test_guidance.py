"""Guidance against its formulas, and the times at which prompts change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.conditioning import Reader
from sdkeep.diffusion.guidance import Guide, Scales, negative, scheduled
from sdkeep.diffusion.jobs import Job
from sdkeep.diffusion.pipeline import Pipeline
from sdkeep.diffusion.prompt.schedule import Steps
from tests.diffusion.conftest import Paired

TIME = torch.tensor(500.0)
X = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def guide(model: Model, prompt: str, other: str, scales: Scales, **more: object) -> Guide:
    reader, steps = Reader(model), Steps(4)
    return Guide(
        model,
        [scheduled(reader, prompt, steps)],
        [negative(reader, other, steps)],
        scales,
        (32, 32),
        **more,  # type: ignore[arg-type]
    )


def said(model: Model, prompt: str, x: Tensor = X) -> Tensor:
    return model.predict(x, TIME[None], Reader(model).read([prompt])[0].context[None])


@pytest.mark.parametrize("low_memory", [False, True])
def test_guidance_goes_from_the_negative_beyond_the_positive(sd1: Model, low_memory: bool) -> None:
    found = guide(sd1, "a cat", "a dog", Scales(7.0), low_memory=low_memory)(X, TIME)
    cat, dog = said(sd1, "a cat"), said(sd1, "a dog")
    assert torch.allclose(found, dog + 7 * (cat - dog), atol=1e-4)


def test_and_adds_every_prompts_own_direction_by_its_weight(sd1: Model) -> None:
    found = guide(sd1, "a cat :1.2 AND a car AND rain :-0.5", "a dog", Scales(5.0))(X, TIME)
    dog = said(sd1, "a dog")
    parts = [(1.2, "a cat "), (1.0, " a car "), (-0.5, " rain")]
    wanted = dog + sum(weight * 5.0 * (said(sd1, text) - dog) for weight, text in parts)
    assert torch.allclose(found, wanted, atol=1e-4)


def test_prompts_of_different_lengths_are_asked_apart(sd1: Model) -> None:
    found = guide(sd1, "a cat BREAK a car", "a dog", Scales(3.0))(X, TIME)
    cat, dog = said(sd1, "a cat BREAK a car"), said(sd1, "a dog")
    assert torch.allclose(found, dog + 3 * (cat - dog), atol=1e-4)


def test_a_scale_of_one_leaves_the_negative_out(sd1: Model) -> None:
    assert torch.allclose(guide(sd1, "a cat", "a dog", Scales(1.0))(X, TIME), said(sd1, "a cat"), atol=1e-5)


def test_what_the_network_says_without_the_prompt_is_kept_where_it_is_wanted(sd1: Model) -> None:
    one = guide(sd1, "a cat", "a dog", Scales(1.0), keeps_uncond=True)
    one(X, TIME)
    assert one.last_uncond is not None
    assert torch.allclose(one.last_uncond, said(sd1, "a dog"), atol=1e-5)


def test_instructions_are_guided_by_picture_and_text_apart(paired: Callable[..., Paired]) -> None:
    model = paired("sd1", 8)[1]
    beside = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    found = guide(model, "a cat", "a dog", Scales(7.0, 1.5), beside=beside)(X, TIME)
    full, no_text, nothing = (
        said(model, text, torch.cat([X, seen], dim=1))
        for text, seen in (("a cat", beside), ("a dog", beside), ("a dog", torch.zeros_like(beside)))
    )
    wanted = nothing + 7 * (full - no_text) + 1.5 * (no_text - nothing)
    assert torch.allclose(found, wanted, atol=1e-4)


JOB = Job("", "", size=(32, 32), sampler="Euler", steps=4, cfg=1.0)


def contexts(model: Model, job: Job, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of two prompts each call of the network was given."""
    reader = Reader(model)
    known = {name: reader.read([f"a {name}"])[0].context for name in ("cat", "car")}
    given: list[str] = []
    ask = Model.predict

    def noting(self, x, steps, context, labels=None):
        near = [name for name, one in known.items() if torch.allclose(one, context[0], atol=1e-5)]
        given.append(*near)
        return ask(self, x, steps, context, labels)

    monkeypatch.setattr(Model, "predict", noting)
    list(Pipeline(model).run(job))
    monkeypatch.undo()
    return given


@pytest.mark.parametrize(
    ("sampler", "when", "cats"),
    [("Euler", "2", 3), ("Euler", "0.5", 3), ("Euler", "0.25", 2), ("Heun", "0.5", 5), ("DPM++ SDE", "0.5", 5)],
)
def test_a_prompt_changes_after_its_call_of_the_network(
    sd1: Model, monkeypatch: pytest.MonkeyPatch, sampler: str, when: str, cats: int
) -> None:
    """Calls are counted from 0 and steps from 1, so a change at step 2 is first seen by the fourth call."""
    job = replace(JOB, prompt=f"a [cat:car:{when}]", sampler=sampler)
    found = contexts(sd1, job, monkeypatch)
    assert found == ["cat"] * cats + ["car"] * (len(found) - cats)
    assert len(found) == (4 if sampler == "Euler" else 7)


def test_alternatives_take_turns(sd1: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    found = contexts(sd1, replace(JOB, prompt="a [cat|car]", steps=5), monkeypatch)
    assert found == ["cat", "cat", "car", "cat", "car"]
