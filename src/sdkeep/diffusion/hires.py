"""The second pass of hires fix: how large it is, and the first pass's pictures brought to that size.

Source of the conventions: AUTOMATIC1111 `modules/processing.py` (`calculate_target_resolution`, `sample_hr_pass`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.jobs import Hires, Size
from sdkeep.diffusion.pictures import to_picture, to_pixels
from sdkeep.diffusion.upscaling import Upscaler


@dataclass(frozen=True, slots=True)
class Target:
    """What pictures are stretched to, and how many latents of width and height are cut off then."""

    size: Size
    cut: Size = (0, 0)

    def cropped(self, latents: Tensor) -> Tensor:
        """The middle of latents (b, c, h, w)."""
        across, down = self.cut
        height, width = latents.shape[-2:]
        return latents[..., down // 2 : height - (down + 1) // 2, across // 2 : width - (across + 1) // 2]


def target(size: Size, hires: Hires, factor: int = 8) -> Target:
    """The size of the second pass of pictures of `size`: a side of 0 follows the other, and a shape is kept by cutting.

    `factor` is how many pixels a latent stands for.
    """
    width, height = size
    wanted_width, wanted_height = hires.size
    if not (wanted_width or wanted_height):
        return Target((int(width * hires.scale), int(height * hires.scale)))
    by_width = (wanted_width, wanted_width * height // width)
    by_height = (wanted_height * width // height, wanted_height)
    if not wanted_height:
        return Target(by_width)
    if not wanted_width:
        return Target(by_height)
    stretched = by_width if width / height < wanted_width / wanted_height else by_height
    cut = (stretched[0] - wanted_width) // factor, (stretched[1] - wanted_height) // factor
    return Target(stretched, cut)


def enlarged(model: Model, latents: Tensor, goal: Target, upscaler: Upscaler, tile: int = 0) -> Tensor:
    """The first pass's latents at the size of the second; a pixel upscaler goes by way of the autoencoder."""
    factor = model.vae.config.factor
    width, height = goal.size
    if upscaler.latent:
        return goal.cropped(upscaler.latents(latents, height // factor, width // factor))
    found = []
    for latent in latents:
        picture = to_picture(model.to_pixels(latent[None], tile=tile)[0])
        found.append(model.to_latents(to_pixels(upscaler.picture(picture, goal.size)), tile=tile).cpu())
    return goal.cropped(torch.cat(found))
