"""What a job's pictures depend on, and what they do not; tiny random networks, whose pictures mean nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from safetensors.torch import save_file

from sdkeep.diffusion.assembly import Memory
from sdkeep.diffusion.checkpoint import Model, Opening, open_checkpoint
from sdkeep.diffusion.jobs import Hires, Inpaint, Job, MaskedContent, ResizeMode, Start
from sdkeep.diffusion.networks.layers import set_tiling
from sdkeep.diffusion.pictures import to_pixels
from sdkeep.diffusion.pipeline import Made, Pipeline, Refiner, Stage, Watched
from sdkeep.diffusion.prompt.networks import ExtraNetwork
from sdkeep.diffusion.sampling.registry import SAMPLERS
from sdkeep.ground.errors import FormatError, KeepError, NotFoundHere, UsageError
from sdkeep.ground.events import Stop, Stopped
from tests.diffusion.conftest import Paired
from tests.makers.ldmkeys import Weights

JOB = Job("a cat", "a dog", size=(32, 32), sampler="Euler a", steps=4, cfg=3.0, seed=5)


def save(path: Path, weights: Weights) -> Path:
    save_file({key: weight.contiguous() for key, weight in weights.items()}, path)
    return path


def made(model: Model, job: Job, **parts: object) -> list[Made]:
    return list(Pipeline(model, **parts).run(job))  # type: ignore[arg-type]


def picture(model: Model, job: Job) -> Image.Image:
    return made(model, job)[0].picture


def latents(model: Model, job: Job, **parts: object) -> list[Watched]:
    seen: list[Watched] = []
    list(Pipeline(model, **parts).run(job, watch=seen.append))  # type: ignore[arg-type]
    return seen


def apart(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of a colour, of 255."""
    return max(high for _, high in ImageChops.difference(one, other).getextrema())


def drawn() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((32, 32), Image.Resampling.BICUBIC)


# Seeds and batches


def test_a_picture_is_the_same_alone_and_in_company(sd1: Model) -> None:
    together = made(sd1, replace(JOB, count=3, batch=3))
    assert [one.seed for one in together] == [5, 6, 7]
    alone = picture(sd1, replace(JOB, seed=6))
    assert apart(together[1].picture, alone) <= 1
    assert apart(together[0].picture, together[1].picture) > 1


def test_a_full_variation_is_the_other_seeds_picture(sd1: Model) -> None:
    job = replace(JOB, sampler="Euler", count=2, variation=1.0, variation_seed=40)
    first, second = made(sd1, job)
    assert (first.seed, second.seed) == (5, 5)
    assert (first.variation_seed, second.variation_seed) == (40, 41)
    assert apart(second.picture, picture(sd1, replace(JOB, sampler="Euler", seed=41))) <= 1


def test_pictures_come_one_by_one_and_a_stop_keeps_those_that_are_done(sd1: Model) -> None:
    stop = Stop()
    pictures = Pipeline(sd1).run(replace(JOB, count=3), stop=stop)
    assert next(pictures).seed == 5
    stop.ask()
    with pytest.raises(Stopped):
        next(pictures)


def test_every_step_is_seen_with_its_picture_and_pass(sd1: Model) -> None:
    seen = latents(sd1, replace(JOB, count=2, hires=Hires(scale=2, steps=3)))
    assert [one.step for one in seen] == [0, 1, 2, 3, 0, 1, 2] * 2
    assert [one.stage for one in seen[:7]] == [Stage.FIRST] * 4 + [Stage.HIRES] * 3
    assert [one.places for one in seen] == [range(0, 1)] * 7 + [range(1, 2)] * 7
    assert {one.steps for one in seen} == {4, 3}


# Families and samplers


@pytest.mark.parametrize("sampler", [one.name for one in SAMPLERS])
def test_every_sampler_makes_a_picture(sd1: Model, sampler: str) -> None:
    made = picture(sd1, replace(JOB, sampler=sampler, steps=3))
    assert made.size == (32, 32)
    assert apart(made, Image.new("RGB", made.size, made.getpixel((0, 0)))) > 0


@pytest.mark.parametrize(
    ("family", "channels", "prediction"),
    [("sd2", 4, "v"), ("sdxl", 4, ""), ("sdxl-refiner", 4, ""), ("sd1", 9, ""), ("sd1", 8, ""), ("sd2", 9, "")],
)
def test_every_kind_of_checkpoint_makes_pictures_of_text_and_of_pictures(
    paired: Callable[..., Paired], family: str, channels: int, prediction: str
) -> None:
    model = paired(family, channels, prediction)[1]
    of_text = picture(model, JOB)
    of_picture = picture(model, replace(JOB, start=Start(drawn(), denoising=0.5)))
    assert of_text.size == of_picture.size == (32, 32)
    assert apart(of_text, of_picture) > 1


def test_without_guidance_the_network_is_asked_once_a_step(sd1: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    ask = Model.predict

    def counting(self, x, *others):
        batches.append(len(x))
        return ask(self, x, *others)

    monkeypatch.setattr(Model, "predict", counting)
    picture(sd1, replace(JOB, cfg=1.0))
    picture(sd1, JOB)
    assert batches == [1] * 4 + [2] * 4


# Pictures to begin from


def test_the_more_is_made_anew_the_less_of_the_picture_is_left(sd1: Model) -> None:
    begun = sd1.to_latents(to_pixels(drawn()))
    job = replace(JOB, sampler="Euler", steps=10, cfg=1.0)
    far = [
        float((latents(sd1, replace(job, start=Start(drawn(), strength)))[-1].latents - begun).abs().mean())
        for strength in (0.0, 0.3, 0.6, 1.0)
    ]
    assert far == sorted(far)
    assert far[0] < 0.1 * far[-1]


def test_a_strength_runs_its_share_of_the_steps_and_one(sd1: Model) -> None:
    seen = latents(sd1, replace(JOB, steps=10, start=Start(drawn(), 0.35)))
    assert [one.step for one in seen] == [0, 1, 2, 3]
    assert {one.steps for one in seen} == {4}


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_a_picture_of_another_size_is_brought_to_the_jobs(sd1: Model, mode: ResizeMode) -> None:
    start = Start(drawn().resize((60, 24)), 0.5, mode)
    assert picture(sd1, replace(JOB, start=start)).size == (32, 32)


# Inpainting


def half() -> Image.Image:
    """The right half may change."""
    mask = Image.new("L", (32, 32))
    mask.paste(255, (16, 0, 32, 32))
    return mask


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M", "DDIM", "UniPC"])
@pytest.mark.parametrize("content", [MaskedContent.ORIGINAL, MaskedContent.NOISE])
def test_what_is_not_masked_stays_to_the_last_pixel(sd1: Model, sampler: str, content: MaskedContent) -> None:
    start = Start(drawn(), 1.0, inpaint=Inpaint(half(), blur=0, content=content))
    found = picture(sd1, replace(JOB, sampler=sampler, start=start))
    left, right = (0, 0, 16, 32), (16, 0, 32, 32)
    assert apart(found.crop(left), drawn().crop(left)) == 0
    assert apart(found.crop(right), drawn().crop(right)) > 5


def test_latents_that_are_not_masked_are_the_pictures_own_at_every_step(sd1: Model) -> None:
    begun = sd1.to_latents(to_pixels(drawn()))
    start = Start(drawn(), 1.0, inpaint=Inpaint(half(), blur=0))
    for seen in latents(sd1, replace(JOB, start=start)):
        assert torch.allclose(seen.latents[..., :4], begun[..., :4], atol=1e-5)


def test_only_the_masked_part_is_worked_on_at_full_size(sd1: Model) -> None:
    large = drawn().resize((128, 96), Image.Resampling.BICUBIC)
    mask = Image.new("L", large.size)
    mask.paste(255, (40, 40, 56, 56))
    start = Start(large, 1.0, inpaint=Inpaint(mask, blur=0, only_masked=True, padding=4))
    found = picture(sd1, replace(JOB, start=start))
    assert found.size == large.size
    changed = ImageChops.difference(found, large).getbbox()
    assert changed is not None
    assert changed[0] >= 40 and changed[1] >= 40 and changed[2] <= 56 and changed[3] <= 56


def test_an_inpainting_network_sees_the_mask_and_what_is_left_of_the_picture(
    paired: Callable[..., Paired], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = paired("sd1", 9)[1]
    asked: list[torch.Tensor] = []
    ask = Model.predict
    monkeypatch.setattr(Model, "predict", lambda self, x, *others: asked.append(x) or ask(self, x, *others))
    picture(model, replace(JOB, start=Start(drawn(), 0.5, inpaint=Inpaint(half(), blur=0))))
    mask, seen = asked[0][:1, 4:5], asked[0][:1, 5:]
    assert torch.equal(mask[..., :4], torch.zeros(1, 1, 8, 4))
    assert torch.equal(mask[..., 4:], torch.ones(1, 1, 8, 4))
    covered = to_pixels(drawn())
    covered[..., 16:] = 0
    assert torch.allclose(seen, model.to_latents(covered), atol=1e-5)


# Hires fix and refiner


@pytest.mark.parametrize("upscaler", ["Latent", "latent (bicubic antialiased)", "Lanczos", "Nearest", "None"])
def test_hires_fix_makes_it_larger(sd1: Model, upscaler: str) -> None:
    assert picture(sd1, replace(JOB, hires=Hires(1.5, steps=2, upscaler=upscaler))).size == (48, 48)


def test_hires_fix_cuts_a_picture_to_another_shape(sd1: Model) -> None:
    job = replace(JOB, size=(32, 48), hires=Hires(size=(64, 64), steps=2))
    assert picture(sd1, job).size == (64, 64)


def test_prompts_of_the_second_pass_count_from_the_first(sd1: Model) -> None:
    changed = replace(JOB, prompt="a [cat:car:1.5]", hires=Hires(2, steps=4))
    plain = replace(JOB, prompt="a cat", hires=Hires(2, steps=4))
    one, other = latents(sd1, changed), latents(sd1, plain)
    same = [torch.allclose(a.latents, b.latents, atol=1e-5) for a, b in zip(one, other, strict=True)]
    assert same == [True] * 4 + [True, True, True, False]


def test_the_refiner_takes_over_at_its_share_of_the_way(
    paired: Callable[..., Paired], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, refiner = paired("sdxl")[1], paired("sdxl-refiner")[1]
    asked: list[Model] = []
    ask = Model.predict
    monkeypatch.setattr(Model, "predict", lambda self, *given: asked.append(self) or ask(self, *given))
    job = replace(JOB, sampler="Euler", schedule="Uniform", steps=10, refine_at=0.8)
    list(Pipeline(base, refiner=Refiner(refiner)).run(job))
    assert [one is refiner for one in asked] == [False] * 8 + [True] * 2


def test_a_refiner_that_is_not_there_is_said_at_once(sd1: Model) -> None:
    with pytest.raises(UsageError, match="no refiner"):
        made(sd1, replace(JOB, refine_at=0.8))


# Networks in prompts


@pytest.fixture
def applied() -> tuple[list[str], Callable[..., object]]:
    log: list[str] = []

    @contextmanager
    def adapt(networks: tuple[ExtraNetwork, ...]) -> Iterator[None]:
        names = ",".join(one.name for one in networks)
        log.append(f"+{names}")
        yield
        log.append(f"-{names}")

    return log, adapt


def test_networks_of_a_prompt_are_applied_around_all_of_the_jobs_pictures(
    sd1: Model, applied: tuple[list[str], Callable[..., object]]
) -> None:
    log, adapt = applied
    found = made(sd1, replace(JOB, prompt="a cat <lora:one:0.5> <lora:two:1>", count=2), adapt=adapt)
    assert log == ["+one,two", "-one,two"]
    assert [one.name for one in found[0].networks] == ["one", "two"]
    assert apart(found[0].picture, picture(sd1, JOB)) <= 1


def test_the_second_pass_may_have_networks_of_its_own(
    sd1: Model, applied: tuple[list[str], Callable[..., object]]
) -> None:
    log, adapt = applied
    made(sd1, replace(JOB, prompt="a <lora:one:1>", hires=Hires(1.5, prompt="a <lora:two:1>")), adapt=adapt)
    assert log == ["+one", "-one", "+two", "-two"]


def test_networks_are_taken_away_when_nobody_wants_the_rest(
    sd1: Model, applied: tuple[list[str], Callable[..., object]]
) -> None:
    log, adapt = applied
    pictures = Pipeline(sd1, adapt=adapt).run(replace(JOB, prompt="<lora:one:1>", count=9))  # type: ignore[arg-type]
    next(pictures)
    pictures.close()
    assert log == ["+one", "-one"]


def test_a_network_that_nobody_can_apply_is_refused_by_name(sd1: Model) -> None:
    with pytest.raises(UsageError, match="<lora:one>"):
        made(sd1, replace(JOB, prompt="<lora:one:1>"))


# Tiling


def test_a_picture_that_tiles_is_computed_around_its_edges(sd1: Model) -> None:
    assert apart(picture(sd1, replace(JOB, tiling=True)), picture(sd1, JOB)) > 1
    modes = {layer.padding_mode for layer in sd1.unet.modules() if isinstance(layer, torch.nn.Conv2d)}
    assert modes == {"zeros"}


def test_a_network_that_tiles_knows_no_edge(sd1: Model) -> None:
    """Moved around the edge, the input gives the output moved as far."""
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    context, time = torch.randn(1, 77, 64, generator=torch.Generator().manual_seed(2)), torch.tensor([300.0])
    for network in (sd1.unet, sd1.vae):
        set_tiling(network, True)
    try:
        said, pixels = sd1.predict(x, time, context), sd1.to_pixels(x)
        moved = x.roll((4, 4), (2, 3))
        assert torch.allclose(sd1.predict(moved, time, context), said.roll((4, 4), (2, 3)), atol=1e-4)
        assert torch.allclose(sd1.to_pixels(moved), pixels.roll((16, 16), (2, 3)), atol=1e-3)
    finally:
        for network in (sd1.unet, sd1.vae):
            set_tiling(network, False)


# Memory


@pytest.mark.parametrize("memory", [Memory.PARTS, Memory.LAYERS])
def test_saving_memory_changes_no_picture(
    paired: Callable[..., Paired], sd1: Model, tmp_path: Path, memory: Memory
) -> None:
    path = save(tmp_path / "model.safetensors", paired("sd1")[0].weights())
    job = replace(JOB, start=Start(drawn(), 0.5))
    assert apart(picture(open_checkpoint(path, Opening(memory=memory)), job), picture(sd1, job)) <= 1


def test_a_picture_may_be_decoded_in_pieces(sd1: Model) -> None:
    job = replace(JOB, size=(96, 64), steps=1)
    whole, pieces = picture(sd1, job), picture(sd1, replace(job, vae_tile=32))
    assert whole.size == pieces.size
    assert 0 < np.abs(np.asarray(whole, dtype=float) - np.asarray(pieces, dtype=float)).mean() < 40


# What goes wrong


def test_a_broken_denoiser_is_noticed_at_the_first_step(paired: Callable[..., Paired], tmp_path: Path) -> None:
    weights = paired("sd1")[0].weights()
    weights["model.diffusion_model.out.2.bias"][0] = torch.inf
    model = open_checkpoint(save(tmp_path / "broken.safetensors", weights))
    seen: list[Watched] = []
    for sampler in ("DPM adaptive", "Euler", "DDIM"):
        with pytest.raises(FormatError, match="nothing but NaN"):
            list(Pipeline(model).run(replace(JOB, sampler=sampler, steps=1000), watch=seen.append))
    assert len(seen) <= 6


def test_upscalers_and_samplers_are_refused_before_anything_is_computed(sd1: Model) -> None:
    for job, kind in [
        (replace(JOB, hires=Hires(upscaler="4x-UltraSharp")), NotFoundHere),
        (replace(JOB, sampler="Eulr"), UsageError),
        (replace(JOB, size=(31, 32)), UsageError),
    ]:
        with pytest.raises(kind) as caught:
            made(sd1, job)
        assert caught.value.why
        assert caught.value.next


@pytest.mark.parametrize(
    ("key", "what"),
    [("first_stage_model.decoder.conv_out.bias", "--vae"), ("model.diffusion_model.out.2.bias", "download")],
)
def test_a_picture_of_nan_names_the_broken_weight(
    paired: Callable[..., Paired], tmp_path: Path, key: str, what: str
) -> None:
    weights = paired("sd1")[0].weights()
    weights[key][0] = torch.nan
    model = open_checkpoint(save(tmp_path / "broken.safetensors", weights))
    with pytest.raises(FormatError) as caught:
        made(model, JOB)
    assert key in caught.value.why
    assert caught.value.rule == "nan-picture"
    assert what in caught.value.next


def test_an_autoencoder_that_overflows_in_half_precision_is_widened_for_good(
    paired: Callable[..., Paired], tmp_path: Path
) -> None:
    weights = paired("sd1")[0].weights()
    weights["first_stage_model.post_quant_conv.weight"] *= 2e4
    path = save(tmp_path / "overflowing.safetensors", weights)
    model = open_checkpoint(path, Opening(dtype=torch.float16))
    found = made(model, replace(JOB, count=2, steps=1))
    wanted = made(open_checkpoint(path), replace(JOB, count=2, steps=1))
    assert [one.picture.size for one in found] == [(32, 32)] * 2
    assert all(apart(a.picture, b.picture) < 40 for a, b in zip(found, wanted, strict=True))


def test_a_job_that_is_refused_leaves_nothing_applied(
    sd1: Model, applied: tuple[list[str], Callable[..., object]]
) -> None:
    log, adapt = applied
    with pytest.raises(KeepError):
        made(sd1, replace(JOB, prompt="<lora:one:1>", steps=0), adapt=adapt)
    assert log == []
