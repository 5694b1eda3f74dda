"""Pictures as files: numbered as AUTOMATIC1111 numbers them, their infotext inside, never over another file."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.ground.errors import DiskFull, NotWritable, UsageError
from sdkeep.ground.text import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {"png": ".png", "jpeg": ".jpg", "jpg": ".jpg", "webp": ".webp"}
_NUMBERED = re.compile(r"(\d{5,})(?:-.*)?\.(?:png|jpe?g|webp)", re.IGNORECASE)
_EXIF_DIRECTORY = 0x8769
_USER_COMMENT = 0x9286
_QUALITY = 92
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class Album:
    """A folder that pictures are saved in one by one. `format` is `png`, `jpeg` or `webp`."""

    folder: Path
    format: str = "png"
    _last: int = -1

    def __post_init__(self) -> None:
        """Raises `UsageError` for an unknown format."""
        if self.format.lower() not in FORMATS:
            raise UsageError(
                f"`{self.format}` is no format for pictures", "known are png, jpeg, webp", "`--format png`"
            )

    def save(self, picture: Image, infotext: str, mark: str) -> Path:
        """Write one picture as `00001-MARK.png` under the next free number; it is there whole or not at all."""
        data = encoded(picture, infotext, self.format)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._last < 0:
                self._last = _highest(self.folder)
            return self._written(data, mark)
        except OSError as error:
            what = f"cannot save a picture in `{one_line(str(self.folder))}`"
            if error.errno in _FULL:
                free = shutil.disk_usage(self.folder).free
                raise DiskFull(what, len(data), free, "`-o FOLDER` names another") from error
            raise NotWritable(what, error.strerror or str(error), "`-o FOLDER` names another") from error

    def _written(self, data: bytes, mark: str) -> Path:
        while True:
            self._last += 1
            if next(self.folder.glob(f"{self._last:05d}-*"), None):  # another process counts in this folder too
                continue
            path = self.folder / f"{self._last:05d}-{mark}{FORMATS[self.format.lower()]}"
            part = self.folder / f".{path.name}.{os.getpid()}.part"
            try:
                part.write_bytes(data)
                _put(part, path)
            except FileExistsError:
                continue
            finally:
                part.unlink(missing_ok=True)
            return path


def _put(part: Path, path: Path) -> None:
    """Give the written file its name; raises FileExistsError where that is taken."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: the name is taken first, then filled
        path.touch(exist_ok=False)
        part.replace(path)


def _highest(folder: Path) -> int:
    """The highest number in a folder, whatever follows it; 0 where there is none."""
    numbers = (int(found[1]) for one in folder.iterdir() if (found := _NUMBERED.fullmatch(one.name)))
    return max(numbers, default=0)


def encoded(picture: Image, infotext: str, format: str) -> bytes:
    """The bytes of a picture file that carries its infotext where the WebUIs look for it."""
    out = io.BytesIO()
    if format.lower() == "png":
        from PIL.PngImagePlugin import PngInfo

        chunks = PngInfo()
        if infotext:
            chunks.add_text("parameters", infotext)
        picture.save(out, "PNG", pnginfo=chunks)
        return out.getvalue()
    exif = picture.getexif()
    if infotext:
        exif.get_ifd(_EXIF_DIRECTORY)[_USER_COMMENT] = b"UNICODE\0" + infotext.encode("utf-16-be")
    form = "WEBP" if format.lower() == "webp" else "JPEG"
    picture.convert("RGB").save(out, form, quality=_QUALITY, exif=exif.tobytes())
    return out.getvalue()
