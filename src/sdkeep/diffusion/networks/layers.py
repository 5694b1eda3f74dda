"""What the networks share: attention, activations, and the switch that makes pictures tile."""

# ruff: noqa: D102 (what `forward` does, the docstring of its class says)
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, *, causal: bool = False) -> Tensor:
    """Softmax attention of `heads` heads over tokens: query [b, n, c], key and value [b, m, c], answer [b, n, c]."""
    batch, length, width = query.shape
    q, k, v = (
        part.view(batch, -1, heads, width // heads).transpose(1, 2)  # [b, heads, n or m, c / heads]
        for part in (query, key, value)
    )
    mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return mixed.transpose(1, 2).reshape(batch, length, width)  # [b, n, c]


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x); in place of `x` itself when no gradient is wanted, so hand over only what nobody else holds."""
    return functional.silu(x, inplace=not torch.is_grad_enabled())


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's approximation of GELU, which CLIP-L was trained with."""
    return x * torch.sigmoid(1.702 * x)


class Linear(nn.Linear):
    """`nn.Linear`, which draws no first weights where there is no memory for them."""

    def reset_parameters(self) -> None:
        if not self.weight.is_meta:
            super().reset_parameters()


class Conv2d(nn.Conv2d):
    """`nn.Conv2d`, likewise; over few places a matrix product, for which no second copy of the weights is made."""

    def reset_parameters(self) -> None:
        if not self.weight.is_meta:
            super().reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        batch, (height, width) = len(input), ((side - 1) // self.stride[0] + 1 for side in input.shape[-2:])
        plain = self.kernel_size == (3, 3) and self.padding == (1, 1) and self.padding_mode == "zeros"
        if not plain or self.bias is None or not input.is_cpu or batch * height * width > 512:
            return super().forward(input)
        seen = functional.unfold(input, 3, padding=1, stride=self.stride).transpose(0, 1).flatten(1)  # [9 c, b h w]
        out = torch.addmm(self.bias[:, None], self.weight.flatten(1), seen)  # [out, b h w]
        return out.view(-1, batch, height, width).transpose(0, 1).contiguous()


class Embedding(nn.Embedding):
    """`nn.Embedding`, likewise."""

    def reset_parameters(self) -> None:
        if not self.weight.is_meta:
            super().reset_parameters()


class Pointwise(Conv2d):
    """A 1x1 convolution that is given tokens [b, n, c] instead of a picture, and works on them as a linear layer."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(channels, out, 1)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight.flatten(1), self.bias)  # [b, n, out]


class Upsample(nn.Module):
    """Doubles height and width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2, mode="nearest"))  # [b, c, 2 h, 2 w]


def set_tiling(network: nn.Module, on: bool) -> None:
    """Let convolutions wrap around the edges (`on`), so that copies of a picture join without a seam; or as trained."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.padding_mode = "circular" if on else "zeros"
