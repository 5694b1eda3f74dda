"""The autoencoder piece by piece, for pictures larger than the memory at hand.

Pieces overlap, and what they say of the same pixel is blended by how far it lies inside each. The result is not quite
that of a whole pass, whose norms and attention see all of the picture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sdkeep.diffusion.networks.vae import Posterior, Vae


def decode_tiled(vae: Vae, latents: Tensor, *, tile: int = 64, overlap: int = 16) -> Tensor:
    """Pixels of latents [b, c, h, w]; `tile` and `overlap` are latents along a side."""
    factor = vae.config.factor
    return blended(latents, (tile, overlap), (factor, 1), vae.config.colours, vae.decode)


def encode_tiled(vae: Vae, pixels: Tensor, *, tile: int = 64, overlap: int = 16) -> Posterior:
    """Latents of pixels [b, c, h, w]; `tile` and `overlap` are latents along a side."""
    factor, channels = vae.config.factor, vae.config.latent

    def encode(piece: Tensor) -> Tensor:
        found = vae.encode(piece)
        return torch.cat([found.mean, found.std], dim=1)  # [b, 2 latent, h, w]

    mean, std = blended(pixels, (tile * factor, overlap * factor), (1, factor), 2 * channels, encode).chunk(2, dim=1)
    return Posterior(mean, std)


def blended(
    x: Tensor, size: tuple[int, int], ratio: tuple[int, int], channels: int, work: Callable[[Tensor], Tensor]
) -> Tensor:
    """Pieces of `x` by `work`, joined; `size` is (tile, overlap) in `x`, `ratio` how sides grow (times, divided by)."""
    tile, overlap = size
    times, divided = ratio
    height, width = (side * times // divided for side in x.shape[-2:])
    total = x.new_zeros(len(x), channels, height, width)
    weight = x.new_zeros(1, 1, height, width)
    for top in _starts(x.shape[-2], tile, overlap):
        for left in _starts(x.shape[-1], tile, overlap):
            piece = work(x[..., top : top + tile, left : left + tile])
            ramp = max(1, overlap * times // divided)
            down, across = _ramp(piece.shape[-2], ramp, piece), _ramp(piece.shape[-1], ramp, piece)
            mask = down[:, None] * across  # [h, w]
            y, z = top * times // divided, left * times // divided
            total[..., y : y + piece.shape[-2], z : z + piece.shape[-1]] += piece * mask
            weight[..., y : y + piece.shape[-2], z : z + piece.shape[-1]] += mask
    return total / weight


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where pieces begin; the last is moved back so that it is whole."""
    if length <= tile:
        return [0]
    step = tile - overlap
    return [min(start, length - tile) for start in range(0, length - overlap, step)]


def _ramp(length: int, ramp: int, like: Tensor) -> Tensor:
    """Weights [length] that rise over `ramp` pixels from either end."""
    inside = torch.arange(1, length + 1, dtype=like.dtype, device=like.device)
    return torch.minimum(inside, inside.flip(0)).clamp(max=ramp) / ramp
