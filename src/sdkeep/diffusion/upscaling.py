"""Upscalers by AUTOMATIC1111's names: those that stretch latents, those that stretch pixels, and networks.

Source of the conventions: AUTOMATIC1111 `modules/shared_items.py`, `modules/upscaler.py`, `modules/images.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image
from torch import Tensor
from torch.nn import functional

from sdkeep.diffusion.jobs import Size
from sdkeep.ground.errors import NotFoundHere

Enlarge = Callable[[Image.Image, float], Image.Image]
"""`(picture, scale) -> picture`; a network may give another size than was asked, and is asked up to three times."""

_TIMES = 3


@dataclass(frozen=True, slots=True)
class LatentMode:
    """How torch interpolates a latent."""

    mode: str
    antialias: bool = False


LATENT_MODES: Mapping[str, LatentMode] = {
    "Latent": LatentMode("bilinear"),
    "Latent (antialiased)": LatentMode("bilinear", antialias=True),
    "Latent (bicubic)": LatentMode("bicubic"),
    "Latent (bicubic antialiased)": LatentMode("bicubic", antialias=True),
    "Latent (nearest)": LatentMode("nearest"),
    "Latent (nearest-exact)": LatentMode("nearest-exact"),
}


def _scaled(picture: Image.Image, scale: float, how: Image.Resampling) -> Image.Image:
    return picture.resize((int(picture.width * scale), int(picture.height * scale)), how)


def _unchanged(picture: Image.Image, _scale: float) -> Image.Image:
    return picture


PIXEL_MODES: Mapping[str, Enlarge] = {
    "None": _unchanged,
    "Lanczos": lambda picture, scale: _scaled(picture, scale, Image.Resampling.LANCZOS),
    "Nearest": lambda picture, scale: _scaled(picture, scale, Image.Resampling.NEAREST),
}


@dataclass(frozen=True, slots=True)
class Upscaler:
    """One of the two is set."""

    name: str
    latent: LatentMode | None = None
    enlarge: Enlarge | None = None

    def latents(self, x: Tensor, height: int, width: int) -> Tensor:
        """Latents (b, c, h, w) at another height and width."""
        mode = self.latent or LATENT_MODES["Latent"]
        stretched: Tensor = functional.interpolate(x, (height, width), mode=mode.mode, antialias=mode.antialias)
        return stretched

    def picture(self, picture: Image.Image, size: Size) -> Image.Image:
        """The picture at `size`: enlarged until it is no smaller, then brought to it by Lanczos."""
        scale = max(size[0] / picture.width, size[1] / picture.height)
        if scale > 1 and self.enlarge:
            picture = _enlarged(picture, scale, self.enlarge)
        return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _enlarged(picture: Image.Image, scale: float, enlarge: Enlarge) -> Image.Image:
    width, height = (int(side * scale) // 8 * 8 for side in picture.size)
    for _ in range(_TIMES):
        before = picture.size
        if picture.width >= width and picture.height >= height:
            break
        picture = enlarge(picture, scale)
        if picture.size == before:
            break
    return picture if picture.size == (width, height) else picture.resize((width, height), Image.Resampling.LANCZOS)


def upscaler(name: str, others: Mapping[str, Enlarge] | None = None) -> Upscaler:
    """Find one by name, in any case; `others` are networks that were opened.

    Raises `NotFoundHere` with the nearest names.
    """
    pixels = {**PIXEL_MODES, **(others or {})}
    plain = name.strip().casefold()
    for known, mode in LATENT_MODES.items():
        if plain == known.casefold():
            return Upscaler(known, latent=mode)
    for known, enlarge in pixels.items():
        if plain == known.casefold():
            return Upscaler(known, enlarge=enlarge)
    near = built_in_near(plain)
    raise NotFoundHere(
        f"there is no upscaler `{name}`",
        "the nearest are " + ", ".join(f"`{one}`" for one in near)
        if near
        else f"known are {', '.join([*LATENT_MODES, *pixels])}",
        f'`--hires-upscaler "{(near or ["Latent"])[0]}"`',
    )


def is_built_in(name: str) -> bool:
    """Whether an upscaler needs no file."""
    return name.strip().casefold() in {known.casefold() for known in (*LATENT_MODES, *PIXEL_MODES)}


def built_in_near(name: str) -> list[str]:
    """Built-in upscalers whose names come near one that is misspelt; none for what looks like a network's."""
    plain = name.strip().casefold()
    if any(mark in plain for mark in _NETWORKS):
        return []
    folded = {known.casefold(): known for known in (*LATENT_MODES, *PIXEL_MODES)}
    return [folded[word] for word in difflib.get_close_matches(plain, list(folded), n=3, cutoff=0.6)]


_NETWORKS = ("gan", "swinir", "ldsr", "scunet", "sharp", "dat x", "hat", "4x", "2x", "8x", "remacri", ".pth")
"""Parts of names that networks have."""
