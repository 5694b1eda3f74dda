"""Inpainting before and after sampling: the mask made ready, what lies beneath it filled, the original laid on top.

Source of the conventions: AUTOMATIC1111 `modules/processing.py` (`StableDiffusionProcessingImg2Img.init`,
`apply_overlay`), `modules/masking.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor

from sdkeep.diffusion.jobs import Inpaint, MaskedContent, ResizeMode, Size, Start
from sdkeep.diffusion.pictures import flattened, resized
from sdkeep.ground.errors import UsageError

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels; right and bottom are the first outside."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A picture to begin from, at the size of the job.

    `mask` is white where it may change. `overlay` is the original with a hole there, at the size of the finished
    picture; `box` is where in it the part that was worked on belongs, None for all of it.
    """

    picture: Image.Image
    mask: Image.Image | None = None
    overlay: Image.Image | None = None
    box: Box | None = None

    def finished(self, made: Image.Image) -> Image.Image:
        """The picture that was made, behind the overlay."""
        if self.overlay is None:
            return made
        whole = made
        if self.box:
            left, top, right, bottom = self.box
            whole = Image.new("RGBA", self.overlay.size)
            whole.paste(resized(made, (right - left, bottom - top), ResizeMode.CROP), (left, top))
        whole = whole.convert("RGBA")
        whole.alpha_composite(self.overlay)
        return whole.convert("RGB")

    def free(self, height: int, width: int) -> Tensor | None:
        """What may change of a latent, (1, 1, h, w) of zeros and ones."""
        if self.mask is None:
            return None
        small = self.mask.convert("RGB").resize((width, height))  # bicubic, as Pillow does unless told otherwise
        return torch.from_numpy(np.around(np.asarray(small, dtype=np.float32)[..., 0] / 255))[None, None]

    def covered(self) -> Tensor | None:
        """What may change of the pixels, (1, 1, h, w) of zeros and ones."""
        if self.mask is None:
            return None
        return torch.from_numpy(np.around(np.asarray(self.mask.convert("L"), dtype=np.float32) / 255))[None, None]


def prepared(start: Start, size: Size) -> Prepared:
    """The picture and its mask, ready for a job of `size`; raises `UsageError` for an empty mask."""
    picture = flattened(start.picture)
    if start.inpaint is None:
        return Prepared(resized(picture, size, start.resize))
    mask = _mask(start.inpaint, picture.size)
    if start.inpaint.only_masked:
        return _only_masked(picture, mask, start.inpaint, size)
    shown = ResizeMode.RESIZE if start.resize is ResizeMode.LATENT else start.resize
    small_mask = resized(mask, size, shown)
    hole = small_mask.point(lambda value: min(value * 2, 255))
    overlay = _around(resized(picture, size, shown), hole)
    filled = _content(resized(picture, size, start.resize), resized(mask, size, start.resize), start.inpaint)
    return Prepared(filled, small_mask, overlay)


def _only_masked(picture: Image.Image, mask: Image.Image, how: Inpaint, size: Size) -> Prepared:
    box = _crop(mask, how.padding, size)
    part = resized(picture.crop(box), size, ResizeMode.FILL)
    part_mask = resized(mask.crop(box), size, ResizeMode.FILL)
    return Prepared(_content(part, part_mask, how), part_mask, _around(picture, mask), box)


def _mask(how: Inpaint, size: Size) -> Image.Image:
    """The mask as grey levels at the picture's size, blurred."""
    mask = _binary(how.mask)
    if mask.size != size:
        mask = mask.resize(size, Image.Resampling.BILINEAR)
    if how.invert:
        mask = ImageOps.invert(mask)
    if mask.getbbox() is None:
        raise UsageError(
            "there is nothing to paint: the mask is empty",
            "what may change is white in a mask, or drawn on a transparent one",
            "`--invert-mask` changes the other part",
        )
    return blurred(mask, how.blur)


def _binary(mask: Image.Image) -> Image.Image:
    """Grey levels, from the transparency where there is any."""
    if mask.mode == "RGBA" and mask.getchannel("A").getextrema() != (255, 255):
        return mask.getchannel("A").point(lambda value: 255 if value > 128 else 0)
    return mask.convert("L")


def blurred(mask: Image.Image, deviation: int) -> Image.Image:
    """Gaussian blur of so many pixels, cut off at 2.5 deviations; edges are mirrored, as OpenCV does."""
    if deviation <= 0:
        return mask
    reach = int(2.5 * deviation + 0.5)
    places = np.arange(-reach, reach + 1)
    weights = np.exp(-(places**2) / (2 * deviation**2))
    values = np.asarray(mask, dtype=np.float64)
    for axis in (1, 0):
        values = np.around(_convolved(values, weights / weights.sum(), axis))
    return Image.fromarray(values.astype(np.uint8))


def _convolved(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    reach = len(weights) // 2
    around = [(reach, reach) if place == axis else (0, 0) for place in (0, 1)]
    wide = np.pad(values, around, mode="reflect" if values.shape[axis] > 1 else "edge")
    length = values.shape[axis]
    total = np.zeros_like(values)
    for place, weight in enumerate(weights):
        total += weight * np.take(wide, range(place, place + length), axis=axis)
    return total


def _crop(mask: Image.Image, padding: int, size: Size) -> Box:
    """The masked part with its padding, widened to the shape of `size` as far as the picture goes."""
    box = mask.getbbox() or (0, 0, *mask.size)
    left, top = max(box[0] - padding, 0), max(box[1] - padding, 0)
    right, bottom = min(box[2] + padding, mask.width), min(box[3] + padding, mask.height)
    shape = size[0] / size[1]
    if (right - left) / (bottom - top) > shape:
        top, bottom = _widened(top, bottom, int((right - left) / shape), mask.height)
    else:
        left, right = _widened(left, right, int((bottom - top) * shape), mask.width)
    return left, top, right, bottom


def _widened(first: int, last: int, length: int, room: int) -> tuple[int, int]:
    """A stretch of `length` around another, moved inwards at the borders, at most all of the room."""
    more = length - (last - first)
    first, last = first - more // 2, last + more - more // 2
    if last >= room:
        first, last = first - (last - room), room
    if first < 0:
        first, last = 0, last - first
    return first, min(last, room)


def _around(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture, transparent where the mask is white."""
    left = Image.new("RGBa", picture.size)
    left.paste(picture.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask))
    return left.convert("RGBA")


_FILLS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
"""Radius of a blur, and how often it is laid over what was there."""


def _content(picture: Image.Image, mask: Image.Image, how: Inpaint) -> Image.Image:
    """What the masked part begins as; noise and nothing are laid over the fill as latents."""
    if how.content is MaskedContent.ORIGINAL:
        return picture
    rest = _around(picture, mask).convert("RGBa")
    filled = Image.new("RGBA", picture.size)
    for radius, times in _FILLS:
        blur = rest.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            filled.alpha_composite(blur)
    return filled.convert("RGB")
