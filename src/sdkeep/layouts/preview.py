"""Preview pictures: whatever a hub served, made a small, plain PNG under the one name that all WebUIs show."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

from sdkeep.ground.errors import FormatError
from sdkeep.layouts.values import Layout
from sdkeep.layouts.writing import Written, rewrite, write_new

LONGEST_SIDE = 768
LARGEST_FILE = 32 << 20
MOST_PIXELS = 64_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")


def thumbnail(data: bytes) -> bytes:
    """A PNG of at most 768 pixels a side, upright, without metadata. `data` is a PNG, JPEG or WebP; its first frame.

    Raises `FormatError` for anything else and for pictures of more than 32 MiB or 64 million pixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if len(data) > LARGEST_FILE:
        raise _refused(f"it has {len(data):,} bytes, {LARGEST_FILE:,} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise _refused(f"it has {opened.width} x {opened.height} pixels")
                opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
                upright = ImageOps.exif_transpose(opened)
                small = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _refused("it unpacks to far too many pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise _refused("it is no readable PNG, JPEG or WebP") from error
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    small.info.clear()
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return out.getvalue()


def write_preview(layout: Layout, model: Path, picture: bytes, *, replace: bool = False) -> Written | None:
    """Write `<stem>.preview.png` beside `model`, unless a preview that the WebUI shows is there; then None.

    `picture` is what `thumbnail` gave. With `replace` our own earlier one (the caller knows that it is) is exchanged.
    """
    path = preview_path(layout, model)
    if replace and path.is_file() and not path.is_symlink():
        return rewrite(path, picture, created=True)
    if any(os.path.lexists(model.with_suffix(ending)) for ending in (*layout.previews, ".preview.png")):
        return None
    return write_new(path, picture)


def preview_path(layout: Layout, model: Path) -> Path:
    """Where our preview of `model` lies."""
    return model.with_suffix(layout.previews[0] if layout.previews else ".preview.png")


def _refused(why: str) -> FormatError:
    return FormatError("the preview picture is not used", why, "`--no-preview` places the model without one")
