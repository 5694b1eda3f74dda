"""What a picture says of its making: AUTOMATIC1111's infotext, its keys in its order.

Source: AUTOMATIC1111 1.10 `modules/processing.py` (`create_infotext` and what the passes add to it).
"""

from __future__ import annotations

from collections.abc import Mapping

from sdkeep.diffusion.conditioning import Emphasis
from sdkeep.diffusion.guidance import Muting
from sdkeep.diffusion.jobs import Hires, Job, MaskedContent, Start
from sdkeep.diffusion.knobs import Knobs
from sdkeep.diffusion.networks.config import Variant
from sdkeep.diffusion.pipeline import Made
from sdkeep.diffusion.sampling.registry import Chosen, choose
from sdkeep.formats.infotext.needing import stem
from sdkeep.formats.infotext.writing import format_a1111


def infotext(job: Job, made: Made, models: Mapping[str, str], *, version: str = "") -> str:
    """The text that goes into the picture; see `settings`."""
    return format_a1111(job.prompt, job.negative, settings(job, made, models, version=version))


def settings(job: Job, made: Made, models: Mapping[str, str], *, version: str = "") -> dict[str, str]:
    """The pairs of the last line, those that say nothing left out.

    `models` are the settings that name files, as only the caller knows them: `Model hash`, `Model`, `VAE hash`, `VAE`,
    `Lora hashes`, `TI hashes`, `Refiner`, and others, which go last.
    """
    chosen = choose(job.sampler, job.schedule)
    said = {
        "Steps": str(job.steps),
        "Sampler": chosen.sampler.name,
        "Schedule type": schedule_name(chosen),
        "CFG scale": number(job.cfg),
        "Image CFG scale": number(job.image_cfg) if made.variant is Variant.PIX2PIX and job.start else "",
        "Seed": str(made.seed),
        "Size": f"{job.size[0]}x{job.size[1]}",
        **_named(models, "Model hash", "Model", "VAE hash", "VAE"),
        "Variation seed": str(made.variation_seed) if job.variation else "",
        "Variation seed strength": number(job.variation) if job.variation else "",
        "Seed resize from": f"{job.resize_from[0]}x{job.resize_from[1]}" if all(job.resize_from) else "",
        "Denoising strength": _denoising(job),
        "Conditional mask weight": _mask_weight(job, made),
        "Clip skip": str(job.clip_skip) if job.clip_skip > 1 else "",
        "ENSD": str(job.ensd) if job.ensd and chosen.sampler.ensd and job.knobs.eta != 0 else "",
        "RNG": job.rng.value,
        "Tiling": "True" if job.tiling else "",
        **_of_sampler(chosen, job.knobs),
        **_of_schedule(chosen, job.knobs),
        **_of_guidance(job.muting),
        "Pad conds": "True" if job.pads else "",
        **(_of_start(job.start) if job.start else {}),
        **(_of_hires(job, job.hires) if job.hires else {}),
        **_named(models, *(("Refiner",) if job.refine_at is not None else ())),
        "Refiner switch at": "" if job.refine_at is None else number(job.refine_at),
        "Refiner switch by sampling steps": "True" if job.refine_at is not None and job.refine_by_steps else "",
        **_named(models, "Lora hashes", "TI hashes"),
        "Emphasis": "" if job.emphasis is Emphasis.ORIGINAL else job.emphasis.value,
        **{key: value for key, value in models.items() if key not in _PLACED},
        "Version": version,
    }
    return {key: value for key, value in said.items() if value}


_PLACED = {"Model hash", "Model", "VAE hash", "VAE", "Refiner", "Lora hashes", "TI hashes"}


def _named(models: Mapping[str, str], *keys: str) -> dict[str, str]:
    return {key: models.get(key, "") for key in keys}


def schedule_name(chosen: Chosen) -> str:
    """What AUTOMATIC1111 calls the schedule: its name, `Automatic` where the sampler has no preference or choice."""
    nothing_preferred = chosen.automatic and chosen.schedule.name == "Uniform"
    return "Automatic" if nothing_preferred or chosen.sampler.free else chosen.schedule.name


def number(value: float) -> str:
    """A number without needless digits, as people write it."""
    return f"{value:.10g}"


def _denoising(job: Job) -> str:
    if job.start:
        return number(job.start.denoising)
    return number(job.hires.denoising) if job.hires else ""


def _mask_weight(job: Job, made: Made) -> str:
    if made.variant is not Variant.INPAINTING:
        return ""
    return number(job.start.mask_weight if job.start else 1.0)


def _of_sampler(chosen: Chosen, knobs: Knobs) -> dict[str, str]:
    changed = knobs.eta is not None and knobs.eta != chosen.sampler.eta
    eta = "Eta DDIM" if chosen.sampler.stepped else "Eta"
    return {
        eta: number(knobs.eta) if changed and knobs.eta is not None else "",
        "Sigma churn": number(knobs.churn) if knobs.churn else "",
        "Sigma tmin": number(knobs.tmin) if knobs.tmin else "",
        "Sigma tmax": number(knobs.tmax) if knobs.tmax != float("inf") else "",
        "Sigma noise": number(knobs.s_noise) if knobs.s_noise != 1 else "",
        "SGM noise multiplier": "True" if knobs.sgm_noise else "",
        "Extra noise": number(knobs.extra_noise) if knobs.extra_noise else "",
    }


def _of_schedule(chosen: Chosen, knobs: Knobs) -> dict[str, str]:
    is_beta = chosen.schedule.name == "Beta"
    return {
        "Discard penultimate sigma": "True" if knobs.drops_penultimate else "",
        "Schedule min sigma": number(knobs.least) if knobs.least else "",
        "Schedule max sigma": number(knobs.greatest) if knobs.greatest else "",
        "Schedule rho": number(knobs.rho) if knobs.rho else "",
        "Beta schedule alpha": number(knobs.beta[0]) if is_beta else "",
        "Beta schedule beta": number(knobs.beta[1]) if is_beta else "",
    }


def _of_guidance(muting: Muting) -> dict[str, str]:
    return {
        "Skip Early CFG": number(muting.early) if muting.early else "",
        "NGMS": number(muting.sigma) if muting.sigma else "",
        "NGMS all steps": "True" if muting.sigma and muting.all else "",
    }


def _of_start(start: Start) -> dict[str, str]:
    said = {"Noise multiplier": number(start.noise_multiplier) if start.noise_multiplier != 1 else ""}
    how = start.inpaint
    if how is None:
        return said
    return said | {
        "Mask mode": "Inpaint not masked" if how.invert else "",
        "Mask blur": str(how.blur) if how.blur else "",
        "Inpaint area": "Only masked" if how.only_masked else "",
        "Masked area padding": str(how.padding) if how.only_masked else "",
        "Masked content": "" if how.content is MaskedContent.ORIGINAL else how.content.value,
    }


def _of_hires(job: Job, hires: Hires) -> dict[str, str]:
    by_size = hires.size != (0, 0)
    first = choose(job.sampler, job.schedule)
    second = choose(hires.sampler or job.sampler, hires.schedule or job.schedule)
    other_schedule = schedule_name(second) != schedule_name(first)
    return {
        "Hires prompt": hires.prompt if hires.prompt != job.prompt else "",
        "Hires negative prompt": hires.negative if hires.negative != job.negative else "",
        "Hires sampler": second.sampler.name if second.sampler is not first.sampler else "",
        "Hires schedule type": schedule_name(second) if other_schedule else "",
        "Hires CFG Scale": number(hires.cfg) if hires.cfg is not None and hires.cfg != job.cfg else "",
        "Hires upscale": "" if by_size else number(hires.scale),
        "Hires resize": f"{hires.size[0]}x{hires.size[1]}" if by_size else "",
        "Hires steps": str(hires.steps) if hires.steps else "",
        "Hires upscaler": stem(hires.upscaler),
    }
