"""What cannot be computed, or came out broken: why, and what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.jobs import Job, Size
from sdkeep.diffusion.networks.config import VAE, Prediction
from sdkeep.diffusion.sampling.registry import choose
from sdkeep.ground.errors import FormatError, StoreError, UsageError


def check_prediction(model: Model, job: Job) -> None:
    """Raise where the model's prediction is unknown (`FormatError`), or the sampler cannot use it (`UsageError`)."""
    if model.config.prediction is Prediction.EDM_V:
        raise FormatError(
            "pictures cannot be made with this checkpoint",
            "it predicts velocity over EDM's levels (CosXL), which is not supported",
            "name another with `--model REF`",
            rule="unsupported-prediction",
        )
    chosen = [choose(job.sampler, job.schedule)]
    if job.hires:
        chosen.append(choose(job.hires.sampler or job.sampler, job.hires.schedule or job.schedule))
    for one in chosen:
        walks = one.sampler.stepped is not None or one.sampler.name == "LCM"
        if model.config.prediction is Prediction.EDM and walks:
            raise UsageError(
                f"`{one.sampler.name}` cannot be used with this checkpoint",
                "it walks timesteps, and an EDM model (Playground 2.5) has none",
                '`--sampler "DPM++ 2M"`',
            )


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
    except (MemoryError, RuntimeError, OSError) as error:
        if not ran_out(error):
            raise
        raise _too_large(model, size) from error


_RAN_OUT = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory", "unable to mmap")


def ran_out(error: BaseException | None) -> bool:
    """Whether an error means that there was no more memory; torch says it in several ways."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return any(words in str(error).lower() for words in _RAN_OUT)


@contextmanager
def opening(name: str) -> Iterator[None]:
    """The same while the model `name` is opened."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError, StoreError) as error:
        if not ran_out(error) and not (isinstance(error, StoreError) and ran_out(error.__cause__)):
            raise
        raise UsageError(
            f"there is not enough memory to open `{name}`", "its weights do not fit into what is left",
            "close other programs, pass `--low-memory`, or name a smaller model",
        ) from error  # fmt: skip


def _too_large(model: Model, size: Size) -> UsageError:
    return UsageError(
        f"there is not enough memory for a picture of {size[0]}x{size[1]}",
        f"`{model.device}` has none left",
        "lower `--batch`, or pass `--low-memory`, `--vae-tile 512` or a smaller `--size`",
    )
