"""What inpainting and instruct-pix2pix networks are given beside the noisy latent.

Sources: Rombach et al. 2022 (arXiv:2112.10752), Brooks et al. 2022 (arXiv:2211.09800); AUTOMATIC1111
`modules/processing.py` (`inpainting_image_conditioning`, `edit_image_conditioning`, `txt2img_image_conditioning`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.networks.config import Variant


def for_noise(model: Model, shape: tuple[int, int, int]) -> Tensor | None:
    """Extra channels (1, k, h, w) for latents of `shape` that are made of nothing: all is masked, nothing is seen."""
    channels, height, width = shape
    match model.config.variant:
        case Variant.INPAINTING:
            factor = model.vae.config.factor
            grey = torch.zeros(1, 3, height * factor, width * factor)
            return torch.cat([torch.ones(1, 1, height, width), model.to_latents(grey).cpu()], dim=1)
        case Variant.PIX2PIX:
            return torch.zeros(1, channels, height, width)
    return None


def for_picture(
    model: Model, pixels: Tensor, covered: Tensor | None, weight: float, size: tuple[int, int]
) -> Tensor | None:
    """Extra channels (1, k, *size) for a picture (1, 3, h, w); `covered` (1, 1, h, w) is 1 where it may change.

    `weight` is how much an inpainting network is kept from seeing what is covered; without a mask all of it is.
    Instruct-pix2pix sees the picture's latents unscaled, as it was trained.
    """
    match model.config.variant:
        case Variant.INPAINTING:
            mask = torch.ones(1, 1, *pixels.shape[-2:]) if covered is None else covered.to(pixels)
            mask = functional.interpolate(mask, pixels.shape[-2:])
            seen = torch.lerp(pixels, pixels * (1 - mask), weight)
            latents = _at(model.to_latents(seen).cpu(), size)
            return torch.cat([functional.interpolate(mask, size), latents], dim=1)
        case Variant.PIX2PIX:
            return _at(model.to_latents(pixels).cpu() / model.config.scale, size)
    return None


def _at(latents: Tensor, size: tuple[int, int]) -> Tensor:
    """Latents at a size, for a picture that is resized as a latent."""
    if latents.shape[-2:] == size:
        return latents
    return functional.interpolate(latents, size, mode="bilinear")
