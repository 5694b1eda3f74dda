"""AUTOMATIC1111's names of parameters, as infotext has them, and the options here that mean the same.

Source of the names: AUTOMATIC1111 1.10 `modules/processing.py` (`create_infotext` and what the passes add to it),
`modules/shared_options.py` (`infotext=`), `modules/sd_samplers_common.py`, `modules/sd_samplers_kdiffusion.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from sdkeep.actions.generating.wishes import Value
from sdkeep.formats.infotext.loose import real, whole
from sdkeep.ground.errors import UsageError
from sdkeep.ground.text import one_line

WHOLE: Mapping[str, str] = {
    "Steps": "steps", "Seed": "seed", "Clip skip": "clip_skip", "Variation seed": "variation_seed", "ENSD": "ensd",
    "Eta noise seed delta": "ensd", "Hires steps": "hires_steps", "Mask blur": "mask_blur",
    "Masked area padding": "padding",
}  # fmt: skip
REAL: Mapping[str, str] = {
    "CFG scale": "cfg", "Image CFG scale": "image_cfg", "Variation seed strength": "variation_strength", "Eta": "eta",
    "Eta DDIM": "eta", "Hires upscale": "hires", "Hires CFG Scale": "hires_cfg", "Refiner switch at": "refiner_at",
    "Conditional mask weight": "mask_weight", "Noise multiplier": "noise_multiplier", "Extra noise": "extra_noise",
    "Sigma churn": "sigma_churn", "Sigma tmin": "sigma_tmin", "Sigma tmax": "sigma_tmax", "Sigma noise": "sigma_noise",
    "Schedule min sigma": "schedule_min_sigma", "Schedule max sigma": "schedule_max_sigma",
    "Schedule rho": "schedule_rho", "Beta schedule alpha": "beta_schedule_alpha",
    "Beta schedule beta": "beta_schedule_beta", "Beta scheduler alpha": "beta_schedule_alpha",
    "Beta scheduler beta": "beta_schedule_beta", "NGMS": "ngms", "Skip Early CFG": "skip_early_cfg",
}  # fmt: skip
WORDS: Mapping[str, str] = {
    "Sampler": "sampler", "Schedule type": "schedule", "Scheduler": "schedule", "Emphasis": "emphasis", "Size": "size",
    "Seed resize from": "resize_from", "Masked content": "masked_content", "Hires upscaler": "hires_upscaler",
    "Hires resize": "hires_size", "Hires sampler": "hires_sampler", "Hires schedule type": "hires_schedule",
    "Hires prompt": "hires_prompt", "Hires negative prompt": "hires_negative",
}  # fmt: skip
FLAGS: Mapping[str, str] = {
    "Tiling": "tiling", "Discard penultimate sigma": "discard_penultimate_sigma",
    "SGM noise multiplier": "sgm_noise_multiplier", "NGMS all steps": "ngms_all_steps", "Pad conds": "pad_conds",
    "Refiner switch by sampling steps": "refiner_by_steps",
}  # fmt: skip
_ONE_WAY = {("Inpaint area", "only masked"): "only_masked", ("Mask mode", "inpaint not masked"): "invert_mask"}
"""What switches an option on when it has just this value."""
_AS_BEFORE = frozenset({"use same sampler", "use same scheduler"})


def setting(key: str, text: str) -> tuple[str, Value] | None:
    """The option that a parameter stands for, with its value; None where there is none, or its value is no such thing.

    Switches that are off, and words that say "as before", stand for an empty word.
    """
    text = text.strip()
    if key in WHOLE and (number := whole(text)) is not None:
        return WHOLE[key], number
    if key in REAL and (fraction := real(text)) is not None:
        return REAL[key], fraction
    if key in WORDS and text:
        return (WORDS[key], text) if text.casefold() not in _AS_BEFORE else (WORDS[key], "")
    if key in FLAGS and text.casefold() in ("true", "false", key.casefold()):
        return FLAGS[key], text.casefold() != "false"
    name = _ONE_WAY.get((key, text.casefold()))
    return (name, True) if name else None


def settings_told(pairs: Sequence[str]) -> dict[str, Value]:
    """Options from `Name: value`, as `--set` takes them; raises `UsageError` with the nearest names."""
    known = {name.casefold(): name for name in (*WHOLE, *REAL, *WORDS, *FLAGS)}
    found: dict[str, Value] = {}
    for pair in pairs:
        key, _, text = pair.partition(":") if ":" in pair else pair.partition("=")
        name = known.get(key.strip().casefold())
        if name is None:
            near = difflib.get_close_matches(key.strip().casefold(), list(known), n=3, cutoff=0.5)
            raise UsageError(
                f"there is no parameter `{one_line(key.strip(), 60)}`",
                "the nearest are " + ", ".join(f"`{known[one]}`" for one in near)
                if near else "they are named as in a picture's infotext",
                f'`--set "{known[near[0]] if near else "Schedule rho"}: ..."`',
            )  # fmt: skip
        option = setting(name, text)
        if option is None:
            kind = "True or False" if name in FLAGS else "a word" if name in WORDS else "a number"
            raise UsageError(
                f"`{one_line(text.strip(), 60)}` is nothing for `{name}`", f"it is {kind}", f'`--set "{name}: ..."`'
            )  # fmt: skip
        found[option[0]] = option[1]
    return found
