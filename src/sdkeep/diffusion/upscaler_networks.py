"""Networks that enlarge pictures (ESRGAN and its kin), by way of spandrel, which is an extra of its own."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from PIL import Image
from torch import Tensor

from sdkeep.diffusion.adapters.opened import Opened
from sdkeep.diffusion.pictures import to_picture, to_pixels
from sdkeep.diffusion.tiles import blended
from sdkeep.diffusion.upscaling import Enlarge
from sdkeep.ground.errors import FormatError, UsageError

TILE, OVERLAP = 192, 8
"""In pixels of the picture before, as AUTOMATIC1111 sets them for ESRGAN."""

_WRAPPERS = ("params_ema.", "params-ema.", "params.", "state_dict.", "model_state_dict.", "module.")


def check_package(name: str) -> None:
    """Raise `UsageError` where spandrel is not installed; `name` is that of the upscaler."""
    if importlib.util.find_spec("spandrel") is None:
        raise UsageError(
            f"`{name}` is a network, and those need a package that is not installed",
            "spandrel knows what ESRGAN and its kin look like; `Latent`, `Lanczos` and `Nearest` need none",
            '`pip install "sdkeep[upscale]"`, or `--hires-upscaler Lanczos`',
        )


def open_upscaler(path: Path, device: str = "cpu") -> Enlarge:
    """The network in a file, which is never unpickled: its tensors are copied out and handed over.

    Raises `UsageError` where spandrel is not installed, `FormatError` for a network that it does not know.
    """
    check_package(path.name)
    spandrel = _spandrel()
    with Opened(path) as file:
        weights = unwrapped({name: file.tensor(name).clone() for name in file.shapes})
    try:
        found = spandrel.ModelLoader(device=device).load_from_state_dict(weights)
    except (spandrel.UnsupportedModelError, KeyError, ValueError, RuntimeError) as error:
        raise FormatError(
            f"`{path}` is no upscaler that is known", str(error)[:200], f"sdkeep show '{path}'", rule="no-upscaler"
        ) from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or found.input_channels != 3 or found.output_channels != 3:
        raise FormatError(
            f"`{path}` enlarges no pictures", f"it is {found.architecture.name}", "name another", rule="no-upscaler"
        )
    scale = int(found.scale)

    def answer(pixels: Tensor) -> Tensor:
        enlarged: Tensor = found(pixels.to(device)).float().cpu()
        return enlarged

    return lambda picture, _scale: by_pieces(picture, scale, answer)


def _spandrel() -> ModuleType:
    try:
        return importlib.import_module("spandrel")
    except (ImportError, RuntimeError, OSError) as error:  # torchvision for another torch fails in each of these ways
        raise UsageError(
            "spandrel is installed and cannot be loaded",
            str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
            "install a torchvision that was built for this torch, from the same index: `pip install torchvision`",
        ) from error


def unwrapped(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights without what trainers wrap around their names."""
    for wrapper in _WRAPPERS:
        inner = {name.removeprefix(wrapper): weight for name, weight in weights.items() if name.startswith(wrapper)}
        if inner:
            weights = inner
    return weights


def by_pieces(picture: Image.Image, scale: int, network: Callable[[Tensor], Tensor]) -> Image.Image:
    """A picture enlarged `scale` times by a network of pixels between 0 and 1, piece by piece."""
    pixels = to_pixels(picture) / 2 + 0.5
    with torch.no_grad():
        large = blended(pixels, (TILE, OVERLAP), (scale, 1), 3, network)
    return to_picture(large[0] * 2 - 1)
