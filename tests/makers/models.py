"""Whole model files, small and with real key names: checkpoints, adapters, embeddings, hypernetworks, and a trojan."""

from __future__ import annotations

import io
import json
import math
import os
import struct
import zipfile
from collections.abc import Mapping
from functools import cache

import torch

from tests.makers import headers

Header = Mapping[str, tuple[int, ...]]
_BULKY = ("token_embedding", ".mlp.", "self_attn", "attn1", "time_embed", "norm1", "label_emb.0.0.weight")


def small_checkpoint(family: str = "sd1") -> Header:
    """The keys that tell a checkpoint of this family, without the bulk."""
    return {name: shape for name, shape in headers.checkpoint(family).items() if not any(b in name for b in _BULKY)}


def small_lora(family: str = "sd1") -> Header:
    """A LoRA of rank 2."""
    if family == "sd1":
        modules = [("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 768, 320)]
    else:
        stem = "lora_unet_down_blocks_1_attentions_0_transformer_blocks"
        modules = [(f"{stem}_{layer}_attn2_to_k", 2048, 640) for layer in (0, 1)]
        modules.append(("lora_te2_text_model_encoder_layers_0_mlp_fc1", 1280, 5120))
    return headers.lora(modules, rank=2)


def safetensors(header: Header, fill: int = 1, metadata: Mapping[str, str] | None = None, width: int = 2) -> bytes:
    """A safetensors file whose every byte of data is `fill`; `width` 2 is F16, 4 is F32."""
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, shape in header.items():
        end = at + math.prod(shape) * width
        entries[name] = {"dtype": {2: "F16", 4: "F32"}[width], "shape": list(shape), "data_offsets": [at, end]}
        at = end
    head = json.dumps(entries).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + bytes([fill]) * at


def saved(value: object) -> bytes:
    """What `torch.save` writes."""
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


def tensors(header: Header, fill: float = 1.0) -> dict[str, torch.Tensor]:
    """Half-precision tensors of these shapes."""
    return {name: torch.full(shape, fill, dtype=torch.float16) for name, shape in header.items()}


@cache
def checkpoint_pickle(fill: float = 1.0) -> bytes:
    """An SD1 checkpoint as `.ckpt`."""
    return saved({"state_dict": tensors(small_checkpoint(), fill), "global_step": 7})


class _Call:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo owned",)


@cache
def trojan(fill: float = 1.0) -> bytes:
    """An SD1 checkpoint that runs a command when it is unpickled. It never is."""
    return saved({"state_dict": tensors(small_checkpoint(), fill), "hook": _Call()})


def embedding_pt(name: str, fill: float = 1.0) -> bytes:
    """A textual inversion of two vectors as AUTOMATIC1111 writes it."""
    vectors = torch.full((2, 768), fill, dtype=torch.float32)
    return saved({
        "string_to_token": {"*": 265}, "string_to_param": {"*": vectors}, "name": name, "step": 10,
        "sd_checkpoint": None, "sd_checkpoint_name": None,
    })  # fmt: skip


def hypernetwork_pt(name: str, fill: float = 1.0) -> bytes:
    """A hypernetwork as AUTOMATIC1111 writes it."""

    def half(width: int) -> dict[str, torch.Tensor]:
        return {
            "linear.0.weight": torch.full((4, width), fill),
            "linear.0.bias": torch.zeros(4),
            "linear.1.weight": torch.full((width, 4), fill),
            "linear.1.bias": torch.zeros(width),
        }

    pairs = {width: (half(width), half(width)) for width in (320, 768)}
    return saved({**pairs, "name": name, "step": 5, "layer_structure": [1, 0.00520833, 1], "activation_func": "linear"})


def archive(**members: bytes) -> bytes:
    """A zip of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return out.getvalue()
