"""OpenCLIP's text tower: ViT-H in SD 2, ViT-bigG in SDXL and its refiner (Ilharco et al. 2021).

Keys are those below `cond_stage_model.model.` and `conditioner.embedders.N.model.`.
"""

# ruff: noqa: D102 (what `forward` does, the docstring of its class says)
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sdkeep.diffusion.networks.clip import TextStates, at_end
from sdkeep.diffusion.networks.config import OpenClipConfig
from sdkeep.diffusion.networks.layers import Embedding, Linear, attend


class Attention(nn.Module):
    """Causal self-attention; query, key and value are the thirds of one matrix, as `torch.nn.MultiheadAttention`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = Linear(width, width)
        if not self.in_proj_weight.is_meta:
            nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = functional.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        return self.out_proj(attend(query, key, value, self.heads, causal=True))


class Mlp(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.c_fc = Linear(width, hidden)
        self.c_proj = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(functional.gelu(self.c_fc(x)))  # [b, n, hidden], then [b, n, width]


class Block(nn.Module):
    """Attention and MLP, each behind a norm and around a shortcut."""

    def __init__(self, config: OpenClipConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width)
        self.attn = Attention(config.width, config.heads)
        self.ln_2 = nn.LayerNorm(config.width)
        self.mlp = Mlp(config.width, config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """The stack of blocks."""

    def __init__(self, config: OpenClipConfig) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(config) for _ in range(config.layers))


class OpenClip(nn.Module):
    """The tower; it is used as `Clip` is."""

    def __init__(self, config: OpenClipConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = Embedding(config.vocab, config.width)
        self.positional_embedding = nn.Parameter(torch.zeros(config.length, config.width))
        self.transformer = Transformer(config)
        self.ln_final = nn.LayerNorm(config.width)
        if config.projection:
            self.text_projection = nn.Parameter(torch.eye(config.width, config.projection))

    def embed(self, tokens: Tensor) -> Tensor:
        """The vectors [b, n, width] of tokens [b, n], without their places."""
        return self.token_embedding(tokens)

    def final_norm(self, x: Tensor) -> Tensor:
        """The norm behind the last block."""
        return self.ln_final(x)

    def forward(self, tokens: Tensor, vectors: Tensor | None = None) -> TextStates:
        """States of tokens [b, n]; `vectors` [b, n, width] stand in for what `embed` would give."""
        x = self.embed(tokens) if vectors is None else vectors
        x = x + self.positional_embedding[: x.shape[1]]  # [b, n, width]
        hidden = [x]
        for block in self.transformer.resblocks:
            x = block(x)
            hidden.append(x)
        last = self.final_norm(x)
        pooled = at_end(last, tokens)
        if self.config.projection:
            pooled = pooled @ self.text_projection  # [b, projection]
        return TextStates(tuple(hidden), last, pooled)
