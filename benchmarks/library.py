"""Trees of model files for the benchmarks of a library: small adapters, the same on every run."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path

FOLDERS = 50


def write_tree(root: Path, count: int, size: int) -> list[Path]:
    """`count` safetensors files of about `size` bytes in fifty folders, no two alike."""
    return list(_written(root, count, size))


def _written(root: Path, count: int, size: int) -> Iterator[Path]:
    chance = random.Random(7)
    for number in range(count):
        folder = root / f"folder-{number % FOLDERS}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"model_{number:05}.safetensors"
        path.write_bytes(_adapter(number, size, chance))
        yield path


def _adapter(number: int, size: int, chance: random.Random) -> bytes:
    """An adapter of six small layers for SD 1.5, with a trainer's metadata and ballast to the size wanted."""
    header: dict[str, object] = {"__metadata__": {"ss_base_model_version": "sd_v1", "ss_output_name": f"m{number}"}}
    at = 0
    layers = [f"lora_unet_down_blocks_{n}_attentions_0_transformer_blocks_0_attn2_to_k" for n in range(6)]
    shapes = [(f"{layer}.lora_{side}.weight", shape) for layer in layers for side, shape in
              (("down", (1, 768)), ("up", (320, 1)))]  # fmt: skip
    for name, (rows, columns) in shapes:
        header[name] = {"dtype": "F16", "shape": [rows, columns], "data_offsets": [at, at + rows * columns * 2]}
        at += rows * columns * 2
    if size > at:
        header["ballast"] = {"dtype": "U8", "shape": [size - at], "data_offsets": [at, size]}
        at = size
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + chance.randbytes(at)
