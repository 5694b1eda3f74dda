"""Which device, number format, memory and threads to work with, by the words that people use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sdkeep.diffusion.assembly import Memory
from sdkeep.diffusion.checkpoint import Model
from sdkeep.ground.errors import UsageError

_FORMATS = {
    "fp32": torch.float32, "float32": torch.float32, "fp16": torch.float16, "float16": torch.float16,
    "half": torch.float16, "bf16": torch.bfloat16, "bfloat16": torch.bfloat16,
}  # fmt: skip


def device_called(word: str) -> str:
    """The device of that name as it stands; for no name the quickest that torch finds here."""
    if word:
        return word
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def format_called(word: str) -> torch.dtype | None:
    """The number format of that name; None, which means a suitable one, for no name. Raises `UsageError`."""
    if word and word.lower() not in _FORMATS:
        raise UsageError(f"`{word}` is no format to work in", "known are fp32, fp16, bf16", "`--dtype fp32`")
    return _FORMATS[word.lower()] if word else None


def memory_called(device: str, *, low: bool) -> Memory:
    """What is kept where; with `low` a network at a time on a graphics processor, a layer at a time elsewhere."""
    if not low:
        return Memory.FULL
    return Memory.LAYERS if device.startswith("cpu") else Memory.PARTS


_WORTH_THREADS = 1e9
"""Weights times latents below which threads wait for each other longer than they work."""


@contextmanager
def suitable_threads(model: Model, size: tuple[int, int]) -> Iterator[None]:
    """One thread for pictures that are too small to share out, on the processor; as many as there were otherwise."""
    before = torch.get_num_threads()
    weights = sum(weight.numel() for weight in model.unet.parameters())
    if model.device.type == "cpu" and weights * size[0] * size[1] / 64 < _WORTH_THREADS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
