"""From what a person or a picture asks for, by the names of options, to a job for the pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sdkeep.ground.errors import NotFoundHere, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdkeep.diffusion.jobs import Hires, Job, Size, Start
    from sdkeep.diffusion.knobs import Knobs

Value = str | int | float | bool
Word = TypeVar("Word", bound=StrEnum)

_SIZE = re.compile(r"\s*(\d{1,6})\s*[xX*\u00d7]\s*(\d{1,6})\s*")
_MASKED = {
    "fill": "fill", "original": "original", "latent noise": "latent noise", "noise": "latent noise",
    "latent nothing": "latent nothing", "nothing": "latent nothing",
}  # fmt: skip
_LARGEST_SEED = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Wish:
    """Everything but files: prompts, and the options that were given, by their names with `_` for `-`.

    `chance` is the seed where none is given; `size` the one where none is given.
    """

    prompt: str
    negative: str
    values: Mapping[str, Value]
    chance: int
    size: tuple[int, int] = (512, 512)

    def text(self, name: str, otherwise: str = "") -> str:
        """An option that is a word."""
        return str(self.values.get(name, otherwise))

    def whole(self, name: str, otherwise: int) -> int:
        """An option that is a whole number."""
        value = self.values.get(name, otherwise)
        return int(value)

    def real(self, name: str, otherwise: float) -> float:
        """An option that is a number."""
        return float(self.values.get(name, otherwise))

    def on(self, name: str) -> bool:
        """An option that is on or off."""
        return bool(self.values.get(name, False))

    def seed(self, name: str, otherwise: int) -> int:
        """An option that is a seed; below zero means that chance decides."""
        value = self.whole(name, otherwise)
        if value > _LARGEST_SEED:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"`{flag} {value}` is too large", "seeds have 64 bits", f"`{flag} {value % 2**32}`"
            )  # fmt: skip
        return value if value >= 0 else self.chance


def job_of(wish: Wish, init: Path | None = None, mask: Path | None = None) -> Job:
    """The job, every part of it checked; raises `UsageError` in the words of the options."""
    from sdkeep.diffusion.conditioning import Emphasis
    from sdkeep.diffusion.guidance import Muting
    from sdkeep.diffusion.jobs import Job, checked
    from sdkeep.diffusion.sampling.noise import Rng

    usual, start = Job(""), _start(wish, init, mask)
    refiner_at = wish.values.get("refiner_at")
    size = size_called(wish.text("size"), "--size") if wish.text("size") else wish.size
    if start is not None and "size" not in wish.values:
        size = _fitting(start.picture.size)
    job = Job(
        prompt=wish.prompt,
        negative=wish.negative,
        size=size,
        sampler=wish.text("sampler", usual.sampler),
        schedule=wish.text("schedule", usual.schedule),
        steps=wish.whole("steps", usual.steps),
        cfg=wish.real("cfg", usual.cfg),
        image_cfg=wish.real("image_cfg", usual.image_cfg),
        seed=wish.seed("seed", wish.chance),
        count=wish.whole("count", 1),
        batch=wish.whole("batch", 1),
        variation_seed=wish.seed("variation_seed", wish.chance),
        variation=wish.real("variation_strength", 0.0),
        resize_from=size_called(wish.text("resize_from", "0x0"), "--resize-from"),
        ensd=wish.whole("ensd", 0),
        rng=called(Rng, wish.text("rng", "NV"), "--rng"),
        knobs=_knobs(wish),
        clip_skip=wish.whole("clip_skip", 1),
        emphasis=called(Emphasis, wish.text("emphasis", "Original"), "--emphasis"),
        tiling=wish.on("tiling"),
        start=start,
        hires=_hires(wish),
        refine_at=None if refiner_at is None else float(refiner_at),
        vae_tile=wish.whole("vae_tile", 0),
        refine_by_steps=wish.on("refiner_by_steps"),
        muting=Muting(wish.real("ngms", 0.0), wish.on("ngms_all_steps"), wish.real("skip_early_cfg", 0.0)),
        pads=wish.on("pad_conds"),
    )
    return checked(job)


def _knobs(wish: Wish) -> Knobs:
    from sdkeep.diffusion.knobs import Knobs

    usual, eta = Knobs(), wish.values.get("eta")
    return Knobs(
        eta=None if eta is None else float(eta),
        s_noise=wish.real("sigma_noise", usual.s_noise),
        churn=wish.real("sigma_churn", usual.churn),
        tmin=wish.real("sigma_tmin", usual.tmin),
        tmax=wish.real("sigma_tmax", 0.0) or usual.tmax,
        least=wish.real("schedule_min_sigma", usual.least),
        greatest=wish.real("schedule_max_sigma", usual.greatest),
        rho=wish.real("schedule_rho", usual.rho),
        beta=(wish.real("beta_schedule_alpha", usual.beta[0]), wish.real("beta_schedule_beta", usual.beta[1])),
        drops_penultimate=wish.on("discard_penultimate_sigma"),
        sgm_noise=wish.on("sgm_noise_multiplier"),
        extra_noise=wish.real("extra_noise", usual.extra_noise),
    )


def size_called(text: str, flag: str) -> Size:
    """`512x768` as width and height; raises `UsageError`."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise UsageError(f"`{text}` is no size", "it is a width, an `x` and a height, in pixels", f"`{flag} 512x768`")
    return int(found[1]), int(found[2])


def called(kind: type[Word], text: str, flag: str) -> Word:
    """The member of an enumeration that a word names, in any case, with `-` for blanks; raises `UsageError`."""
    known = {str(one).casefold(): one for one in kind}
    found = known.get(text.strip().casefold()) or known.get(text.strip().casefold().replace("-", " "))
    if found is None:
        words = ", ".join(f"`{word.replace(' ', '-')}`" for word in known)
        raise UsageError(f"`{text}` is nothing for `{flag}`", f"known are {words}", f"`{flag} {next(iter(known))}`")
    return found


def picture_at(path: Path, flag: str) -> Image:
    """A picture from a file, turned as its camera says; raises `NotFoundHere` or `UsageError`."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():
        raise NotFoundHere(f"there is no picture `{path}`", f"`{flag}` names a file", "check the spelling")
    try:
        with Image.open(path) as opened:
            return ImageOps.exif_transpose(opened).copy()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(
            f"`{path}` is no picture that can be read", str(error)[:120], f"`{flag}` takes PNG, JPEG or WebP"
        ) from error


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """A picture's own size, down to multiples of 8."""
    return max(8, size[0] // 8 * 8), max(8, size[1] // 8 * 8)


def _start(wish: Wish, init: Path | None, mask: Path | None) -> Start | None:
    """The picture to begin from, with its mask."""
    if init is None:
        needs = "mask" if mask else next((name for name in _OF_PICTURES if name in wish.values), "")
        if needs:
            flag = "--" + needs.replace("_", "-")
            raise UsageError(
                f"`{flag}` needs a picture to begin from", "none is named", f"`--init FILE {flag} ...`"
            )  # fmt: skip
        return None
    from sdkeep.diffusion.jobs import Inpaint, MaskedContent, ResizeMode, Start

    inpaint = None
    if mask is not None:
        content = _MASKED.get(wish.text("masked_content", "original").casefold(), wish.text("masked_content"))
        inpaint = Inpaint(
            picture_at(mask, "--mask"),
            wish.whole("mask_blur", 4),
            called(MaskedContent, content, "--masked-content"),
            wish.on("only_masked"),
            wish.whole("padding", 32),
            wish.on("invert_mask"),
        )
    elif spare := next((name for name in _OF_MASKS if name in wish.values), ""):
        flag = "--" + spare.replace("_", "-")
        raise UsageError(f"`{flag}` needs a mask", "none is named", f"`--mask FILE {flag} ...`")
    resize = called(ResizeMode, wish.text("resize_mode", "resize"), "--resize-mode")
    return Start(
        picture_at(init, "--init"), wish.real("denoising", 0.75), resize, inpaint,
        wish.real("noise_multiplier", 1.0), wish.real("mask_weight", 1.0),
    )  # fmt: skip


_OF_MASKS = ("mask_blur", "masked_content", "only_masked", "padding", "invert_mask")
_OF_PICTURES = ("denoising", "resize_mode", *_OF_MASKS)
_OF_HIRES = (
    "hires_steps", "hires_denoising", "hires_upscaler", "hires_sampler", "hires_schedule", "hires_cfg", "hires_prompt",
    "hires_negative",
)  # fmt: skip


def _hires(wish: Wish) -> Hires | None:
    if "hires" not in wish.values and "hires_size" not in wish.values:
        spare = next((name for name in _OF_HIRES if name in wish.values), "")
        if spare:
            flag = "--" + spare.replace("_", "-")
            raise UsageError(f"`{flag}` needs hires fix", "no scale is named", f"`--hires 2 {flag} ...`")
        return None
    from sdkeep.diffusion.jobs import Hires

    size = size_called(wish.text("hires_size"), "--hires-size") if wish.text("hires_size") else (0, 0)
    return Hires(
        scale=wish.real("hires", 2.0),
        size=size,
        steps=wish.whole("hires_steps", 0),
        denoising=wish.real("hires_denoising", 0.7),
        upscaler=wish.text("hires_upscaler", "Latent"),
        sampler=wish.text("hires_sampler"),
        schedule=wish.text("hires_schedule"),
        prompt=wish.text("hires_prompt"),
        negative=wish.text("hires_negative"),
        cfg=wish.real("hires_cfg", 0.0) if "hires_cfg" in wish.values else None,
    )
