"""What a picture says of its making: AUTOMATIC1111's infotext, its keys in its order.

Source: AUTOMATIC1111 1.10 `modules/processing.py` (`create_infotext` and what the passes add to it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sdkeep.diffusion.conditioning import Emphasis
from sdkeep.diffusion.jobs import Hires, Job, MaskedContent, Start
from sdkeep.diffusion.passes import Knobs
from sdkeep.diffusion.pipeline import Made
from sdkeep.diffusion.sampling.registry import Chosen, choose
from sdkeep.formats.infotext.writing import format_a1111


@dataclass(frozen=True, slots=True)
class Facts:
    """What only the caller knows: the files that took part, by stem, and the first digits of their hashes.

    `adapters` and `embeddings` are name and hash, `refiner` is written as `name [hash]`. `conditioned` says that the
    checkpoint is one for inpainting, `edits` that it is one that follows instructions.
    """

    model: str = ""
    model_hash: str = ""
    vae: str = ""
    vae_hash: str = ""
    adapters: tuple[tuple[str, str], ...] = ()
    embeddings: tuple[tuple[str, str], ...] = ()
    refiner: str = ""
    conditioned: bool = False
    edits: bool = False
    version: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


def infotext(job: Job, made: Made, facts: Facts) -> str:
    """The text that goes into the picture."""
    return format_a1111(job.prompt, job.negative, settings(job, made, facts))


def settings(job: Job, made: Made, facts: Facts) -> dict[str, str]:
    """The pairs of the last line, those that say nothing left out."""
    chosen = choose(job.sampler, job.schedule)
    resize_from = f"{job.resize_from[0]}x{job.resize_from[1]}" if all(job.resize_from) else ""
    said = {
        "Steps": str(job.steps),
        "Sampler": chosen.sampler.name,
        "Schedule type": schedule_name(chosen),
        "CFG scale": number(job.cfg),
        "Image CFG scale": number(job.image_cfg) if facts.edits and job.start else "",
        "Seed": str(made.seed),
        "Size": f"{job.size[0]}x{job.size[1]}",
        "Model hash": facts.model_hash,
        "Model": _plain(facts.model),
        "VAE hash": facts.vae_hash,
        "VAE": _plain(facts.vae),
        "Variation seed": str(made.variation_seed) if job.variation else "",
        "Variation seed strength": number(job.variation) if job.variation else "",
        "Seed resize from": resize_from,
        "Denoising strength": _denoising(job),
        "Conditional mask weight": number(job.start.mask_weight) if facts.conditioned and job.start else "",
        "Clip skip": str(job.clip_skip) if job.clip_skip > 1 else "",
        "ENSD": str(job.ensd) if job.ensd and _uses_ensd(chosen, job.knobs) else "",
        "RNG": job.rng.value,
        "Tiling": "True" if job.tiling else "",
        **_of_sampler(chosen, job.knobs),
        **(_of_start(job.start) if job.start else {}),
        **(_of_hires(job, job.hires) if job.hires else {}),
        "Refiner": facts.refiner if job.refine_at is not None else "",
        "Refiner switch at": "" if job.refine_at is None else number(job.refine_at),
        "Lora hashes": _hashes(facts.adapters),
        "TI hashes": _hashes(facts.embeddings),
        "Emphasis": "" if job.emphasis is Emphasis.ORIGINAL else job.emphasis.value,
        **facts.more,
        "Version": facts.version,
    }
    return {key: value for key, value in said.items() if value}


def schedule_name(chosen: Chosen) -> str:
    """What AUTOMATIC1111 calls the schedule: its name, `Automatic` where the sampler has no preference or choice."""
    nothing_preferred = chosen.automatic and chosen.schedule.name == "Uniform"
    return "Automatic" if nothing_preferred or chosen.sampler.free else chosen.schedule.name


def number(value: float) -> str:
    """A number without needless digits, as people write it."""
    return f"{value:.10g}"


def _plain(name: str) -> str:
    return name.replace(",", "").replace(":", "")


def _hashes(named: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{_plain(name)}: {digits}" for name, digits in named if name and digits)


def _denoising(job: Job) -> str:
    if job.start:
        return number(job.start.denoising)
    return number(job.hires.denoising) if job.hires else ""


def _uses_ensd(chosen: Chosen, knobs: Knobs) -> bool:
    return chosen.sampler.ensd and knobs.eta != 0


def _of_sampler(chosen: Chosen, knobs: Knobs) -> dict[str, str]:
    changed = knobs.eta is not None and knobs.eta != chosen.sampler.eta
    eta = "Eta DDIM" if chosen.sampler.stepped else "Eta"
    return {
        eta: number(knobs.eta) if changed and knobs.eta is not None else "",
        "Sigma churn": number(knobs.churn) if knobs.churn else "",
        "Sigma tmin": number(knobs.tmin) if knobs.tmin else "",
        "Sigma tmax": number(knobs.tmax) if knobs.tmax != float("inf") else "",
        "Sigma noise": number(knobs.s_noise) if knobs.s_noise != 1 else "",
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
        "Hires upscaler": hires.upscaler,
    }
