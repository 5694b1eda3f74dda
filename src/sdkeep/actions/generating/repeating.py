"""A picture's own parameters, as settings of a new one: which of them can be honoured, and which cannot.

The keys are those of AUTOMATIC1111's infotext (`create_infotext` in `modules/processing.py`, and what its built-in
scripts and the common extensions add). Of other programs' pictures the prompts, the models and the main sampler's
numbers are repeated.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdkeep.actions.generating.sample import SAMPLE, sample_file
from sdkeep.actions.get import GetRequest
from sdkeep.actions.house import House
from sdkeep.actions.pictures import get_needed, needed
from sdkeep.actions.show import Needed
from sdkeep.formats.infotext.loose import real, whole
from sdkeep.formats.infotext.needing import label, stem
from sdkeep.formats.infotext.parameters import read_parameters
from sdkeep.formats.infotext.picture import read_picture
from sdkeep.formats.infotext.values import Parameters, Tool
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError, NotFoundHere, UsageError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Artifact
from sdkeep.store.names import stem_key

Value = str | int | float | bool

_WEBUIS = frozenset({Tool.A1111, Tool.FORGE, Tool.SDNEXT, Tool.CIVITAI})
_GROUPS = {
    Kind.LORA: "lora", Kind.LYCORIS: "lora", Kind.EMBEDDING: "embedding", Kind.HYPERNETWORK: "hypernet"
}  # fmt: skip
_USED = frozenset({Kind.CHECKPOINT, Kind.DIFFUSION_MODEL, Kind.VAE, *_GROUPS})
_BY_OTHERS = {
    "euler_ancestral": "Euler a", "euler": "Euler", "lms": "LMS", "heun": "Heun", "dpm_2": "DPM2", "ddim": "DDIM",
    "dpm_2_ancestral": "DPM2 a", "dpmpp_2m": "DPM++ 2M", "dpmpp_sde": "DPM++ SDE", "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE", "dpmpp_2s_ancestral": "DPM++ 2S a", "dpm_fast": "DPM fast", "lcm": "LCM",
    "dpm_adaptive": "DPM adaptive", "uni_pc": "UniPC", "uni_pc_bh2": "UniPC", "restart": "Restart",
    "dpmpp_sde_gpu": "DPM++ SDE", "dpmpp_2m_sde_gpu": "DPM++ 2M SDE", "dpmpp_3m_sde_gpu": "DPM++ 3M SDE",
}  # fmt: skip
"""ComfyUI's names, which SwarmUI and Fooocus use as well."""

_WHOLE = {
    "Steps": "steps", "Seed": "seed", "Clip skip": "clip_skip", "Variation seed": "variation_seed", "ENSD": "ensd",
    "Eta noise seed delta": "ensd", "Hires steps": "hires_steps", "Mask blur": "mask_blur",
    "Masked area padding": "padding",
}  # fmt: skip
_REAL = {
    "CFG scale": "cfg", "Image CFG scale": "image_cfg", "Variation seed strength": "variation_strength", "Eta": "eta",
    "Eta DDIM": "eta", "Hires upscale": "hires", "Refiner switch at": "refiner_at",
}  # fmt: skip
_WORDS = {
    "Sampler": "sampler", "Schedule type": "schedule", "Scheduler": "schedule", "Emphasis": "emphasis", "Size": "size",
    "Seed resize from": "resize_from", "Hires upscaler": "hires_upscaler", "Masked content": "masked_content",
}  # fmt: skip
_MASKING = frozenset(
    {"Mask blur", "Masked area padding", "Masked content", "Inpaint area", "Mask mode", "Inpaint mode"}
)
_FACTS = frozenset(
    {
        "Model", "Model hash", "VAE", "VAE hash", "Lora hashes", "TI hashes", "Hashes", "Version", "Batch size",
        "Batch pos", "App", "Created Date", "Civitai resources", "Civitai metadata", "Template", "Negative Template",
        "Refiner", "Wildcard prompt", "Wildcard negative prompt", "User", "Discard penultimate sigma", "Module 1",
        "Denoising strength", "RNG", "Tiling", "Init image hash", "AND",
    }
)  # fmt: skip
"""Keys that say what was used, or that are looked at by name below."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """What a picture asks for.

    `values` are settings by the names that `generate` gives them. `model`, `vae` and `refiner` are references, empty
    where the picture names none. `settled` are adapters by group and name that were found by their hashes.
    `unhonoured` are the parameters that cannot be honoured, as `key: value`; `missing` what would still be fetched.
    """

    prompt: str
    negative: str
    values: Mapping[str, Value]
    model: str = ""
    vae: str = ""
    refiner: str = ""
    settled: Mapping[tuple[str, str], Artifact] = field(default_factory=dict)
    unhonoured: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def repeated(house: House, path: Path, given: Collection[str], *, dry_run: bool = False) -> Repeated:
    """The parameters of a picture, what they need fetched; options in `given` overrule the picture's.

    Raises `FormatError` for a picture without parameters, `NotFoundHere` and the hubs' errors for a model that cannot
    be had.
    """
    found = _read(path)
    needs = _brought(house, needed(house, path), given, dry_run)
    values, left = _values(found, given)
    unusable = [] if found.tool in _WEBUIS else [f"{one.kind}: {one.name}" for one in needs if one.kind not in _USED]
    foreign = [] if found.tool in _WEBUIS else [f"everything of {found.tool} but prompts, models and the main sampler"]
    vae = _reference(needs, Kind.VAE)
    left += [f"VAE: {one.name}" for one in needs if one.kind is Kind.VAE and not one.here and "vae" not in given]
    model, refiner = _checkpoints(found, needs, given)
    return Repeated(
        found.prompt, found.negative, values, model, vae, refiner, _settled(house, needs),
        tuple(dict.fromkeys([*left, *unusable, *foreign])), tuple(one.ref or one.name for one in needs if not one.here),
    )  # fmt: skip


def _read(path: Path) -> Parameters:
    if not path.is_file():
        raise NotFoundHere(f"there is no picture `{path}`", "nothing has this path", "check the spelling")
    with FileSource(path) as source:
        found = read_parameters(read_picture(source))
    if found is None:
        raise FormatError(
            f"`{path}` does not say how it was made", "its parameters were removed, as many sites do, or never written",
            f"`sdkeep show '{path}'` tells what it is", rule="no-parameters",
        )  # fmt: skip
    return found


def _brought(house: House, needs: tuple[Needed, ...], given: Collection[str], dry_run: bool) -> tuple[Needed, ...]:
    """The needs that are used here, after what is missing of them was fetched; without the VAE no picture is lost."""
    asked = [one for one in needs if one.kind in _USED and not _overruled(one.kind, given) and not _is_sample(one)]
    missing = tuple(one for one in asked if not one.here and one.ref)
    if not missing or dry_run:
        return needs
    for one in missing:
        house.say(f"{one.kind} `{one.name}` is not here and is fetched")
    batch = get_needed(house, missing, GetRequest(uis=(), previews=False))
    brought = {ref for one in batch.done for ref in (one.ref, *(file.name for file in one.files))}
    names = {got.ref: got.files[0].name for got in batch.done if got.files}
    fetched = tuple(
        _with_name(one, names[one.ref]) if one.ref in names and one.ref in brought else one for one in needs
    )
    for failure in batch.failed:
        lost = next((one for one in missing if one.ref == failure.ref), None)
        if lost is not None and lost.kind is not Kind.VAE:
            raise failure.error
        house.warn(f"{lost.kind if lost else 'file'} `{lost.name if lost else failure.ref}` could not be fetched")
    return fetched


def _with_name(need: Needed, name: str) -> Needed:
    return Needed(need.kind, need.name, need.weight, need.digests, need.ref, name, "fetched", need.doubt)


def _overruled(kind: Kind, given: Collection[str]) -> bool:
    words = {Kind.CHECKPOINT: "model", Kind.DIFFUSION_MODEL: "model", Kind.VAE: "vae"}
    return words.get(kind, "") in given


def _is_sample(need: Needed) -> bool:
    return need.kind is Kind.CHECKPOINT and label(need.name) == SAMPLE and sample_file(SAMPLE) is not None


def _reference(needs: tuple[Needed, ...], kind: Kind) -> str:
    return next((f"name:{one.here}" for one in needs if one.kind is kind and one.here), "")


def _checkpoints(found: Parameters, needs: tuple[Needed, ...], given: Collection[str]) -> tuple[str, str]:
    """References of the model and the refiner; empty where an option stands in, or the picture names none."""
    refined = label(_bare(found.settings.get("Refiner", "")))
    models = [one for one in needs if one.kind in (Kind.CHECKPOINT, Kind.DIFFUSION_MODEL)]
    refiner = next((one for one in models if refined and label(one.name) == refined), None)
    model = next((one for one in models if one is not refiner), refiner)
    if "model" in given:
        return "", _called(refiner)
    if model is None:
        raise UsageError(
            "the picture does not say which model it was made with", "its parameters name none", "`--model REF` does"
        )
    return _called(model), _called(refiner)


def _called(need: Needed | None) -> str:
    if need is None:
        return ""
    if need.here:
        return f"name:{need.here}"
    if _is_sample(need):
        return SAMPLE
    if need.ref:
        return need.ref
    raise NotFoundHere(
        f"there is no checkpoint `{need.name}` here", "the picture gives no hash by which a hub could be asked",
        f"`sdkeep search '{stem(need.name)}'` finds it, `--model REF` names another",
    )  # fmt: skip


def _bare(text: str) -> str:
    return re.sub(r"\s*\[[0-9a-fA-F]{8,64}\]\s*$", "", text)


def _settled(house: House, needs: tuple[Needed, ...]) -> dict[tuple[str, str], Artifact]:
    found = {}
    for one in needs:
        artifact = house.book.by_name(one.here) if one.here and one.kind in _GROUPS else None
        if artifact is not None:
            found[_GROUPS[one.kind], stem_key(stem(one.name))] = artifact
    return found


def _values(found: Parameters, given: Collection[str]) -> tuple[dict[str, Value], list[str]]:
    """The settings that can be honoured, and `key: value` for those that cannot."""
    if found.tool not in _WEBUIS:
        return _typed(found), []
    values: dict[str, Value] = {}
    left: list[str] = []
    masked = "mask" in given
    for key, text in found.settings.items():
        value = _value(key, text)
        if key in _MASKING and not masked:
            left.append(f"{key}: {text}")
        elif value is not None:
            values[value[0]] = value[1]
        elif key not in _FACTS:
            left.append(f"{key}: {text}")
    left += _by_name(found, values, given)
    return values, left


def _value(key: str, text: str) -> tuple[str, Value] | None:
    """The setting that a pair of the infotext stands for; None where there is none, or its value is no such thing."""
    if key in _WHOLE and (number := whole(text)) is not None:
        return _WHOLE[key], number
    if key in _REAL and (fraction := real(text)) is not None:
        return _REAL[key], fraction
    if key in _WORDS and text.strip():
        return _WORDS[key], text.strip()
    if key == "Inpaint area" and text.strip().casefold() == "only masked":
        return "only_masked", True
    return None


def _by_name(found: Parameters, values: dict[str, Value], given: Collection[str]) -> Iterator[str]:
    """Settings whose meaning hangs on others; yields what cannot be honoured of them."""
    settings = found.settings
    upscaled = "Hires upscale" in settings or "Hires resize" in settings
    strength = real(settings.get("Denoising strength"))
    if strength is not None and upscaled:
        values["hires_denoising"] = strength
    elif strength is not None and "init" in given:
        values["denoising"] = strength
    elif strength is not None:
        yield f"Denoising strength: {strength:g} (it was made from another picture; `--init FILE` names it)"
    if settings.get("Tiling", "").strip().casefold() == "true":
        values["tiling"] = True
    drawn = settings.get("RNG", "").strip().upper()
    made_here = found.version.startswith("sdkeep")
    if drawn in ("CPU", "NV", "GPU", ""):
        values["rng"] = "CPU" if drawn == "CPU" or (made_here and not drawn) else "NV"  # GPU is the WebUI's default
    else:
        yield f"RNG: {drawn}"


def _typed(found: Parameters) -> dict[str, Value]:
    """What other programs' parameters say in common."""
    values: dict[str, Value | None] = {
        "steps": found.steps, "cfg": found.cfg, "seed": found.seed, "clip_skip": found.clip_skip, "rng": "CPU",
        "sampler": _BY_OTHERS.get(found.sampler.strip().lower(), found.sampler) or None,
        "schedule": found.schedule or None,
        "size": f"{found.width}x{found.height}" if found.width and found.height else None,
    }  # fmt: skip
    return {key: value for key, value in values.items() if value is not None}
