"""What a picture is to be made of: a frozen value for the pipeline, in AUTOMATIC1111's terms and with its defaults.

Sizes are (width, height) in pixels. Nothing here touches a network; `checked` refuses what no network could honour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from PIL.Image import Image

from sdkeep.diffusion.conditioning import Emphasis
from sdkeep.diffusion.guidance import Muting
from sdkeep.diffusion.knobs import Knobs
from sdkeep.diffusion.prompt.chunks import BACKTRACK
from sdkeep.diffusion.sampling.noise import Rng
from sdkeep.diffusion.sampling.registry import choose
from sdkeep.ground.errors import UsageError

Size = tuple[int, int]
LARGEST = 16384
MOST_STEPS = 1000
LONGEST_PROMPT = 50_000
"""In letters: some hundred times what people write, and little enough to be read at once."""
_LARGEST_SEED = 2**64 - 1


class ResizeMode(StrEnum):
    """How a picture comes to the wanted size: squeezed, its edges cut, its edges stretched, or as a latent."""

    RESIZE = "resize"
    CROP = "crop"
    FILL = "fill"
    LATENT = "latent"


class MaskedContent(StrEnum):
    """What the masked part begins as: colours around it, itself, noise, or nothing."""

    FILL = "fill"
    ORIGINAL = "original"
    NOISE = "latent noise"
    NOTHING = "latent nothing"


@dataclass(frozen=True, slots=True, eq=False)
class Inpaint:
    """Which part of a picture to make anew: white in `mask` (of any size), or drawn, where the mask is transparent.

    `blur` is in pixels. `only_masked` works on the masked part alone, with `padding` pixels around it, at full size.
    """

    mask: Image
    blur: int = 4
    content: MaskedContent = MaskedContent.ORIGINAL
    only_masked: bool = False
    padding: int = 32
    invert: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A picture to begin from. `denoising` of 0 keeps it, of 1 makes all of it anew.

    `mask_weight` is how much an inpainting model is kept from seeing what it paints over.
    """

    picture: Image
    denoising: float = 0.75
    resize: ResizeMode = ResizeMode.RESIZE
    inpaint: Inpaint | None = None
    noise_multiplier: float = 1.0
    mask_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Hires:
    """A second pass at a larger size: `size`, of which one side may be 0, or `scale`.

    `steps` 0, an empty name or text, and `cfg` None mean: as in the first pass.
    """

    scale: float = 2.0
    size: Size = (0, 0)
    steps: int = 0
    denoising: float = 0.7
    upscaler: str = "Latent"
    sampler: str = ""
    schedule: str = ""
    cfg: float | None = None
    prompt: str = ""
    negative: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Pictures to make: `count` of them, `batch` at once.

    Picture i has the seed `seed + i`; with a `variation` above 0 all have the same seed, and `variation_seed + i`. A
    `resize_from` is the size that the seed's composition was made for. `refine_at` is the share of the way (0 to 1)
    after which the refiner takes over; of the steps with `refine_by_steps`. `pads` asks for prompts of one length.
    `vae_tile` is the side, in pixels, of the pieces that the autoencoder works on,
    0 for the whole. None of `knobs` leaves it to the sampler; `ensd` is added to the seeds of the noise on the way.
    """

    prompt: str
    negative: str = ""
    size: Size = (512, 512)
    sampler: str = "DPM++ 2M"
    schedule: str = "Automatic"
    steps: int = 20
    cfg: float = 7.0
    image_cfg: float = 1.5
    seed: int = 0
    count: int = 1
    batch: int = 1
    variation_seed: int = 0
    variation: float = 0.0
    resize_from: Size = (0, 0)
    ensd: int = 0
    rng: Rng = Rng.NV
    knobs: Knobs = field(default_factory=Knobs)
    clip_skip: int = 1
    emphasis: Emphasis = Emphasis.ORIGINAL
    backtrack: int = BACKTRACK
    tiling: bool = False
    start: Start | None = None
    hires: Hires | None = None
    refine_at: float | None = None
    vae_tile: int = 0
    refine_by_steps: bool = False
    muting: Muting = field(default_factory=Muting)
    pads: bool = False

    def seed_of(self, place: int) -> int:
        """The seed of a picture, counted from 0."""
        return self.seed + (0 if self.variation else place)

    def variation_seed_of(self, place: int) -> int:
        """The variation seed of a picture, counted from 0."""
        return self.variation_seed + place


def checked(job: Job, factor: int = 8) -> Job:
    """The job, when it can be done at all; `factor` is how many pixels a latent stands for.

    Raises `UsageError` for a size that latents cannot have, an unknown sampler, or a number out of its range.
    """
    _check_texts(job)
    _check_size(job.size, factor, "--size")
    choose(job.sampler, job.schedule)
    _within("steps", job.steps, 1, MOST_STEPS)
    _within("cfg", job.cfg, 0, 100)
    _within("image-cfg", job.image_cfg, 0, 100)
    _within("count", job.count, 1, 100_000)
    _within("batch", job.batch, 1, 1024)
    _within("variation-strength", job.variation, 0, 1)
    _within("clip-skip", job.clip_skip, 1, 32)
    _check_seed("seed", job.seed, job.seed_of(job.count - 1))
    _check_seed("variation-seed", job.variation_seed, job.variation_seed_of(job.count - 1))
    _within("resize-from", min(job.resize_from), 0, LARGEST)
    _within("vae-tile", job.vae_tile, 0, LARGEST)
    _check_knobs(job.knobs)
    if job.refine_at is not None:
        _within("refiner-at", job.refine_at, 0, 1)
    if job.start and job.hires:
        raise UsageError(
            "hires fix and a picture to begin from do not go together",
            "the second pass of hires fix is itself made from a picture, the one of the first pass",
            "leave out `--hires`, and name the larger size with `--size`",
        )
    if job.start:
        _within("denoising", job.start.denoising, 0, 1)
        _check_picture(job.start)
    if job.hires:
        _check_hires(job.hires, job)
    return job


def _check_texts(job: Job) -> None:
    texts = [job.prompt, job.negative, *((job.hires.prompt, job.hires.negative) if job.hires else ())]
    longest = max(map(len, texts))
    if longest > LONGEST_PROMPT:
        raise UsageError(
            "the prompt is too long",
            f"it has {longest:,} letters, and {LONGEST_PROMPT:,} are the most",
            "leave something out: every 75 words or so are a chunk of their own",
        )


def _check_seed(name: str, first: int, last: int) -> None:
    """Every seed of a job has 64 bits."""
    _within(name, first, 0, _LARGEST_SEED)
    if last > _LARGEST_SEED:
        raise UsageError(
            f"the seeds from `--{name} {first}` on are too large",
            "seeds have 64 bits, and every picture takes the next",
            f"`--{name} {first % 2**32}`",
        )


def _check_knobs(knobs: Knobs) -> None:
    _within("eta", knobs.eta or 0, 0, 10)
    for name, value, least, most in (
        ("Sigma churn", knobs.churn, 0, 1000),
        ("Sigma noise", knobs.s_noise, 0, 10),
        ("Sigma tmin", knobs.tmin, 0, 1000),
        ("Schedule min sigma", knobs.least, 0, 100),
        ("Schedule max sigma", knobs.greatest, 0, 1000),
        ("Schedule rho", knobs.rho, 0, 100),
        ("Beta schedule alpha", knobs.beta[0], 0.01, 10),
        ("Beta schedule beta", knobs.beta[1], 0.01, 10),
        ("Extra noise", knobs.extra_noise, 0, 10),
    ):
        _within(name, value, least, most)
    if knobs.least and knobs.greatest and knobs.least >= knobs.greatest:
        raise UsageError(
            f"a schedule cannot run from {knobs.greatest:g} down to {knobs.least:g}",
            "its greatest sigma must be above its least", "leave one of them out",
        )  # fmt: skip


def _check_picture(start: Start) -> None:
    if 0 in start.picture.size or (start.inpaint and 0 in start.inpaint.mask.size):
        raise UsageError("the picture to begin from is empty", "it has no pixels", "name another with `--init`")
    _within("Conditional mask weight", start.mask_weight, 0, 1)
    _within("Noise multiplier", start.noise_multiplier, 0, 10)
    if start.inpaint:
        _within("mask-blur", start.inpaint.blur, 0, 256)
        _within("padding", start.inpaint.padding, 0, 4096)


def _check_hires(hires: Hires, job: Job) -> None:
    _within("hires-denoising", hires.denoising, 0, 1)
    _within("hires-steps", hires.steps, 0, MOST_STEPS)
    _within("hires-cfg", hires.cfg or 0, 0, 100)
    if hires.size == (0, 0):
        _within("hires", hires.scale, 1, 8)
    else:
        _within("hires-size", max(hires.size), 8, LARGEST)
    choose(hires.sampler or job.sampler, hires.schedule or job.schedule)


def _check_size(size: Size, factor: int, flag: str) -> None:
    if all(0 < side <= LARGEST and side % factor == 0 for side in size):
        return
    if max(size) > LARGEST:
        raise UsageError(
            f"a picture cannot be {size[0]}x{size[1]}", f"no side is longer than {LARGEST}",
            f"`{flag} 1024x1024`, enlarged with `--hires 2`",
        )  # fmt: skip
    below = tuple(min(max(side // factor, 1) * factor, LARGEST) for side in size)
    above = tuple(min(max(math.ceil(side / factor), 1) * factor, LARGEST) for side in size)
    near = dict.fromkeys([below, above])
    raise UsageError(
        f"a picture cannot be {size[0]}x{size[1]}",
        f"both sides must be multiples of {factor}, from {factor} to {LARGEST}",
        " or ".join(f"`{flag} {width}x{height}`" for width, height in near),
    )


def _within(name: str, value: float, least: float, most: float) -> None:
    """Raise `UsageError` for a number out of its range; `name` is that of an option, or of a parameter for `--set`."""
    if not (math.isfinite(value) and least <= value <= most):
        near = least if not value > least else most
        wrong, right = (
            f'--set "{name}: {_plain(one)}"' if name[0].isupper() else f"--{name} {_plain(one)}"
            for one in (value, near)
        )
        raise UsageError(f"`{wrong}` makes no sense", f"it goes from {least} to {most}", f"`{right}`")


def _plain(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)
