"""A picture file to its texts. Reading hops over the pixels and holds only texts, within a budget."""

from __future__ import annotations

from sdkeep.formats.contents import Container
from sdkeep.formats.infotext.gathering import Gathering
from sdkeep.formats.infotext.jpeg import read_jpeg
from sdkeep.formats.infotext.png import read_png
from sdkeep.formats.infotext.stealth import read_stealth
from sdkeep.formats.infotext.values import Picture
from sdkeep.formats.infotext.webp import read_webp
from sdkeep.formats.sniff import sniff
from sdkeep.ground.source import Source

_READERS = {Container.PNG: read_png, Container.JPEG: read_jpeg, Container.WEBP: read_webp}
_LOSSLESS = (Container.PNG, Container.WEBP)
_TELLING = (
    "parameters", "prompt", "workflow", "invokeai_metadata", "sd-metadata", "Dream", "exif:UserComment",
)  # fmt: skip


def read_picture(source: Source, *, hidden: bool = True) -> Picture:
    """The texts of the picture in `source`. A broken one gives what could be read, and says what could not.

    Where no text tells how it was made and `hidden` is set, the pixels are decoded to look for a hidden message;
    leave that out for a remote source, which would be read whole. Raises only what the source raises.
    """
    container = sniff(source)
    gathering = Gathering()
    reader = _READERS.get(container)
    if reader is None:
        gathering.problem(f"this is no PNG, JPEG or WebP, but {container}")
    else:
        reader(source, gathering)
        if hidden and container in _LOSSLESS and not _tells(gathering.texts):
            read_stealth(source, gathering)
    return Picture(container, gathering.width, gathering.height, gathering.texts, tuple(gathering.problems))


def _tells(texts: dict[str, str]) -> bool:
    """Whether the texts say how the picture was made, so that its pixels need not be asked."""
    return texts.get("Software") == "NovelAI" or any(name in texts for name in _TELLING)
