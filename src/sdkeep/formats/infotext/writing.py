"""Infotext written so that AUTOMATIC1111 reads back what was meant, and Civitai its hashes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sdkeep.formats.infotext.loose import read_json
from sdkeep.formats.infotext.needing import stem
from sdkeep.formats.infotext.values import Need, Parameters
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.kinds import Kind

_BARE_JSON = ("Hashes", "Civitai resources", "Civitai metadata")
_SPECIAL = (",", ":", "\n")
_WHOLE_FILE = {DigestKind.SHA256: 10, DigestKind.AUTOV2: 10, DigestKind.AUTOV1: 8}
_WHOLE_EMBEDDING = {DigestKind.SHA256: 12, DigestKind.AUTOV2: 10}
_PAYLOAD = {DigestKind.AUTOV3: 12, DigestKind.SHA256: 10, DigestKind.AUTOV2: 10}
_WEBUI_KEYS = {"CFG scale", "Size", "Model hash", "Created Date"}


def quote(value: str) -> str:
    """A value as it stands in a settings line: in JSON quotes where it would not be read back without them.

    The WebUI quotes for commas, colons and line feeds; blanks at either end, empty values and values in quotes would
    be lost as well.
    """
    plain = value == value.strip() and value and value[0] != '"' and not any(sign in value for sign in _SPECIAL)
    return value if plain and value.isprintable() else json.dumps(value, ensure_ascii=False)


def format_a1111(prompt: str, negative: str, settings: Mapping[str, str]) -> str:
    """The infotext with these parts. Settings keep their order; readers need at least three to find the line.

    Keys are words of letters, digits, blanks, dashes and slashes, of two characters or more. `Hashes` and Civitai's
    resources go last and unquoted, as their readers expect them. Each line of a prompt loses the blanks around it when
    it is read.
    """
    pairs = [f"{key}: {quote(value)}" for key, value in settings.items() if not _is_bare(key, value)]
    pairs += [f"{key}: {value}" for key, value in settings.items() if _is_bare(key, value)]
    lines = [prompt, f"Negative prompt: {negative}" if negative else "", ", ".join(pairs)]
    return "\n".join(line for line in lines if line)


def _is_bare(key: str, value: str) -> bool:
    return key in _BARE_JSON and "\n" not in value and isinstance(read_json(value), dict | list)


def write_infotext(parameters: Parameters) -> str:
    """The parameters as AUTOMATIC1111 writes them. Those read from an infotext keep every setting they had."""
    if "Steps" in parameters.settings and _WEBUI_KEYS & parameters.settings.keys():
        return format_a1111(parameters.prompt, parameters.negative, parameters.settings)
    return format_a1111(parameters.prompt, parameters.negative, _settings(parameters))


def _settings(parameters: Parameters) -> dict[str, str]:
    """The typed fields and the models under the WebUI's names, in its order."""
    size = f"{parameters.width}x{parameters.height}" if parameters.width and parameters.height else ""
    model = _first(parameters.needs, (Kind.CHECKPOINT, Kind.DIFFUSION_MODEL))
    vae = _first(parameters.needs, (Kind.VAE,))
    found = {
        "Steps": _number(parameters.steps),
        "Sampler": parameters.sampler,
        "Schedule type": parameters.schedule,
        "CFG scale": _number(parameters.cfg),
        "Seed": _number(parameters.seed),
        "Size": size,
        "Model hash": _digits(model, _WHOLE_FILE),
        "Model": stem(model.name) if model else "",
        "VAE hash": _digits(vae, _WHOLE_FILE),
        "VAE": vae.name if vae else "",
        "Denoising strength": _number(parameters.denoising),
        "Clip skip": _number(parameters.clip_skip),
        "Lora hashes": _list(parameters.needs, (Kind.LORA, Kind.LYCORIS), _PAYLOAD),
        "TI hashes": _list(parameters.needs, (Kind.EMBEDDING,), _WHOLE_EMBEDDING),
        "Version": parameters.version,
    }
    return {key: value for key, value in found.items() if value}


def _first(needs: tuple[Need, ...], kinds: tuple[Kind, ...]) -> Need | None:
    return next((need for need in needs if need.kind in kinds), None)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def _digits(need: Need | None, wanted: dict[DigestKind, int]) -> str:
    """The first of these digests that is known, cut to so many digits."""
    known = {digest.kind: digest.value for digest in need.digests} if need else {}
    return next((known[kind][:digits] for kind, digits in wanted.items() if kind in known), "")


def _list(needs: tuple[Need, ...], kinds: tuple[Kind, ...], wanted: dict[DigestKind, int]) -> str:
    """`name: hash` for each of these that has a hash; what separates the entries is left out of the names."""
    entries = ((stem(need.name), _digits(need, wanted)) for need in needs if need.kind in kinds)
    return ", ".join(f"{re.sub('[:,]', '', name)}: {hash_}" for name, hash_ in entries if name and hash_)
