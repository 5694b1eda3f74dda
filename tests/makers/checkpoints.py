"""Tiny checkpoints with the key names and the telling shapes of each family, filled with seeded numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests.makers import headers

Shape = tuple[int, ...]
Tensors = dict[str, torch.Tensor]

_BULK = ("token_embedding", "mlp.fc1", "time_embed", "label_emb", "in_proj_weight", "self_attn", "attn1.to_k")
_SMALL: dict[str, Shape] = {
    "model.diffusion_model.time_embed.0.weight": (8, 4),
    "model.diffusion_model.input_blocks.5.0.in_layers.2.weight": (6, 4, 3, 3),
    "model.diffusion_model.middle_block.1.proj_in.bias": (7,),
    "model.diffusion_model.output_blocks.3.0.in_layers.2.weight": (4, 6, 3, 3),
    "model.diffusion_model.out.0.bias": (5,),
}


def shapes(family: str = "sd1", *, channels: int = 4) -> dict[str, Shape]:
    """What tells the family, without the bulk, and a few tensors more so that most sorts of blocks are there."""
    whole = headers.checkpoint(family, channels=channels)
    found: dict[str, Shape] = {key: shape for key, shape in whole.items() if not any(word in key for word in _BULK)}
    if family == "sd2":
        found["cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight"] = (3072, 1024)
    return found | _SMALL


def position_ids(family: str = "sd1") -> str:
    """The key of the text encoder's integers."""
    stem = "conditioner.embedders.0." if family == "sdxl" else "cond_stage_model."
    return f"{stem}transformer.text_model.embeddings.position_ids"


def tensors(family: str = "sd1", seed: int = 0, dtype: torch.dtype = torch.float16, **more: int) -> Tensors:
    """The tensors of such a checkpoint; another seed gives other numbers."""
    draw = torch.Generator().manual_seed(seed)
    found = {key: (torch.randn(shape, generator=draw) * 0.1).to(dtype) for key, shape in shapes(family, **more).items()}
    if family != "sd2":
        found[position_ids(family)] = torch.arange(77).unsqueeze(0)
    found["alphas_cumprod"] = torch.linspace(1, 0, 10)
    return found


def write(path: Path, content: Tensors, metadata: Mapping[str, str] | None = None) -> Path:
    """As safetensors."""
    save_file(content, path, metadata=dict(metadata) if metadata else None)
    return path


def read(path: Path) -> Tensors:
    """All tensors of a file."""
    return load_file(path)
