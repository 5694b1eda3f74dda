"""Between Pillow's pictures and tensors, and pictures brought to another size.

Source of the conventions: AUTOMATIC1111 `modules/images.py` (`resize_image`), `modules/processing.py`.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sdkeep.diffusion.jobs import ResizeMode, Size

LANCZOS = Image.Resampling.LANCZOS


def to_pixels(picture: Image.Image) -> Tensor:
    """Pixels (1, 3, h, w), float32, between -1 and 1."""
    values = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(values).permute(2, 0, 1)[None] * 2 - 1


def to_picture(pixels: Tensor) -> Image.Image:
    """The picture of pixels (3, h, w) between -1 and 1; what lies outside is cut off, fractions are dropped."""
    values = ((pixels.float() + 1) / 2).clamp(0, 1).cpu().numpy()
    return Image.fromarray((255.0 * np.moveaxis(values, 0, 2)).astype(np.uint8))


def flattened(picture: Image.Image, background: str = "#ffffff") -> Image.Image:
    """The picture in colours alone, what is transparent in front of a background."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    behind = Image.new("RGBA", picture.size, background)
    behind.alpha_composite(picture.convert("RGBA"))
    return behind.convert("RGB")


def resized(picture: Image.Image, size: Size, mode: ResizeMode) -> Image.Image:
    """The picture at `size`, by Lanczos; `LATENT` leaves it as it is, for its latents are resized."""
    if mode is ResizeMode.LATENT:
        return picture
    if mode is ResizeMode.RESIZE:
        return picture if picture.size == size else picture.resize(size, LANCZOS)
    inner = _fitted(picture.size, size, cover=mode is ResizeMode.CROP)
    small = picture.resize(inner, LANCZOS)
    whole = Image.new(picture.mode, size)
    left, top = size[0] // 2 - inner[0] // 2, size[1] // 2 - inner[1] // 2
    whole.paste(small, (left, top))
    if mode is ResizeMode.FILL:
        _stretch_edges(whole, small, left, top)
    return whole


def _fitted(old: Size, new: Size, *, cover: bool) -> Size:
    """The size that has `old`'s shape and covers `new`, or fits into it."""
    shape, old_shape = new[0] / new[1], old[0] / old[1]
    full_width = shape > old_shape if cover else shape < old_shape
    if full_width:
        return new[0], max(old[1] * new[0] // old[0], 1)
    return max(old[0] * new[1] // old[1], 1), new[1]


def _stretch_edges(whole: Image.Image, small: Image.Image, left: int, top: int) -> None:
    """Fill the bars around `small` with its outermost pixels."""
    width, height = small.size
    below, beyond = whole.height - top - height, whole.width - left - width
    if top > 0:
        whole.paste(small.crop((0, 0, width, 1)).resize((width, top)), (left, 0))
    if below > 0:
        whole.paste(small.crop((0, height - 1, width, height)).resize((width, below)), (left, top + height))
    if left > 0:
        whole.paste(small.crop((0, 0, 1, height)).resize((left, height)), (0, top))
    if beyond > 0:
        whole.paste(small.crop((width - 1, 0, width, height)).resize((beyond, height)), (left + width, top))
