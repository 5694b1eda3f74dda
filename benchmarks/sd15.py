"""The tensors of a Stable Diffusion 1.5 checkpoint, names and shapes, said by its architecture: 1,131 of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from math import prod
from pathlib import Path

Shape = tuple[int, ...]
WIDTHS = (320, 640, 1280, 1280)
CONTEXT, TIME = 768, 1280


def checkpoint() -> dict[str, Shape]:
    """Every tensor of the file."""
    found = {f"model.diffusion_model.{key}": shape for key, shape in unet()}
    found |= {f"first_stage_model.{key}": shape for key, shape in vae()}
    return found | {f"cond_stage_model.transformer.text_model.{key}": shape for key, shape in clip()}


def _pair(name: str, *shape: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _residual(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, Shape]]:
    yield from _pair(f"{name}.in_layers.0", inputs)
    yield from _pair(f"{name}.in_layers.2", outputs, inputs, 3, 3)
    yield from _pair(f"{name}.emb_layers.1", outputs, TIME)
    yield from _pair(f"{name}.out_layers.0", outputs)
    yield from _pair(f"{name}.out_layers.3", outputs, outputs, 3, 3)
    if inputs != outputs:
        yield from _pair(f"{name}.skip_connection", outputs, inputs, 1, 1)


def _attention(name: str, width: int) -> Iterator[tuple[str, Shape]]:
    yield from _pair(f"{name}.norm", width)
    yield from _pair(f"{name}.proj_in", width, width, 1, 1)
    block = f"{name}.transformer_blocks.0"
    for attention, context in (("attn1", width), ("attn2", CONTEXT)):
        yield f"{block}.{attention}.to_q.weight", (width, width)
        yield f"{block}.{attention}.to_k.weight", (width, context)
        yield f"{block}.{attention}.to_v.weight", (width, context)
        yield from _pair(f"{block}.{attention}.to_out.0", width, width)
    yield from _pair(f"{block}.ff.net.0.proj", width * 8, width)
    yield from _pair(f"{block}.ff.net.2", width, width * 4)
    for norm in ("norm1", "norm2", "norm3"):
        yield from _pair(f"{block}.{norm}", width)
    yield from _pair(f"{name}.proj_out", width, width, 1, 1)


def unet() -> Iterator[tuple[str, Shape]]:
    """The denoiser, 686 tensors."""
    yield from _pair("time_embed.0", TIME, 320)
    yield from _pair("time_embed.2", TIME, TIME)
    yield from _pair("input_blocks.0.0", 320, 4, 3, 3)
    skips, width, block = [320], 320, 1
    for level, wide in enumerate(WIDTHS):
        for _ in range(2):
            yield from _residual(f"input_blocks.{block}.0", width, wide)
            width = wide
            if level < 3:
                yield from _attention(f"input_blocks.{block}.1", width)
            skips.append(width)
            block += 1
        if level < 3:
            yield from _pair(f"input_blocks.{block}.0.op", width, width, 3, 3)
            skips.append(width)
            block += 1
    yield from _residual("middle_block.0", width, width)
    yield from _attention("middle_block.1", width)
    yield from _residual("middle_block.2", width, width)
    block = 0
    for level, wide in reversed(list(enumerate(WIDTHS))):
        for turn in range(3):
            yield from _residual(f"output_blocks.{block}.0", width + skips.pop(), wide)
            width = wide
            if level < 3:
                yield from _attention(f"output_blocks.{block}.1", width)
            if turn == 2 and level:
                yield from _pair(f"output_blocks.{block}.{2 if level < 3 else 1}.conv", width, width, 3, 3)
            block += 1
    yield from _pair("out.0", 320)
    yield from _pair("out.2", 4, 320, 3, 3)


def vae() -> Iterator[tuple[str, Shape]]:
    """The autoencoder, 248 tensors."""
    levels = (128, 256, 512, 512)
    yield from _pair("encoder.conv_in", 128, 3, 3, 3)
    width = 128
    for level, wide in enumerate(levels):
        for block in range(2):
            yield from _plain(f"encoder.down.{level}.block.{block}", width, wide)
            width = wide
        if level < 3:
            yield from _pair(f"encoder.down.{level}.downsample.conv", width, width, 3, 3)
    yield from _middle("encoder")
    yield from _pair("encoder.norm_out", 512)
    yield from _pair("encoder.conv_out", 8, 512, 3, 3)
    yield from _pair("decoder.conv_in", 512, 4, 3, 3)
    yield from _middle("decoder")
    for level, wide in reversed(list(enumerate(levels))):
        for block in range(3):
            yield from _plain(f"decoder.up.{level}.block.{block}", width, wide)
            width = wide
        if level:
            yield from _pair(f"decoder.up.{level}.upsample.conv", width, width, 3, 3)
    yield from _pair("decoder.norm_out", 128)
    yield from _pair("decoder.conv_out", 3, 128, 3, 3)
    yield from _pair("quant_conv", 8, 8, 1, 1)
    yield from _pair("post_quant_conv", 4, 4, 1, 1)


def _plain(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, Shape]]:
    yield from _pair(f"{name}.norm1", inputs)
    yield from _pair(f"{name}.conv1", outputs, inputs, 3, 3)
    yield from _pair(f"{name}.norm2", outputs)
    yield from _pair(f"{name}.conv2", outputs, outputs, 3, 3)
    if inputs != outputs:
        yield from _pair(f"{name}.nin_shortcut", outputs, inputs, 1, 1)


def _middle(name: str) -> Iterator[tuple[str, Shape]]:
    yield from _plain(f"{name}.mid.block_1", 512, 512)
    yield from _pair(f"{name}.mid.attn_1.norm", 512)
    for part in ("q", "k", "v", "proj_out"):
        yield from _pair(f"{name}.mid.attn_1.{part}", 512, 512, 1, 1)
    yield from _plain(f"{name}.mid.block_2", 512, 512)


def clip() -> Iterator[tuple[str, Shape]]:
    """The text encoder, 197 tensors with the positions."""
    yield "embeddings.position_ids", (1, 77)
    yield "embeddings.token_embedding.weight", (49408, 768)
    yield "embeddings.position_embedding.weight", (77, 768)
    for layer in range(12):
        name = f"encoder.layers.{layer}"
        for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
            yield from _pair(f"{name}.self_attn.{part}", 768, 768)
        yield from _pair(f"{name}.layer_norm1", 768)
        yield from _pair(f"{name}.mlp.fc1", 3072, 768)
        yield from _pair(f"{name}.mlp.fc2", 768, 3072)
        yield from _pair(f"{name}.layer_norm2", 768)
    yield from _pair("final_layer_norm", 768)


def build(path: Path, seed: int, piece: int = 1 << 24) -> None:
    """Write such a checkpoint in fp16: numbers of a plausible size, other ones for another seed. 2.13 GB."""
    import numpy as np

    shapes = checkpoint()
    order = sorted(shapes, key=lambda key: (not key.endswith("position_ids"), key))
    entries: dict[str, object] = {}
    at = 0
    for key in order:
        integer = key.endswith("position_ids")
        end = at + prod(shapes[key]) * (8 if integer else 2)
        entries[key] = {"dtype": "I64" if integer else "F16", "shape": shapes[key], "data_offsets": [at, end]}
        at = end
    head = json.dumps(entries, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    draw = np.random.default_rng(seed)
    noise = (draw.standard_normal(piece // 2, dtype=np.float32) * 0.05).astype(np.float16).tobytes()
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        file.write(np.arange(77, dtype=np.int64).tobytes())
        left, turn = at - 77 * 8, 0
        while left:
            turn += 2 * (1 + seed)
            file.write((noise[turn:] + noise[:turn])[: min(left, piece)])
            left -= min(left, piece)
        file.flush()
        os.fsync(file.fileno())
