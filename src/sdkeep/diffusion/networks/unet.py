"""The denoiser of SD 1, SD 2 and SDXL: a UNet of residual blocks and transformers that look at the text.

Keys are those below `model.diffusion_model.`: Ho et al. (2020), Dhariwal and Nichol (2021), Rombach et al. (2022).

Two seams are left for adapters. Every weight is a parameter under its checkpoint key, so one that is put in its place
(`parameter.data = …`) takes effect at the next call. And `CrossAttention.context_transform`, None as trained, may turn
what keys and values are made of into two texts, as hypernetworks do.
"""

# ruff: noqa: D102 (what `forward` does, the docstring of its class says)
from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from sdkeep.diffusion.networks.config import LABEL_WIDTH, UNetConfig
from sdkeep.diffusion.networks.layers import Conv2d, Linear, Pointwise, Upsample, attend, silu

ContextTransform = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From a context [b, m, c] to the ones that keys and values are made of, both [b, m, c]."""


def timestep_embedding(steps: Tensor, width: int) -> Tensor:
    """Sinusoids [b, width] of timesteps [b], which may lie between two whole ones; cosines come first."""
    half = width // 2
    rates = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=steps.device) / half)
    angles = steps.float()[:, None] * rates  # [b, width / 2]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)  # [b, width]


def size_embedding(sizes: Tensor) -> Tensor:
    """SDXL's size conditions [b, n] (height, width, crop top, crop left, …) as [b, 256 n]."""
    return timestep_embedding(sizes.flatten(), LABEL_WIDTH).view(len(sizes), -1)


class CrossAttention(nn.Module):
    """Attention to a context, to itself when there is none."""

    def __init__(self, width: int, context: int, config: UNetConfig) -> None:
        super().__init__()
        self.heads = config.heads_of(width)
        self.upcast = config.upcast_attention
        self.context_transform: ContextTransform | None = None
        self.to_q = Linear(width, width, bias=False)
        self.to_k = Linear(context, width, bias=False)
        self.to_v = Linear(context, width, bias=False)
        self.to_out = nn.Sequential(Linear(width, width))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        of_keys = of_values = x if context is None else context
        if self.context_transform:
            of_keys, of_values = self.context_transform(of_keys)
        query, key, value = self.to_q(x), self.to_k(of_keys), self.to_v(of_values)  # [b, n or m, width]
        if self.upcast and x.dtype is torch.float16:  # SD 2's products leave the range of half precision
            mixed = attend(query.float(), key.float(), value.float(), self.heads).to(x.dtype)
        else:
            mixed = attend(query, key, value, self.heads)
        return self.to_out(mixed)


class Geglu(nn.Module):
    """A linear layer of which one half gates the other (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.proj = Linear(width, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        kept, gate = self.proj(x).chunk(2, dim=-1)  # [b, n, hidden] each
        return functional.gelu(gate).mul_(kept) if not torch.is_grad_enabled() else kept * functional.gelu(gate)


class FeedForward(nn.Module):
    """Four times as wide inside, so on the CPU some tokens at a time; the empty second place was a dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(Geglu(width, 4 * width), nn.Identity(), Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_cpu:
            return self.net(x)
        tokens = x.flatten(0, 1)  # [b n, width]
        return torch.cat([self.net(some) for some in torch.split(tokens, 655_360 // x.shape[-1])]).view(x.shape)


class TransformerBlock(nn.Module):
    """Attention to the picture, to the text, and a feed-forward layer, each behind a norm and around a shortcut."""

    def __init__(self, width: int, config: UNetConfig) -> None:
        super().__init__()
        self.attn1 = CrossAttention(width, width, config)
        self.ff = FeedForward(width)
        self.attn2 = CrossAttention(width, config.context, config)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x = self.attn1(self.norm1(x)) + x
        x = self.attn2(self.norm2(x), context) + x
        return self.ff(self.norm3(x)) + x


class SpatialTransformer(nn.Module):
    """Transformer blocks over the places of a picture; in SD 1 `proj_in` and `proj_out` are 1x1 convolutions."""

    def __init__(self, channels: int, depth: int, config: UNetConfig) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        around = Linear if config.linear else Pointwise
        self.proj_in = around(channels, channels)
        self.transformer_blocks = nn.ModuleList(TransformerBlock(channels, config) for _ in range(depth))
        self.proj_out = around(channels, channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # [b, h w, c]
        tokens = self.proj_in(tokens)
        for block in self.transformer_blocks:
            tokens = block(tokens, context)
        return self.proj_out(tokens).transpose(1, 2).reshape(batch, channels, height, width) + x  # [b, c, h, w]


class ResBlock(nn.Module):
    """Two convolutions around a shortcut; the timestep comes in between. Empty places were activations, dropouts."""

    def __init__(self, channels: int, out: int, steps: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(32, channels), nn.Identity(), Conv2d(channels, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.Identity(), Linear(steps, out))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, out), nn.Identity(), nn.Identity(), Conv2d(out, out, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if channels == out else Conv2d(channels, out, 1)

    def forward(self, x: Tensor, steps: Tensor) -> Tensor:
        h = self.in_layers[2](silu(self.in_layers[0](x)))  # [b, out, h, w]
        h += self.emb_layers[1](steps)[:, :, None, None]
        h = self.out_layers[3](silu(self.out_layers[0](h)))
        h += self.skip_connection(x)
        return h


class Downsample(nn.Module):
    """Halves height and width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)  # [b, c, h / 2, w / 2]


class Step(nn.Sequential):
    """Layers in a row, each given what it takes."""

    def forward(self, x: Tensor, steps: Tensor, context: Tensor) -> Tensor:
        for part in self:
            more = [steps] if isinstance(part, ResBlock) else [context] if isinstance(part, SpatialTransformer) else []
            x = part(x, *more)
        return x


class UNet(nn.Module):
    """The denoiser: what noise (or velocity) is in a latent, at a timestep, under a text."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        steps = 4 * config.width
        self.time_embed = nn.Sequential(Linear(config.width, steps), nn.SiLU(), Linear(steps, steps))
        if config.labels:
            embed = nn.Sequential(Linear(config.labels, steps), nn.SiLU(), Linear(steps, steps))
            self.label_emb = nn.Sequential(embed)
        self.input_blocks, sides = _way_down(config)
        channels = sides[-1]
        middle: list[nn.Module] = [ResBlock(channels, channels, steps)] if config.depth_middle >= -1 else []
        if config.depth_middle > 0:
            middle.append(SpatialTransformer(channels, config.depth_middle, config))
            middle.append(ResBlock(channels, channels, steps))
        self.middle_block = Step(*middle)
        self.output_blocks = _way_up(config, sides)
        self.out = nn.Sequential(
            nn.GroupNorm(32, config.width), nn.SiLU(), Conv2d(config.width, config.channels_out, 3, padding=1)
        )

    def forward(self, x: Tensor, steps: Tensor, context: Tensor, labels: Tensor | None = None) -> Tensor:
        """The prediction [b, channels_out, h, w].

        x is [b, channels_in, h, w], `steps` [b], `context` [b, m, context] and `labels` [b, labels] (SDXL: the pooled
        text followed by `size_embedding`).
        """
        emb = self.time_embed(timestep_embedding(steps, self.config.width).to(x.dtype))  # [b, 4 width]
        if labels is not None and self.config.labels:
            emb = emb + self.label_emb(labels.to(x.dtype))
        emb = silu(emb)  # each residual block begins with it
        sides: list[Tensor] = []
        for step in self.input_blocks:
            x = step(x, emb, context)
            sides.append(x)
        x = self.middle_block(x, emb, context)
        for step in self.output_blocks:
            if x.shape[-2:] != sides[-1].shape[-2:]:  # a height or width that cannot be halved at every level
                x = functional.interpolate(x, sides[-1].shape[-2:], mode="nearest")
            x = step(torch.cat([x, sides.pop()], dim=1), emb, context)  # [b, both's channels, h, w]
        return self.out[2](silu(self.out[0](x)))

    def set_context_transform(self, transform: ContextTransform | None) -> None:
        """Let every attention layer make its keys and values of what `transform` gives; None as trained."""
        for layer in self.modules():
            if isinstance(layer, CrossAttention):
                layer.context_transform = transform


def _way_down(config: UNetConfig) -> tuple[nn.ModuleList, list[int]]:
    """The first convolution and the blocks down to the middle, and the channels behind each of them."""
    blocks = nn.ModuleList([Step(Conv2d(config.channels_in, config.width, 3, padding=1))])
    channels, sides, depths = config.width, [config.width], iter(config.depths)
    for level, (mult, count) in enumerate(zip(config.mults, config.res_blocks, strict=True)):
        for _ in range(count):
            blocks.append(_stage(channels, mult * config.width, next(depths), config))
            channels = mult * config.width
            sides.append(channels)
        if level < len(config.mults) - 1:
            blocks.append(Step(Downsample(channels)))
            sides.append(channels)
    return blocks, sides


def _way_up(config: UNetConfig, sides: list[int]) -> nn.ModuleList:
    """The blocks behind the middle; each takes the output of one on the way down beside its own input."""
    blocks, channels, depths, left = nn.ModuleList(), sides[-1], iter(config.depths_out), list(sides)
    for level, (mult, count) in reversed(list(enumerate(zip(config.mults, config.res_blocks, strict=True)))):
        for place in range(count + 1):
            stage = _stage(channels + left.pop(), mult * config.width, next(depths), config)
            channels = mult * config.width
            if level and place == count:
                stage.append(Upsample(channels))
            blocks.append(stage)
    return blocks


def _stage(channels: int, out: int, depth: int, config: UNetConfig) -> Step:
    layers: list[nn.Module] = [ResBlock(channels, out, 4 * config.width)]
    if depth:
        layers.append(SpatialTransformer(out, depth, config))
    return Step(*layers)
