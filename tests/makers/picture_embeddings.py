"""Pictures that carry a textual inversion, written the way AUTOMATIC1111's image_embedding.py does it."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, PngImagePlugin

Rows = list[list[float]]


def embedding(vectors: Rows, name: str = "cat-toy") -> bytes:
    """The JSON that both places hold."""
    value = {"string_to_token": {"*": 265}, "string_to_param": {"*": {"TORCHTENSOR": vectors}}, "name": name, "step": 7}
    return json.dumps(value).encode()


def png(image: Image.Image, **texts: str) -> bytes:
    """The picture with these text chunks."""
    out, info = io.BytesIO(), PngImagePlugin.PngInfo()
    for key, words in texts.items():
        info.add_text(key.replace("_", "-"), words)
    image.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def with_text(data: bytes) -> bytes:
    """A picture with `data` as base64 in its text chunk."""
    return png(Image.new("RGB", (16, 16), (90, 120, 200)), sd_ti_embedding=base64.b64encode(data).decode())


def in_pixels(data: bytes, height: int = 64) -> bytes:
    """A picture with `data` in the low bits of the columns on either side of it."""
    packed = np.frombuffer(zlib.compress(data, 9), np.uint8)
    width = -(-packed.size // (height * 3))
    low = np.resize(packed & 15, width * height * 3).reshape(height, width, 3)
    high = np.resize(packed >> 4, width * height * 3).reshape(height, width, 3)
    picture = np.full((height, 20, 3), 200, np.uint8)
    black = np.zeros((height, 1, 3), np.uint8)
    return png(Image.fromarray(np.concatenate([_stirred(low), black, picture, black, _stirred(high)], axis=1)))


def _stirred(block: np.ndarray) -> np.ndarray:
    numbers = _generator()
    random = np.array([next(numbers) for _ in range(block.size)]).astype(np.uint8).reshape(block.shape)
    return (block.astype(np.uint8) ^ random & 0x0F) | 0x80  # the upper bits are the pattern that people see


def _generator() -> Iterator[int]:
    seed = 0
    while True:
        seed = (1664525 * seed + 1013904223) % 2**32
        yield seed % 255
