"""CLIP's text tower in transformers' layout: CLIP-L of SD 1 and SDXL (Radford et al. 2021).

Keys are those below `….transformer.text_model.`.
"""

# ruff: noqa: D102 (what `forward` does, the docstring of its class says)
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdkeep.diffusion.networks.config import ClipConfig
from sdkeep.diffusion.networks.layers import Embedding, Linear, attend, quick_gelu


@dataclass(frozen=True, slots=True)
class TextStates:
    """What a tower makes of tokens.

    `hidden` are [b, n, width]: the embedded tokens, then each layer's output, without the last norm. `last` is
    the last of them behind the norm, and `pooled` that at the end token, projected where the tower has a projection.
    """

    hidden: tuple[Tensor, ...]
    last: Tensor
    pooled: Tensor


def at_end(last: Tensor, tokens: Tensor) -> Tensor:
    """The states [b, width] at each row's first end token, which has the highest number of the vocabulary."""
    return last[torch.arange(len(last), device=last.device), tokens.argmax(dim=-1)]


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = Linear(width, width)
        self.k_proj = Linear(width, width)
        self.v_proj = Linear(width, width)
        self.out_proj = Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        mixed = attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), self.heads, causal=True)
        return self.out_proj(mixed)


class Mlp(nn.Module):
    """Two layers with the quick GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, hidden)
        self.fc2 = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(quick_gelu(self.fc1(x)))  # [b, n, hidden], then [b, n, width]


class Layer(nn.Module):
    """Attention and MLP, each behind a norm and around a shortcut."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.width)
        self.self_attn = Attention(config.width, config.heads)
        self.layer_norm2 = nn.LayerNorm(config.width)
        self.mlp = Mlp(config.width, config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Embeddings(nn.Module):
    """Tokens and their places."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.token_embedding = Embedding(config.vocab, config.width)
        self.position_embedding = Embedding(config.length, config.width)


class Encoder(nn.Module):
    """The stack of layers."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))


class Clip(nn.Module):
    """The tower. `embed` and `forward` are apart so that vectors of an embedding can take the place of tokens."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.final_layer_norm = nn.LayerNorm(config.width)

    def embed(self, tokens: Tensor) -> Tensor:
        """The vectors [b, n, width] of tokens [b, n], without their places."""
        return self.embeddings.token_embedding(tokens)

    def final_norm(self, x: Tensor) -> Tensor:
        """The norm behind the last layer."""
        return self.final_layer_norm(x)

    def forward(self, tokens: Tensor, vectors: Tensor | None = None) -> TextStates:
        """States of tokens [b, n]; `vectors` [b, n, width] stand in for what `embed` would give."""
        x = self.embed(tokens) if vectors is None else vectors
        x = x + self.embeddings.position_embedding(torch.arange(x.shape[1], device=x.device))  # [b, n, width]
        hidden = [x]
        for layer in self.encoder.layers:
            x = layer(x)
            hidden.append(x)
        last = self.final_norm(x)
        return TextStates(tuple(hidden), last, at_end(last, tokens))
