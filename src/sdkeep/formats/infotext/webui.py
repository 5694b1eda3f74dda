"""Parameters in AUTOMATIC1111's infotext, which Forge, SD.Next, Civitai, Fooocus and many image savers write too."""

from __future__ import annotations

import re

from sdkeep.formats.infotext import grammar
from sdkeep.formats.infotext.called import called
from sdkeep.formats.infotext.loose import real, whole
from sdkeep.formats.infotext.values import Parameters, Tool

_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
_FORGE = re.compile(r"f\d|classic|neo|.*forge", re.IGNORECASE)
_SDNEXT_KEYS = ("Pipeline", "Backend", "Operations")
_CIVITAI_KEYS = ("Civitai resources", "Civitai metadata", "Created Date")


def read_webui(text: str, chunk: str, *, sure: bool = True) -> Parameters | None:
    """The parameters in an infotext. Where `sure` is not set, text without settings or negative prompt is none."""
    if not text.strip() or len(text) > grammar.LONGEST:
        return None
    parts = grammar.split(text)
    if not sure and not parts.pairs and not parts.negative:
        return None
    settings = {pair.key: pair.value for pair in parts.pairs}
    width, height = _size(settings.get("Size", ""))
    return Parameters(
        tool=_tool(settings),
        prompt=parts.prompt,
        negative=parts.negative,
        settings=settings,
        steps=whole(settings.get("Steps")),
        sampler=settings.get("Sampler", "").strip(),
        schedule=(settings.get("Schedule type") or settings.get("Scheduler", "")).strip(),
        cfg=real(settings.get("CFG scale")),
        seed=whole(settings.get("Seed")),
        width=width,
        height=height,
        clip_skip=whole(settings.get("Clip skip")),
        denoising=real(settings.get("Denoising strength")),
        version=settings.get("Version", "").strip(),
        needs=called(text, parts, chunk),
        chunk=chunk,
    )


def _size(value: str) -> tuple[int | None, int | None]:
    found = _SIZE.fullmatch(value.strip())
    return (int(found[1]), int(found[2])) if found else (None, None)


def _tool(settings: dict[str, str]) -> Tool:
    """The program, told by what it signs with or by keys that only it writes."""
    version, app = settings.get("Version", "").strip(), settings.get("App", "").strip()
    if "ComfyUI" in (version, settings.get("Tool", "").strip()):
        return Tool.COMFYUI
    if version.startswith("Fooocus"):
        return Tool.FOOOCUS
    if app == "SD.Next" or any(key in settings for key in _SDNEXT_KEYS):
        return Tool.SDNEXT
    if _FORGE.match(version):
        return Tool.FORGE
    if not version and any(key in settings for key in _CIVITAI_KEYS):
        return Tool.CIVITAI
    return Tool.A1111
