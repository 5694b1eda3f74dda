"""The autoencoder between pixels and latents (Esser et al. 2021, Rombach et al. 2022).

Keys are those below `first_stage_model.`. Neither the scale that latents are kept at nor the range of pixels in a file
is known here: pixels go from -1 to 1, and latents are as the encoder gives them.
"""

# ruff: noqa: D102 (what `forward` does, the docstring of its class says)
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sdkeep.diffusion.networks.config import VaeConfig
from sdkeep.diffusion.networks.layers import Conv2d, Pointwise, Upsample, attend, silu


@dataclass(frozen=True, slots=True)
class Posterior:
    """A Gaussian over latents, [b, latent, h, w] each."""

    mean: Tensor
    std: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """A latent, from standard normal `noise` of its shape."""
        return self.mean + self.std * noise


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)


class ResnetBlock(nn.Module):
    """Two convolutions around a shortcut."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels)
        self.conv1 = Conv2d(channels, out, 3, padding=1)
        self.norm2 = _norm(out)
        self.conv2 = Conv2d(out, out, 3, padding=1)
        self.nin_shortcut = nn.Identity() if channels == out else Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(silu(self.norm1(x)))  # [b, out, h, w]
        h = self.conv2(silu(self.norm2(h)))
        h += self.nin_shortcut(x)
        return h


class AttnBlock(nn.Module):
    """Attention of one head over the places of a picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q = Pointwise(channels, channels)
        self.k = Pointwise(channels, channels)
        self.v = Pointwise(channels, channels)
        self.proj_out = Pointwise(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # [b, h w, c]
        mixed = self.proj_out(attend(self.q(tokens), self.k(tokens), self.v(tokens), 1))
        return x + mixed.transpose(1, 2).reshape(x.shape)  # [b, c, h, w]


class Middle(nn.Module):
    """The narrowest level."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels)
        self.attn_1 = AttnBlock(channels)
        self.block_2 = ResnetBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Downsample(nn.Module):
    """Halves height and width, padding only to the right and below."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.pad(x, (0, 1, 0, 1)))  # [b, c, h / 2, w / 2]


class Level(nn.Module):
    """Residual blocks of one size, and the way to the next."""

    def __init__(self, channels: int, out: int, blocks: int, resize: type[Downsample | Upsample] | None) -> None:
        super().__init__()
        self.block = nn.ModuleList(ResnetBlock(out if place else channels, out) for place in range(blocks))
        if resize is Downsample:
            self.downsample = Downsample(out)
        elif resize is Upsample:
            self.upsample = Upsample(out)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            for part in layer if isinstance(layer, nn.ModuleList) else (layer,):
                x = part(x)
        return x


class Encoder(nn.Module):
    """Pixels to the mean and the logarithm of the variance of latents."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = [config.width, *(mult * config.width for mult in config.mults)]
        last = len(config.mults) - 1
        self.conv_in = Conv2d(config.colours, config.width, 3, padding=1)
        self.down = nn.ModuleList(
            Level(widths[level], widths[level + 1], config.res_blocks, Downsample if level < last else None)
            for level in range(last + 1)
        )
        self.mid = Middle(widths[-1])
        self.norm_out = _norm(widths[-1])
        self.conv_out = Conv2d(widths[-1], 2 * config.z, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        return self.conv_out(silu(self.norm_out(self.mid(x))))  # [b, 2 z, h / 8, w / 8]


class Decoder(nn.Module):
    """Latents to pixels; `up` counts levels as the encoder does, so the last comes first."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = [mult * config.width for mult in config.mults]
        above = [*widths[1:], widths[-1]]
        self.conv_in = Conv2d(config.z, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1])
        self.up = nn.ModuleList(
            Level(above[level], widths[level], config.res_blocks + 1, Upsample if level else None)
            for level in range(len(widths))
        )
        self.norm_out = _norm(widths[0])
        self.conv_out = Conv2d(widths[0], config.colours, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(silu(self.norm_out(x)))  # [b, colours, 8 h, 8 w]


class Vae(nn.Module):
    """The autoencoder."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = Conv2d(2 * config.z, 2 * config.latent, 1)
        self.post_quant_conv = Conv2d(config.latent, config.z, 1)

    def encode(self, pixels: Tensor) -> Posterior:
        """Latents of pixels [b, colours, 8 h, 8 w] between -1 and 1."""
        mean, log_variance = self.quant_conv(self.encoder(pixels)).chunk(2, dim=1)  # [b, latent, h, w] each
        return Posterior(mean, torch.exp(0.5 * log_variance.clamp(-30, 20)))

    def decode(self, latents: Tensor) -> Tensor:
        """Pixels [b, colours, 8 h, 8 w], roughly between -1 and 1, of latents [b, latent, h, w]."""
        return self.decoder(self.post_quant_conv(latents))
