"""A tiny ESRGAN in the layout of the files that people share: one block, eight channels, four times as large."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

Shape = tuple[int, int]
WIDTH, GROWTH = 8, 32


def esrgan() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    found = {}
    for name, (made, given) in _convolutions():
        found[f"{name}.weight"] = torch.randn(made, given, 3, 3, generator=draw) / (given * 9) ** 0.5
        found[f"{name}.bias"] = torch.zeros(made)
    return found


def _convolutions() -> Iterator[tuple[str, Shape]]:
    yield "model.0", (WIDTH, 3)
    for dense in (1, 2, 3):
        for place in range(1, 6):
            made = GROWTH if place < 5 else WIDTH
            yield f"model.1.sub.0.RDB{dense}.conv{place}.0", (made, WIDTH + GROWTH * (place - 1))
    yield "model.1.sub.1", (WIDTH, WIDTH)
    for name in ("model.3", "model.6", "model.8"):
        yield name, (WIDTH, WIDTH)
    yield "model.10", (3, WIDTH)
