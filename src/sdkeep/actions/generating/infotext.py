"""The parameters of a picture as AUTOMATIC1111 writes them: its keys, its order, its omissions.

Source: AUTOMATIC1111 1.10, `create_infotext` in `modules/processing.py`, `modules/generation_parameters_copypaste.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sdkeep import __version__
from sdkeep.formats.infotext.writing import format_a1111

if TYPE_CHECKING:
    from sdkeep.diffusion.jobs import Hires, Inpaint, Job
    from sdkeep.diffusion.pipeline import Made


def infotext(job: Job, made: Made, models: Mapping[str, str], *, has_refiner: bool = False) -> str:
    """Prompt, negative prompt and settings; `models` are the settings that name models with their hashes."""
    from sdkeep.diffusion.sampling.registry import choose

    chosen = choose(job.sampler, job.schedule)
    scheduled = chosen.sampler.levelled is not None and not chosen.sampler.free
    settings = {
        "Steps": str(job.steps),
        "Sampler": chosen.sampler.name,
        "Schedule type": ("Automatic" if chosen.automatic else chosen.schedule.name) if scheduled else "",
        "CFG scale": _number(job.cfg),
        "Seed": str(made.seed),
        "Size": f"{job.size[0]}x{job.size[1]}",
        **{key: models.get(key, "") for key in ("Model hash", "Model", "VAE hash", "VAE")},
        **_variation(job, made),
        "Denoising strength": _number(job.start.denoising if job.start else job.hires.denoising if job.hires else None),
        "Clip skip": str(job.clip_skip) if job.clip_skip > 1 else "",
        "ENSD": str(job.ensd) if job.ensd and chosen.sampler.ensd else "",
        "RNG": str(job.rng),
        "Tiling": "True" if job.tiling else "",
        "Eta": _number(job.knobs.eta),
        "Emphasis": str(job.emphasis) if job.emphasis != "Original" else "",
        **(_inpaint(job.start.inpaint) if job.start and job.start.inpaint else {}),
        **(_hires(job.hires) if job.hires else {}),
        "Lora hashes": models.get("Lora hashes", ""),
        "TI hashes": models.get("TI hashes", ""),
        **({"Refiner": models.get("Refiner", ""), "Refiner switch at": _number(job.refine_at)} if has_refiner else {}),
        "Version": f"sdkeep {__version__}",
    }
    return format_a1111(job.prompt, job.negative, {key: value for key, value in settings.items() if value})


def _variation(job: Job, made: Made) -> dict[str, str]:
    width, height = job.resize_from
    resized = {"Seed resize from": f"{width}x{height}" if width and height else ""}
    if not job.variation:
        return resized
    return {
        "Variation seed": str(made.variation_seed), "Variation seed strength": _number(job.variation), **resized
    }  # fmt: skip


def _inpaint(inpaint: Inpaint) -> dict[str, str]:
    area = {"Inpaint area": "Only masked", "Masked area padding": str(inpaint.padding)} if inpaint.only_masked else {}
    return {
        "Mask mode": "Inpaint not masked" if inpaint.invert else "", "Masked content": str(inpaint.content),
        "Mask blur": str(inpaint.blur), **area,
    }  # fmt: skip


def _hires(hires: Hires) -> dict[str, str]:
    sized = hires.size != (0, 0)
    return {
        "Hires resize": f"{hires.size[0]}x{hires.size[1]}" if sized else "",
        "Hires upscale": "" if sized else _number(hires.scale),
        "Hires steps": str(hires.steps) if hires.steps else "",
        "Hires upscaler": hires.upscaler,
        "Hires sampler": hires.sampler,
        "Hires schedule type": hires.schedule,
        "Hires prompt": hires.prompt,
        "Hires negative prompt": hires.negative,
        "Hires CFG Scale": _number(hires.cfg),
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
