"""The sample model's pictures, read by a judge that has seen none of the networks."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from PIL import Image

from sdkeep.diffusion.checkpoint import Model, open_checkpoint
from sdkeep.diffusion.jobs import Inpaint, Job, MaskedContent, Start
from sdkeep.diffusion.pipeline import Pipeline
from sdkeep.diffusion.sampling.registry import SAMPLERS
from tests.makers.judge import WORDS, diversity, judge

JOB = Job("", size=(32, 32), sampler="Euler a", steps=12, cfg=1.5, seed=1)


@pytest.fixture(scope="module")
def digits() -> Model:
    path = Path(str(files("sdkeep"))) / "demo" / "models" / "digits.safetensors"
    if not path.is_file():
        pytest.skip("the sample model is not there")
    return open_checkpoint(path)


def drawn(model: Model, word: str, job: Job = JOB, count: int = 4) -> list[Image.Image]:
    job = replace(job, prompt=f"a photo of a {word}", count=count, batch=count)
    return [made.picture for made in Pipeline(model).run(job)]


def test_every_word_is_drawn_and_no_two_pictures_alike(digits: Model) -> None:
    rows = [drawn(digits, word) for word in WORDS]
    right = judge().share([one for row in rows for one in row], [digit for digit in range(10) for _ in range(4)])
    assert right >= 0.9
    assert diversity(rows) > 0.3


@pytest.mark.parametrize("sampler", [one.name for one in SAMPLERS])
def test_every_sampler_draws_what_the_word_says(digits: Model, sampler: str) -> None:
    """DPM fast is coarse in few steps, and CFG++ divides the scale of guidance by 12.5."""
    cfg = 10.0 if sampler == "DDIM CFG++" else JOB.cfg
    steps = 14 if sampler == "DPM fast" else 8
    found = drawn(digits, "seven", replace(JOB, sampler=sampler, cfg=cfg, steps=steps))
    assert judge().share(found, 7) >= 0.75
    assert diversity([found]) > 0.15


def test_a_picture_becomes_another_digit_only_when_enough_of_it_may_change(digits: Model) -> None:
    three = drawn(digits, "three", count=1)[0]
    kept = drawn(digits, "seven", replace(JOB, start=Start(three, 0.1)))
    changed = drawn(digits, "seven", replace(JOB, start=Start(three, 0.95)))
    assert judge().share(kept, 3) >= 0.75
    assert judge().share(changed, 7) >= 0.75


def test_one_digit_of_two_is_painted_over(digits: Model) -> None:
    three = drawn(digits, "three", count=1)[0]
    pair = Image.new("RGB", (64, 32))
    pair.paste(three, (0, 0))
    pair.paste(three, (32, 0))
    mask = Image.new("L", pair.size)
    mask.paste(255, (32, 0, 64, 32))
    how = Inpaint(mask, blur=0, content=MaskedContent.NOISE, only_masked=True, padding=0)
    found = drawn(digits, "seven", replace(JOB, start=Start(pair, 1.0, inpaint=how)))
    left, right = ([one.crop((x, 0, x + 32, 32)) for one in found] for x in (0, 32))
    assert all(one.tobytes() == three.tobytes() for one in left)
    assert judge().share(right, 7) >= 0.75
