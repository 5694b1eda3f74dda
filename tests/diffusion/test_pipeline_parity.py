"""Whole pipelines against diffusers': the same weights, prompts and noise, compared as latents."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from sdkeep.diffusion.checkpoint import Model, open_checkpoint
from sdkeep.diffusion.jobs import Inpaint, Job, MaskedContent, Start
from sdkeep.diffusion.pictures import to_pixels
from sdkeep.diffusion.pipeline import Pipeline, Watched
from sdkeep.diffusion.sampling.noise import Rng, draw
from sdkeep.ground.errors import UsageError
from tests.diffusion.conftest import Paired
from tests.makers.tinymodels import save
from tests.makers.tinypipelines import MaskedEuler, euler, pipeline, read

CLOSE = 2e-5
WIDTH, HEIGHT = 64, 48
STEPS = 6
PROMPT, NEGATIVE = "a photo of a castle", "blurry, ugly"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def noise(model: Model, seed: int = 3) -> Tensor:
    factor = model.vae.config.factor
    return draw(Rng.CPU, seed, (4, HEIGHT // factor, WIDTH // factor))[None]


def job(**changes: object) -> Job:
    fields: dict[str, object] = {
        "prompt": PROMPT,
        "negative": NEGATIVE,
        "size": (WIDTH, HEIGHT),
        "sampler": "Euler",
        "schedule": "Uniform",
        "steps": STEPS,
        "cfg": 5.0,
        "seed": 3,
        "rng": Rng.CPU,
    }
    return Job(**(fields | changes))  # type: ignore[arg-type]


def ours(model: Model, wanted: Job, **parts: object) -> Tensor:
    """The latents of the last step, which for Euler are the finished ones."""
    seen: list[Watched] = []
    list(Pipeline(model, **parts).run(wanted, watch=seen.append))  # type: ignore[arg-type]
    return seen[-1].latents


def apart(found: Tensor, wanted: Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max() / wanted.abs().max())


def said(theirs, negative: str = NEGATIVE) -> dict[str, Tensor]:
    positive, other = read(theirs, PROMPT), read(theirs, negative)
    texts = {"prompt_embeds": positive.states, "negative_prompt_embeds": other.states}
    if positive.pooled is not None and other.pooled is not None:
        texts |= {"pooled_prompt_embeds": positive.pooled, "negative_pooled_prompt_embeds": other.pooled}
    return texts


def asked(theirs, kind: str = "text", prediction: str = "epsilon", scheduler=None, **how: object) -> Tensor:
    made = pipeline(theirs, kind, prediction, scheduler)
    with torch.no_grad():
        return made(guidance_scale=5.0, num_inference_steps=STEPS, output_type="latent", **how).images


@pytest.mark.parametrize(
    ("family", "prediction"), [("sd1", ""), ("sd2", ""), ("sd2", "v"), ("sd1", "v"), ("sdxl", ""), ("sdxl", "v")]
)
def test_text_becomes_the_picture_that_diffusers_makes(
    paired: Callable[..., Paired], family: str, prediction: str
) -> None:
    theirs, model = paired(family, prediction=prediction)
    size = {"height": HEIGHT, "width": WIDTH}
    wanted = asked(
        theirs,
        prediction="v_prediction" if prediction else "epsilon",
        latents=noise(model),
        **size,
        **said(theirs),
    )
    assert apart(ours(model, job()), wanted) < CLOSE


def test_an_edm_model_makes_what_diffusers_makes(paired: Callable[..., Paired], tmp_path: Path) -> None:
    """diffusers begins at sqrt(80^2 + 1), AUTOMATIC1111 at 80."""
    theirs, _ = paired("sdxl")
    edm = {"edm_mean": torch.tensor([0.1, -0.2, 0.3, 0.0]), "edm_std": torch.tensor([1.0, 2.0, 3.0, 0.5])}
    model = open_checkpoint(save(tmp_path / "edm.safetensors", theirs.weights() | edm))
    begun = noise(model) * 80 / (80**2 + 1) ** 0.5
    wanted = asked(theirs, prediction="edm", latents=begun, height=HEIGHT, width=WIDTH, **said(theirs))
    assert apart(ours(model, job(schedule="Karras")), wanted) < CLOSE
    with pytest.raises(UsageError, match="DDIM"):
        ours(model, job(sampler="DDIM"))


def test_an_empty_negative_prompt_of_sdxl_is_zeros(paired: Callable[..., Paired]) -> None:
    theirs, model = paired("sdxl")
    texts = said(theirs)
    texts |= {
        name: torch.zeros_like(texts[name]) for name in ("negative_prompt_embeds", "negative_pooled_prompt_embeds")
    }
    wanted = asked(theirs, latents=noise(model), height=HEIGHT, width=WIDTH, **texts)
    assert apart(ours(model, job(negative="")), wanted) < CLOSE


def test_the_refiner_makes_what_diffusers_makes_of_a_picture(paired: Callable[..., Paired]) -> None:
    theirs, model = paired("sdxl-refiner")
    picture = gradient()
    latents = model.to_latents(to_pixels(picture))
    wanted = asked(
        theirs,
        image=latents,
        strength=0.5,
        generator=torch.Generator().manual_seed(3),
        original_size=(HEIGHT, WIDTH),
        target_size=(HEIGHT, WIDTH),
        **said(theirs),
    )
    assert apart(ours(model, job(start=Start(picture, denoising=0.4))), wanted) < CLOSE


def gradient() -> Image.Image:
    across = Image.linear_gradient("L").rotate(90).resize((WIDTH, HEIGHT))
    down = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
    return Image.merge("RGB", (across, down, Image.new("L", (WIDTH, HEIGHT), 90)))


@pytest.mark.parametrize(("denoising", "theirs_runs"), [(0.4, 0.5), (0.7, 5 / 6), (1.0, 1.0)])
def test_a_picture_becomes_the_picture_that_diffusers_makes(
    paired: Callable[..., Paired], denoising: float, theirs_runs: float
) -> None:
    """AUTOMATIC1111 runs one step more of the same schedule than diffusers for a strength."""
    theirs, model = paired("sd1")
    picture = gradient()
    wanted = asked(
        theirs,
        "picture",
        image=model.to_latents(to_pixels(picture)),
        strength=theirs_runs + 1e-6 if theirs_runs < 1 else 1.0,
        generator=torch.Generator().manual_seed(3),
        **said(theirs),
    )
    assert apart(ours(model, job(start=Start(picture, denoising=denoising))), wanted) < CLOSE


def test_an_instruction_changes_the_picture_as_diffusers_changes_it(paired: Callable[..., Paired]) -> None:
    theirs, model = paired("sd1", 8)
    picture = gradient()
    begun = model.to_latents(to_pixels(picture))
    greatest = model.levels.greatest
    wanted = asked(
        theirs,
        "edit",
        image=to_pixels(picture) / 2 + 0.5,
        image_guidance_scale=1.7,
        latents=noise(model) + begun / greatest,
        **said(theirs),
    )
    made = ours(model, job(image_cfg=1.7, start=Start(picture, denoising=1.0)))
    assert apart(made, wanted) < CLOSE


def masked_euler(original: Tensor, covered: Tensor) -> MaskedEuler:
    made = euler(kind=MaskedEuler)
    made.free = functional.interpolate(covered, original.shape[-2:])
    made.original = original
    return made


def half_covered() -> tuple[Image.Image, Tensor]:
    """A mask over the right third, as a picture and as ones (1, 1, h, w)."""
    covered = torch.zeros(1, 1, HEIGHT, WIDTH)
    covered[..., 40:] = 1
    mask = Image.new("L", (WIDTH, HEIGHT))
    mask.paste(255, (40, 0, WIDTH, HEIGHT))
    return mask, covered


@pytest.mark.parametrize(("family", "channels"), [("sd1", 9), ("sd2", 9), ("sd1", 4), ("sd2", 4)])
def test_a_masked_part_is_painted_as_diffusers_paints_it(
    paired: Callable[..., Paired], family: str, channels: int
) -> None:
    """With an inpainting model, which sees the mask and what lies around it, and with a plain one."""
    theirs, model = paired(family, channels)
    picture, (mask, covered) = gradient(), half_covered()
    pixels, scale = to_pixels(picture), model.config.scale
    with torch.no_grad():
        original, seen = (theirs.vae.encode(one).latent_dist.mean * scale for one in (pixels, pixels * (1 - covered)))
    how = {"mask_image": covered, "masked_image_latents": seen, "height": HEIGHT, "width": WIDTH}
    wanted = asked(
        theirs,
        "inpaint" if channels == 9 else "picture",
        scheduler=masked_euler(original, covered),
        image=original,
        strength=0.5 + 1e-6,
        generator=torch.Generator().manual_seed(3),
        **(how if channels == 9 else {}),
        **said(theirs),
    )
    start = Start(picture, denoising=0.4, inpaint=Inpaint(mask, blur=0, content=MaskedContent.ORIGINAL))
    made = ours(model, job(start=start))
    assert apart(made, wanted) < CLOSE
    assert torch.allclose(made[..., :9], original[..., :9], atol=1e-6)
