"""Textual inversions inside pictures, as AUTOMATIC1111 writes and loads them. They are JSON: nothing in them can run.

The JSON is that of an embedding with each tensor as `{"TORCHTENSOR": nested lists}`. It stands in the text chunk
`sd-ti-embedding` (base64), or zlib-packed in the low four bits of the pixels: the low halves of its bytes left of the
picture, the high halves right of it, both stirred with a fixed sequence, a black column on either side of the picture.
modules/textual_inversion/image_embedding.py.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import struct
import zlib
from typing import TYPE_CHECKING

from sdkeep.formats.contents import Span, Tensor
from sdkeep.formats.draft import Draft
from sdkeep.formats.dtypes import count
from sdkeep.formats.extract import EMBEDDING
from sdkeep.formats.infotext.gathering import Gathering
from sdkeep.formats.infotext.png import read_png
from sdkeep.formats.infotext.stealth import MOST_PIXELS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

KEYWORD = "sd-ti-embedding"

_MOST_JSON = 64 << 20
_MOST_FILE = 64 << 20
_MOST_NUMBERS = 16_000_000
_PLAIN = ("name", "step", "sd_checkpoint", "sd_checkpoint_name")


def examine(draft: Draft) -> None:
    """Note the embedding that a PNG carries, if it carries one."""
    gathering = Gathering()
    read_png(draft.source, gathering)
    words = gathering.texts.get(KEYWORD)
    if words is not None:
        try:
            _take(draft, base64.b64decode(words), f"the text `{KEYWORD}`")
        except (binascii.Error, ValueError):
            draft.flaw("embedding-unreadable", f"the text `{KEYWORD}` is no base64", grave=False)
    elif draft.thorough and gathering.width * gathering.height <= MOST_PIXELS and draft.source.size <= _MOST_FILE:
        packed = _from_pixels(draft.source.read_at(0, draft.source.size))
        if packed:
            _take(draft, packed, "its pixels")


def _take(draft: Draft, data: bytes, where: str) -> None:
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        draft.flaw("embedding-unreadable", f"what {where} holds is no JSON", grave=False)
        return
    vectors = value.get("string_to_param") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(vectors, dict):
        draft.flaw("embedding-unreadable", f"what {where} holds is no embedding", grave=False)
        return
    draft.notes.append(f"a textual inversion as JSON in {where}; no loader runs anything of it")
    for key, vector in vectors.items():
        tensor = _tensor(EMBEDDING if len(vectors) == 1 else f"string_to_param.{key}", vector)
        if tensor is None:
            draft.flaw("embedding-unreadable", f"the vectors in {where} are no numbers", grave=False)
        else:
            draft.tensors.append(tensor)
    draft.extras.update({key: value[key] for key in _PLAIN if isinstance(value.get(key), str | int)})


def _tensor(name: str, value: object) -> Tensor | None:
    """The tensor of nested lists of numbers, as float32."""
    level = value.get("TORCHTENSOR") if isinstance(value, dict) else None
    shape: list[int] = []
    row: list[object] = [level]
    while row and isinstance(row[0], list) and len(shape) < 8:
        length = len(row[0])
        if not all(isinstance(one, list) and len(one) == length for one in row):
            return None
        shape.append(length)
        row = [item for one in row if isinstance(one, list) for item in one]
    numbers = [float(item) for item in row if isinstance(item, int | float) and abs(item) < 3e38]
    if not shape or len(numbers) != len(row) or count(tuple(shape)) != len(row) or len(row) > _MOST_NUMBERS:
        return None
    data = struct.pack(f"<{len(numbers)}f", *numbers)
    return Tensor(name, "F32", tuple(shape), Span(0, len(data)), literal=data)


def _from_pixels(data: bytes) -> bytes:
    """The JSON hidden beside a picture, empty when there is none."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.width * image.height > MOST_PIXELS:
                return b""
            pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
    except Exception:  # Pillow's decoders answer broken pictures with whatever they like
        return b""
    bright = pixels.min(axis=2) > 0
    columns, rows = np.flatnonzero(np.any(bright, 0)), np.flatnonzero(np.any(bright, 1))
    if not columns.size:
        return b""
    low: Pixels = (pixels & np.uint8(0x0F))[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    black = np.flatnonzero(low.sum(axis=(0, 2), dtype=np.int64) == 0)
    if black.size < 2:
        return b""
    left, right = _stirred(low[:, : black[0]]), _stirred(low[:, black[-1] + 1 :])
    if left.shape != right.shape or not left.size:
        return b""
    try:
        return zlib.decompressobj().decompress((right << 4 | left).tobytes(), _MOST_JSON)
    except zlib.error:
        return b""


def _stirred(block: Pixels) -> Pixels:
    """The block with the sequence taken out: a linear congruential generator from 0, modulo 255, four bits each."""
    import numpy as np

    powers = np.full(block.size, 1664525, np.uint32)
    if block.size:
        powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    states = np.cumsum(powers, dtype=np.uint32) * np.uint32(1013904223)
    found: Pixels = block ^ (states % 255 & 0x0F).astype(np.uint8).reshape(block.shape)
    return found
