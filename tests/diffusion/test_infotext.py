"""Infotext as AUTOMATIC1111 writes it, and as our own reader reads it back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from sdkeep.diffusion.conditioning import Emphasis
from sdkeep.diffusion.infotext import infotext, settings
from sdkeep.diffusion.jobs import Hires, Inpaint, Job, MaskedContent, Start
from sdkeep.diffusion.knobs import Knobs
from sdkeep.diffusion.networks.config import Variant
from sdkeep.diffusion.pipeline import Made
from sdkeep.diffusion.sampling.noise import Rng
from sdkeep.formats.infotext.webui import read_webui

PICTURE = Image.new("RGB", (8, 8))
MADE = Made(PICTURE, 0, 7, 9)
MODELS = {"Model hash": "6ce0161689", "Model": "v1-5-pruned", "VAE hash": "735e4c3a44", "VAE": "ft-mse.safetensors"}
JOB = Job("a cat, (sitting:1.2)", "a dog", steps=25, cfg=6.5, seed=7)


def test_the_plainest_picture_says_what_the_webui_says() -> None:
    assert infotext(JOB, MADE, MODELS, version="sdkeep 1") == (
        "a cat, (sitting:1.2)\nNegative prompt: a dog\n"
        "Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 7, Size: 512x512, "
        "Model hash: 6ce0161689, Model: v1-5-pruned, VAE hash: 735e4c3a44, VAE: ft-mse.safetensors, RNG: NV, "
        "Version: sdkeep 1"
    )


FULL = replace(
    JOB,
    sampler="Euler a",
    variation=0.25,
    resize_from=(640, 512),
    clip_skip=2,
    ensd=31337,
    rng=Rng.CPU,
    tiling=True,
    emphasis=Emphasis.NO_NORM,
    refine_at=0.8,
    knobs=Knobs(eta=0.5),
    hires=Hires(1.5, steps=10, denoising=0.4, upscaler="Lanczos", sampler="DPM++ 2M", cfg=5.0, prompt="a cat: large"),
)


def test_keys_stand_in_the_webuis_order() -> None:
    models = MODELS | {"Refiner": "xl-refiner [7440042bbd]", "Lora hashes": "a: 1234, b: 5678", "TI hashes": "c: 9"}
    assert list(settings(FULL, MADE, models, version="1")) == [
        "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model hash", "Model", "VAE hash", "VAE",
        "Variation seed", "Variation seed strength", "Seed resize from", "Denoising strength", "Clip skip", "ENSD",
        "RNG", "Tiling", "Eta", "Hires prompt", "Hires sampler", "Hires schedule type", "Hires CFG Scale",
        "Hires upscale", "Hires steps", "Hires upscaler", "Refiner", "Refiner switch at", "Lora hashes", "TI hashes",
        "Emphasis", "Version",
    ]  # fmt: skip


def test_our_reader_reads_back_what_was_meant() -> None:
    text = infotext(FULL, MADE, MODELS | {"Lora hashes": "a: 123456789012"})
    found = read_webui(text, "parameters")
    assert found is not None
    assert (found.prompt, found.negative) == (FULL.prompt, FULL.negative)
    assert (found.steps, found.sampler, found.cfg, found.seed) == (25, "Euler a", 6.5, 7)
    assert (found.width, found.height, found.clip_skip, found.denoising) == (512, 512, 2, 0.4)
    assert found.settings["Hires prompt"] == "a cat: large"
    assert found.settings["Variation seed strength"] == "0.25"


@pytest.mark.parametrize(
    ("sampler", "schedule", "written"),
    [
        ("Euler a", "Automatic", "Automatic"),
        ("Euler a", "Karras", "Karras"),
        ("DPM++ 2M", "Automatic", "Karras"),
        ("DPM++ 2M SDE", "Automatic", "Exponential"),
        ("DPM++ 2M Karras", "Automatic", "Karras"),
        ("DDIM", "Automatic", "Automatic"),
    ],
)
def test_the_schedule_is_named_as_the_webui_names_it(sampler: str, schedule: str, written: str) -> None:
    assert settings(replace(JOB, sampler=sampler, schedule=schedule), MADE, {})["Schedule type"] == written


def test_inpainting_says_where_and_how() -> None:
    how = Inpaint(PICTURE, blur=8, content=MaskedContent.NOISE, only_masked=True, padding=16, invert=True)
    made = replace(MADE, variant=Variant.INPAINTING)
    said = settings(replace(JOB, start=Start(PICTURE, 0.6, inpaint=how)), made, {})
    assert (
        said
        | {
            "Denoising strength": "0.6",
            "Conditional mask weight": "1",
            "Mask mode": "Inpaint not masked",
            "Mask blur": "8",
            "Inpaint area": "Only masked",
            "Masked area padding": "16",
            "Masked content": "latent noise",
        }
        == said
    )


def test_instructions_say_how_closely_the_picture_was_followed() -> None:
    made = replace(MADE, variant=Variant.PIX2PIX)
    assert settings(replace(JOB, start=Start(PICTURE)), made, {})["Image CFG scale"] == "1.5"
    assert "Image CFG scale" not in settings(JOB, made, {})


def test_an_offset_of_seeds_is_said_where_it_mattered() -> None:
    job = replace(JOB, ensd=31337)
    assert "ENSD" not in settings(job, MADE, {})
    assert settings(replace(job, sampler="Euler a"), MADE, {})["ENSD"] == "31337"
    assert "ENSD" not in settings(replace(job, sampler="Euler a", knobs=Knobs(eta=0.0)), MADE, {})
