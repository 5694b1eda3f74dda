"""Where a picture's noise comes from: its seed, drawn on the processor or as an NVIDIA card would, variations.

Brownian paths.

Source of the conventions: AUTOMATIC1111 `modules/rng.py`. Every picture of a batch has generators of its own, so that
a picture does not depend on the company it was made in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import torch
from torch import Tensor

from sdkeep.diffusion.sampling.brownian import Path
from sdkeep.diffusion.sampling.philox import Philox
from sdkeep.diffusion.sampling.run import Noise


class Rng(StrEnum):
    """Who draws. `nv` gives what seeds of pictures made on NVIDIA cards mean, as close as arithmetic allows."""

    CPU = "CPU"
    NV = "NV"


class _Stream:
    """Numbers for one seed, drawn one tensor after the other."""

    def __init__(self, rng: Rng, seed: int) -> None:
        self._philox = Philox(seed) if rng is Rng.NV else None
        self._torch = torch.Generator("cpu").manual_seed(seed & 0xFFFFFFFFFFFFFFFF)

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Mean 0, deviation 1, float32."""
        if self._philox is not None:
            return torch.from_numpy(self._philox.normal(shape))
        return torch.randn(shape, generator=self._torch, dtype=torch.float32)


def draw(rng: Rng, seed: int, shape: tuple[int, ...]) -> Tensor:
    """The first tensor of a seed."""
    return _Stream(rng, seed).normal(shape)


@dataclass(frozen=True, slots=True)
class Seeds:
    """What decides the noise of a batch.

    `variation` mixes a share of other seeds' noise in; `resize_from` is the (height, width) in pixels that the seed's
    composition was made for; `delta` (ENSD) is added to the seeds of the noise that samplers add on the way.
    """

    seeds: tuple[int, ...]
    variations: tuple[int, ...] = ()
    variation: float = 0.0
    resize_from: tuple[int, int] = (0, 0)
    delta: int = 0
    rng: Rng = Rng.CPU


@dataclass(slots=True)
class PictureNoise:
    """The noise of a batch of pictures; `shape` is one latent's, (channels, height, width)."""

    shape: tuple[int, int, int]
    seeds: Seeds
    _streams: list[_Stream] = field(init=False)

    def __post_init__(self) -> None:
        """One stream for each picture."""
        self._streams = [_Stream(self.seeds.rng, seed) for seed in self.seeds.seeds]

    def first(self) -> Tensor:
        """(batch, channels, height, width): what the pictures start from."""
        noise = torch.stack([self._first(place) for place in range(len(self._streams))])
        if self.seeds.delta:
            self._streams = [_Stream(self.seeds.rng, seed + self.seeds.delta) for seed in self.seeds.seeds]
        return noise

    def _first(self, place: int) -> Tensor:
        seeds, stream = self.seeds, self._streams[place]
        height, width = (side // 8 for side in seeds.resize_from)
        shape = (self.shape[0], height, width) if height > 0 and width > 0 else self.shape
        noise = stream.normal(self.shape) if shape == self.shape else draw(seeds.rng, seeds.seeds[place], shape)
        if seeds.variation and seeds.variations:
            other = seeds.variations[place] if place < len(seeds.variations) else 0
            noise = slerp(seeds.variation, noise, draw(seeds.rng, other, shape))
        return noise if shape == self.shape else _centred(noise, stream.normal(self.shape))

    def more(self) -> Tensor:
        """Fresh noise for the batch."""
        return torch.stack([stream.normal(self.shape) for stream in self._streams])

    def along(self, _sigma: Tensor, _following: Tensor) -> Tensor:
        """`more`, in the form that samplers ask for."""
        return self.more()


def slerp(share: float, low: Tensor, high: Tensor) -> Tensor:
    """From `low` to `high` along the sphere, for each row apart; almost parallel ones are mixed straight."""
    cosine = (low / low.norm(dim=1, keepdim=True) * (high / high.norm(dim=1, keepdim=True))).sum(1)
    if cosine.mean() > 0.9995:
        return low * share + high * (1 - share)
    angle = torch.acos(cosine)
    sine = torch.sin(angle)
    first, second = torch.sin((1 - share) * angle) / sine, torch.sin(share * angle) / sine
    return first.unsqueeze(1) * low + second.unsqueeze(1) * high


def _centred(inner: Tensor, outer: Tensor) -> Tensor:
    """`outer` with `inner` over its middle, or as much of it as there is room for."""
    result = outer.clone()
    (top, from_top, height), (left, from_left, width) = (
        _overlap(outer.shape[axis], inner.shape[axis]) for axis in (1, 2)
    )
    part = inner[:, from_top : from_top + height, from_left : from_left + width]
    result[:, top : top + height, left : left + width] = part
    return result


def _overlap(room: int, length: int) -> tuple[int, int, int]:
    """Where the middle of `length` goes in `room`, where it is taken from, and how much of it."""
    gap = (room - length) // 2
    return max(gap, 0), max(-gap, 0), length if gap >= 0 else length + 2 * gap


def brownian(shape: tuple[int, ...], sigmas: Tensor, seeds: Sequence[int], rng: Rng) -> Noise:
    """Noise for SDE samplers: a path over all levels but 0 for each picture, the same whatever the steps between."""
    least, greatest = float(sigmas[sigmas > 0].min()), float(sigmas.max())
    paths = [Path(least, greatest, seed, lambda own: draw(rng, own, shape)) for seed in seeds]

    def noise(sigma: Tensor, following: Tensor) -> Tensor:
        low, high = sorted((float(sigma), float(following)))
        increments = torch.stack([path.between(low, high) for path in paths])
        sign = 1.0 if sigma < following else -1.0
        return increments * sign / (following - sigma).abs().sqrt()

    return noise
