"""A picture's own parameters, as settings of a new one: which of them can be honoured, and which cannot.

The keys are those of AUTOMATIC1111's infotext (`create_infotext` in `modules/processing.py`, and what its built-in
scripts and the common extensions add). Of other programs' pictures the prompts, the models and the main sampler's
numbers are repeated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdkeep.actions.generating.parameters import setting
from sdkeep.actions.generating.sample import SAMPLE, sample_file
from sdkeep.actions.generating.wishes import Value, Wish, job_of
from sdkeep.actions.get import GetRequest
from sdkeep.actions.house import House
from sdkeep.actions.pictures import get_needed, needed
from sdkeep.actions.show import Needed
from sdkeep.formats.infotext.loose import real
from sdkeep.formats.infotext.needing import label, stem
from sdkeep.formats.infotext.parameters import read_parameters
from sdkeep.formats.infotext.picture import read_picture
from sdkeep.formats.infotext.values import Parameters, Tool
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import FormatError, NotFoundHere, UsageError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Artifact
from sdkeep.store.names import stem_key

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

_MASKING = frozenset(
    {"Mask blur", "Masked area padding", "Masked content", "Inpaint area", "Mask mode", "Inpaint mode"}
)
_FACTS = frozenset(
    {
        "Model", "Model hash", "VAE", "VAE hash", "Lora hashes", "TI hashes", "Hashes", "Version", "Batch size",
        "Batch pos", "App", "Created Date", "Civitai resources", "Civitai metadata", "Template", "Negative Template",
        "Refiner", "Wildcard prompt", "Wildcard negative prompt", "User", "Module 1", "Denoising strength", "RNG",
        "Init image hash", "AND", "Original Size", "Hypernet", "Hypernet strength", "First pass size",
        "VAE Encoder", "VAE Decoder", "Hires refiner", "Noise Schedule",
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
    if "refiner_at" in values and not refiner and "refiner" not in given:
        left.append(f"Refiner switch at: {values.pop('refiner_at')} (the picture names no refiner)")
    return Repeated(
        _prompt(found), found.negative, values, model, vae, refiner, _settled(house, needs),
        tuple(dict.fromkeys([*left, *unusable, *foreign])), tuple(one.ref or one.name for one in needs if not one.here),
    )  # fmt: skip


def _prompt(found: Parameters) -> str:
    """The prompt, with the hypernetwork that old pictures name apart."""
    name = re.sub(r"\([0-9a-f]+\)$", "", found.settings.get("Hypernet", "").strip())
    if not name or found.tool not in _WEBUIS:
        return found.prompt
    return f"{found.prompt}<hypernet:{name}:{found.settings.get('Hypernet strength', '1.0').strip()}>"


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
        return _honourable(_typed(found), {})
    told: dict[str, Value] = {}
    left: list[str] = []
    named: dict[str, str] = {}
    masked = "mask" in given
    for key, text in found.settings.items():
        option = setting(key, text)
        if key in _MASKING and not masked:
            left.append(f"{key}: {text}")
        elif option is not None:
            told[option[0]] = option[1]
            named[option[0]] = f"{key}: {text}"
        elif key not in _FACTS and (key, text.strip().casefold()) not in _AS_USUAL:
            left.append(f"{key}: {text}")
    left += _by_name(found, told, given)
    values, unusable = _honourable(told, named)
    return values, left + unusable


_AS_USUAL = frozenset({("Mask mode", "inpaint masked"), ("Inpaint area", "whole picture")})


def _honourable(values: Mapping[str, Value], named: Mapping[str, str]) -> tuple[dict[str, Value], list[str]]:
    """The settings that a job may have, each tried by itself, and the pairs that the others came from."""
    usable: dict[str, Value] = {}
    left: list[str] = []
    for name, value in values.items():
        if value == "":
            continue
        if name == "size":
            value = _floored(str(value))
        elif name in ("sampler", "hires_sampler"):
            value = _BY_OTHERS.get(str(value).strip().lower(), value)
        more: dict[str, Value] = {"hires": 2.0} if name.startswith("hires") else {}
        try:
            if name not in _OF_PICTURES:
                job_of(Wish("", "", {**more, name: value}, 0))
            usable[name] = value
        except UsageError as error:
            left.append(f"{named.get(name, f'{name}: {value}')} ({error.what})")
    if not usable.keys() & {"hires", "hires_size"}:
        for name in [name for name in usable if name.startswith("hires_")]:
            del usable[name]
            left += [named[name]] if name in named else []
    return usable, left


_OF_PICTURES = frozenset(
    {"denoising", "mask_blur", "padding", "masked_content", "only_masked", "invert_mask", "mask_weight"}
)


def _floored(size: str) -> str:
    """A size down to multiples of 8, as the WebUI's latents make it."""
    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", size)
    return "x".join(str(max(8, int(side) // 8 * 8)) for side in found.groups()) if found else size


def _by_name(found: Parameters, values: dict[str, Value], given: Collection[str]) -> Iterator[str]:
    """Settings whose meaning hangs on others; yields what cannot be honoured of them."""
    settings = found.settings
    yield from _of_start(found, values, given)
    drawn = settings.get("RNG", "").strip().upper()
    made_here = found.version.startswith("sdkeep")
    if drawn in ("CPU", "NV", "GPU", ""):
        values["rng"] = "CPU" if drawn == "CPU" or (made_here and not drawn) else "NV"  # GPU is the WebUI's default
    else:
        yield f"RNG: {drawn}"
    if "schedule" not in values and found.tool in _UNSPLIT and not made_here and "sampler" in values:
        values["schedule"] = _of_old_name(str(values["sampler"]))
    version = _version(found.version)
    if found.tool is Tool.A1111 and version and version < (1, 8) and "refiner_at" in values:
        values["refiner_by_steps"] = True
    for key, usual in _USUAL.items():
        if settings.get(key, usual).strip().casefold() != usual:
            yield f"{key}: {settings[key]}"


_UNSPLIT = frozenset({Tool.A1111, Tool.CIVITAI})
_USUAL = {"VAE Encoder": "full", "VAE Decoder": "full", "Hires refiner": "second pass", "Noise Schedule": "default"}
"""Parameters of which only one value can be honoured."""


def _of_start(found: Parameters, values: dict[str, Value], given: Collection[str]) -> Iterator[str]:
    """What the picture was begun from: nothing, another picture, or its own smaller self."""
    settings = found.settings
    strength = real(settings.get("Denoising strength"))
    first = re.fullmatch(r"(\d{1,6})x(\d{1,6})", settings.get("First pass size", ""))
    if first and "size" in values:  # hires fix as it was before version 1.0
        values["hires_size"] = values["size"]
        wide, high = int(first[1]), int(first[2])
        values["size"] = f"{wide}x{high}" if wide and high else _first_pass(str(values["size"]))
    upscaled = [name for name in values if name.startswith("hires")]
    if upscaled and ("init" in given or strength is None):
        why = "a picture to begin from was given" if "init" in given else "no denoising strength was written"
        yield from (f"{key}: {text} ({why})" for key, text in settings.items() if key.startswith("Hires "))
        for name in upscaled:
            del values[name]
        upscaled = []
    if strength is None:
        return
    if upscaled:
        values["hires_denoising"] = strength
        if "hires_size" not in values:
            values.setdefault("hires", 2.0)
    elif "init" in given:
        values["denoising"] = strength
    else:
        yield f"Denoising strength: {strength:g} (it was made from another picture; `--init FILE` names it)"


def _first_pass(size: str) -> str:
    """The size of the first pass that the WebUI chose by itself for a picture: its shape at the area of 512x512."""
    width, height = (int(side) for side in size.lower().split("x"))
    scale = math.sqrt(512 * 512 / max(width * height, 1))
    return "x".join(str(math.ceil(scale * side / 64) * 64) for side in (width, height))


def _of_old_name(sampler: str) -> str:
    """The schedule of a sampler in a picture from before schedules were named apart: the network's own steps.

    A name that ends with a schedule says so itself, and some samplers take none.
    """
    from sdkeep.diffusion.sampling.registry import choose

    try:
        chosen = choose(sampler)
    except UsageError:
        return ""
    return "Uniform" if chosen.automatic and not chosen.sampler.free else ""


def _version(text: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else ()


def _typed(found: Parameters) -> dict[str, Value]:
    """What other programs' parameters say in common."""
    values: dict[str, Value | None] = {
        "steps": found.steps, "cfg": found.cfg, "seed": found.seed, "clip_skip": found.clip_skip, "rng": "CPU",
        "sampler": found.sampler or None,
        "schedule": found.schedule or None,
        "size": f"{found.width}x{found.height}" if found.width and found.height else None,
    }  # fmt: skip
    return {key: value for key, value in values.items() if value is not None}
