"""A rough picture of latents, by one matrix product instead of the autoencoder: what `--preview` shows.

The coefficients are AUTOMATIC1111's "Approx cheap", fitted to the autoencoders of SD 1 and SDXL
(`modules/sd_samplers_common.py`, `modules/sd_vae_approx.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sdkeep.ground.kinds import Family

_SD1 = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
_SDXL = (
    (0.3448, 0.4168, 0.4395), (-0.1953, -0.0290, 0.0250), (0.1074, 0.0886, -0.0163), (-0.3730, -0.2499, -0.2088)
)  # fmt: skip


def rough(latents: Tensor, family: Family, side: int = 64) -> tuple[int, int, bytes]:
    """Width, height and RGB bytes of one picture's latents (4, h, w), at most `side` pixels wide and high."""
    matrix = torch.tensor(_SDXL if family is Family.SDXL else _SD1)  # (4, 3)
    colours = torch.einsum("chw,cr->rhw", latents.detach().float().cpu()[:4], matrix)  # (3, h, w), about -1 to 1
    return packed(colours, side)


def packed(colours: Tensor, side: int = 64) -> tuple[int, int, bytes]:
    """The same of pixels (3, h, w) between -1 and 1."""
    height, width = colours.shape[-2:]
    share = side / max(height, width)
    if share < 1:
        size = (max(1, round(height * share)), max(1, round(width * share)))
        colours = functional.interpolate(colours[None].float(), size=size, mode="area")[0]
    height, width = colours.shape[-2:]
    values = ((colours.nan_to_num() + 1) * 127.5).clamp(0, 255).round().to(torch.uint8)
    return width, height, bytes(values.permute(1, 2, 0).contiguous().flatten().tolist())
