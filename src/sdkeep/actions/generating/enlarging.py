"""The networks that enlarge pictures for hires fix: their files, by the names that WebUIs show or by any reference."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sdkeep.actions.generating.adapters import Adapters, Found
from sdkeep.actions.house import House
from sdkeep.formats.identify import identify
from sdkeep.formats.look import look
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import BadReference, FormatError, NotFoundHere
from sdkeep.ground.kinds import Kind
from sdkeep.ground.ref import PathRef, WordRef, parse
from sdkeep.ground.text import one_line

UPSCALER = "upscaler"
_SHOWN = {
    "r-esrgan 4x+": "RealESRGAN_x4plus", "r-esrgan 4x+ anime6b": "RealESRGAN_x4plus_anime_6B",
    "r-esrgan 2x+": "RealESRGAN_x2plus", "r-esrgan general 4xv3": "realesr-general-x4v3",
    "r-esrgan general wdn 4xv3": "realesr-general-wdn-x4v3", "r-esrgan animevideo": "realesr-animevideov3",
    "scunet": "ScuNET", "scunet gan": "ScuNET", "scunet psnr": "scunet_color_real_psnr",
    "dat x2": "DAT_x2", "dat x3": "DAT_x3", "dat x4": "DAT_x4", "swinir 4x": "SwinIR_4x", "swinir_4x": "SwinIR_4x",
}  # fmt: skip
"""Names that AUTOMATIC1111 shows for files it fetches itself, and the stems of those files."""


def enlarging(house: House, adapters: Adapters, names: Iterable[str], *, dry_run: bool = False) -> dict[str, Found]:
    """The file of each upscaler that is not built in; raises `NotFoundHere`, or `UsageError` without spandrel."""
    from sdkeep.diffusion.upscaler_networks import check_package
    from sdkeep.diffusion.upscaling import is_built_in

    found: dict[str, Found] = {}
    for name in dict.fromkeys(names):
        if not is_built_in(name):
            found[name] = _found(house, adapters, name, dry_run)
            check_package(found[name].name)
            _check_kind(found[name])
    return found


def _found(house: House, adapters: Adapters, name: str, dry_run: bool) -> Found:
    if Path(name).is_file():
        return Found(Path(name).stem, Path(name))
    try:
        reference = parse(name)
    except BadReference:
        reference = WordRef(name)
    if isinstance(reference, PathRef):
        raise NotFoundHere(f"there is no file `{name}`", "nothing has this path", "check the spelling")
    if not isinstance(reference, WordRef):
        from sdkeep.actions.ingredients import located

        one = located(house, [name], dry_run=dry_run)[0]
        return Found(Path(one.name).stem, one.path, one.artifact)
    return _named(adapters, name)


def _named(adapters: Adapters, name: str) -> Found:
    """By the stem of its file, or by what a WebUI shows for it."""
    stem = _SHOWN.get(name.strip().casefold(), name)
    try:
        return adapters.called(UPSCALER, stem)
    except NotFoundHere as error:
        from sdkeep.diffusion.upscaling import built_in_near

        what, near = f"there is no upscaler `{one_line(name, 80)}` here", built_in_near(name)
        if near:
            listed = ", ".join(f"`{one}`" for one in near)
            raise NotFoundHere(what, f"the nearest are {listed}", f'`--hires-upscaler "{near[0]}"`') from error
        why = error.why if stem == name else f"its file is called `{stem}`"
        built = "latent modes, `Lanczos` and `Nearest` are built in, and every other is a file"
        raise NotFoundHere(what, f"{built}; {why}", error.next) from error


def _check_kind(one: Found) -> None:
    with FileSource(one.path) as source:
        kind = identify(look(source)).kind
    if kind not in (Kind.UPSCALER, Kind.UNKNOWN):
        raise FormatError(
            f"`{one.name}` is no upscaler", f"its structure is that of: {kind}",
            "`sdkeep ls --kind upscaler` lists what is here", rule="no-upscaler",
        )  # fmt: skip
