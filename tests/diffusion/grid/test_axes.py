"""What a grid makes of a job."""

from __future__ import annotations

import pytest
from PIL import Image

from sdkeep.diffusion.conditioning import Emphasis
from sdkeep.diffusion.grid.axes import OPTIONS, Labels, expand, names, option_called
from sdkeep.diffusion.jobs import Hires, Job, Start
from sdkeep.diffusion.sampling.noise import Rng
from sdkeep.ground.errors import UsageError

JOB = Job("a castle at night", "blurry", hires=Hires())


def test_the_first_axis_goes_across_the_second_down_and_the_third_from_table_to_table() -> None:
    grid = expand(JOB, "Steps: 1-3; CFG: 3, 7; Seed: 5, 6")
    assert [(cell.job.steps, cell.job.cfg, cell.job.seed) for cell in grid.cells] == [
        (steps, cfg, seed) for seed in (5, 6) for cfg in (3.0, 7.0) for steps in (1, 2, 3)
    ]
    columns = ("Steps: 1", "Steps: 2", "Steps: 3")
    assert grid.labels == Labels(columns, ("CFG Scale: 3", "CFG Scale: 7"), ("Seed: 5", "Seed: 6"))
    assert grid.labels.shape == (3, 2, 2)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Sampler: Euler, DPM++ 2M", [("sampler", "Euler"), ("sampler", "DPM++ 2M")]),
        ("schedule: Karras", [("schedule", "Karras")]),
        ("Size: 512x768, 64 x 32", [("size", (512, 768)), ("size", (64, 32))]),
        ("Clip skip: 1-2", [("clip_skip", 1), ("clip_skip", 2)]),
        ("Var. strength: 0.25", [("variation", 0.25)]),
        ("Variation seed: 4", [("variation_seed", 4)]),
        ("Refiner switch at: 0.8", [("refine_at", 0.8)]),
        ("RNG: cpu, NV", [("rng", Rng.CPU), ("rng", Rng.NV)]),
        ("emphasis: no norm", [("emphasis", Emphasis.NO_NORM)]),
        ("ENSD: 31337", [("ensd", 31337)]),
    ],
)
def test_fields_of_the_job(text: str, values: list[tuple[str, object]]) -> None:
    assert [getattr(cell.job, name) for cell, (name, _) in zip(expand(JOB, text).cells, values, strict=True)] == [
        value for _, value in values
    ]


def test_parts_of_the_job() -> None:
    assert expand(JOB, "Hires steps: 9").cells[0].job.hires == Hires(steps=9)
    assert expand(JOB, "Denoising: 0.3").cells[0].job.hires == Hires(denoising=0.3)
    assert expand(JOB, "Eta: 0.5").cells[0].job.knobs.eta == 0.5
    begun = Job("x", start=Start(Image.new("RGB", (8, 8))))
    found = expand(begun, "Denoising: 0.1, 0.9").cells
    assert [cell.job.start.denoising for cell in found if cell.job.start] == [0.1, 0.9]


def test_models_are_said_beside_the_job() -> None:
    grid = expand(JOB, "Checkpoint name: one, two; VAE: None")
    assert [(cell.checkpoint, cell.vae) for cell in grid.cells] == [("one", "None"), ("two", "None")]
    assert grid.labels.columns == ("one", "two")


def test_prompt_search_and_replace_takes_all_places_of_the_first_value() -> None:
    job = Job("a castle, castle <lora:x:0.5>", "no castle")
    grid = expand(job, 'Prompt S/R: castle, "bridge, old"; Prompt S/R: x:0.5>, x:1>')
    prompts = [(cell.job.prompt, cell.job.negative) for cell in grid.cells]
    assert prompts[0] == (job.prompt, job.negative)
    assert prompts[3] == ("a bridge, old, bridge, old <lora:x:1>", "no bridge, old")
    assert grid.labels.columns == ("castle", "bridge, old")


def test_prompt_order_keeps_what_stands_between() -> None:
    grid = expand(Job("a red, green blue!"), "Prompt order: red, green, blue")
    assert [cell.job.prompt for cell in grid.cells][:2] == ["a red, green blue!", "a red, blue green!"]
    assert len(grid.cells) == 6
    assert grid.labels.columns[1] == "red, blue, green"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Stepz: 1", "Steps"),
        ("Sampler: Eulr", "Euler"),
        ("Schedule: Karas", "Karras"),
        ("Size: big", "big"),
        ("Seed: -1", "nought"),
        ("RNG: GPU", "GPU"),
        ("Prompt S/R: moon, sun", "moon"),
        ("Prompt order: castle, cas", "cas"),
        ("Initial noise multiplier: 1", "begin from"),
        ("Steps: 1-100; Seed: 1-100", "10,000"),
    ],
)
def test_what_cannot_be_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        expand(JOB, text)
    assert said in caught.value.what + caught.value.why


def test_hires_axes_need_hires_fix() -> None:
    with pytest.raises(UsageError, match="hires fix"):
        expand(Job("x"), "Hires steps: 3")
    with pytest.raises(UsageError, match="begin from"):
        expand(Job("x"), "Denoising: 0.3")


def test_nothing_varies_nothing() -> None:
    grid = expand(JOB, "Nothing: x; Steps: 1, 2")
    assert grid.labels == Labels((), ("Steps: 1", "Steps: 2"))
    assert len(grid.cells) == 2


def test_every_name_and_alias_means_one_thing() -> None:
    words = [word for option in OPTIONS for word in (option.name, *option.aliases)]
    assert len({word.casefold() for word in words}) == len(words)
    assert all(option_called(word.upper()) for word in words)
    assert len(list(names())) == len(OPTIONS)
