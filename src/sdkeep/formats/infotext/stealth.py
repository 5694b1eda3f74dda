"""A message hidden in the lowest bits of a picture's pixels, as NovelAI and the stealth extensions write it.

The bits run down the columns, most significant first: fifteen letters that name the form, the payload's length in
bits (32 of them), the payload. `png` forms use the alpha channel, `rgb` forms red, green and blue in turn; `comp`
forms are gzipped. The only place of this room that decodes pixels, with Pillow, which is imported when needed.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from sdkeep.formats.infotext.gathering import LONGEST_TEXT, Gathering
from sdkeep.formats.infotext.lettering import loose
from sdkeep.ground.errors import KeepError
from sdkeep.ground.source import Source

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 24_000_000
"""Pictures above this are not decoded."""

_MOST_BYTES = 64 * 1024 * 1024
_NAME = 15
_HEAD = _NAME + 4
_FORMS = {
    b"stealth_pnginfo": ("A", False),
    b"stealth_pngcomp": ("A", True),
    b"stealth_rgbinfo": ("RGB", False),
    b"stealth_rgbcomp": ("RGB", True),
}


def read_stealth(source: Source, gathering: Gathering) -> None:
    """Decode the picture and add its hidden message, if it has one, as the text `stealth`."""
    if gathering.width * gathering.height > MOST_PIXELS or source.size > _MOST_BYTES:
        gathering.problem("the picture is too large to look for a hidden message in its pixels")
        return
    from PIL import Image

    try:
        with Image.open(io.BytesIO(source.read_at(0, source.size)), formats=("PNG", "WEBP")) as image:
            if image.width * image.height > MOST_PIXELS or image.mode not in ("RGBA", "RGB"):
                return
            _look(image, gathering)
    except KeepError:
        raise
    except Exception:  # Pillow's decoders answer broken pictures with whatever they like
        gathering.problem("the pixels cannot be decoded")


def _look(image: Image.Image, gathering: Gathering) -> None:
    for bands in ("A", "RGB") if image.mode == "RGBA" else ("RGB",):
        bits = _bits(image, bands, _HEAD * 8)
        found, compressed = _FORMS.get(bytes(bits[:_NAME]), ("", False))
        length = int.from_bytes(bits[_NAME:_HEAD], "big") // 8
        if found != bands:
            continue
        if not 0 < length <= LONGEST_TEXT or (_HEAD + length) * 8 > image.width * image.height * len(bands):
            gathering.problem("the hidden message is longer than the picture can hold")
            return
        payload = bytes(_bits(image, bands, (_HEAD + length) * 8)[_HEAD:])
        data = gathering.inflate("stealth", payload, gzip=True) if compressed else payload
        if data is not None:
            gathering.add("stealth", loose(data))
        return


def _bits(image: Image.Image, bands: str, count: int) -> bytes:
    """The first `count` lowest bits down the columns, packed into bytes."""
    import numpy as np

    columns = -(-count // (image.height * len(bands)))
    part = image.crop((0, 0, min(columns, image.width), image.height))
    pixels = np.asarray(part, dtype=np.uint8)
    chosen = pixels[:, :, 3:4] if bands == "A" else pixels[:, :, :3]
    return np.packbits((chosen.transpose(1, 0, 2).reshape(-1) & 1)[:count]).tobytes()
