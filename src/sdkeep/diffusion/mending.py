"""When arithmetic or memory fails: which weights are to blame, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.jobs import Size
from sdkeep.diffusion.networks.config import VAE
from sdkeep.ground.errors import FormatError, UsageError


def check_latents(model: Model, latents: Tensor) -> None:
    """Raise `FormatError` (rule `nan-picture`) when the denoiser gave NaN."""
    if latents.isnan().any():
        raise _broken(model, "denoiser")


def decoded(model: Model, latents: Tensor, tile: int = 0) -> Tensor:
    """Pixels of latents; raises `FormatError` when they are NaN even in float32, which the model tries by itself."""
    pixels = model.to_pixels(latents, tile=tile)
    if pixels.isnan().any():
        raise _broken(model, "autoencoder")
    return pixels


def _broken(model: Model, part: str) -> FormatError:
    keys = [key for key in model.broken_weights() if key.startswith(VAE) == (part == "autoencoder")]
    half = model.dtype is not torch.float32
    if keys:
        more = f" and {len(keys) - 1:,} more" if len(keys) > 1 else ""
        why, then = f"`{keys[0]}`{more} holds NaN or infinity", "download the model again, or name another"
        if part == "autoencoder":
            then = "name another autoencoder with `--vae FILE`"
    elif half:
        why, then = f"numbers left the range of half precision in the {part}", "`--dtype fp32`"
    else:
        why, then = f"no weight is broken, but the {part} answers NaN", "lower `--cfg`, or choose another `--sampler`"
    return FormatError("no picture came out: it is nothing but NaN", why, then, rule="nan-picture")


@contextmanager
def explained(model: Model, size: Size) -> Iterator[None]:
    """Turn running out of memory into a `UsageError` that says what would need less."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise _too_large(model, size) from error
    except RuntimeError as error:
        if "not enough memory" not in str(error) and "out of memory" not in str(error):
            raise
        raise _too_large(model, size) from error


def _too_large(model: Model, size: Size) -> UsageError:
    return UsageError(
        f"there is not enough memory for a picture of {size[0]}x{size[1]}",
        f"`{model.device}` has none left",
        "lower `--batch`, or pass `--low-memory`, `--vae-tile 512` or a smaller `--size`",
    )
