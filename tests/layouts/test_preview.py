from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from sdkeep.ground.errors import FormatError
from sdkeep.layouts.layout import find
from sdkeep.layouts.preview import LARGEST_FILE, thumbnail, write_preview

A1111 = find("a1111")


def picture(format: str, size: tuple[int, int] = (900, 600), mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red").save(out, format, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_any_picture_of_a_hub_becomes_a_small_png(format: str) -> None:
    found = opened(thumbnail(picture(format)))
    assert (found.format, found.size, found.mode) == ("PNG", (768, 512), "RGB")


def test_a_small_picture_is_not_blown_up() -> None:
    assert opened(thumbnail(picture("PNG", (10, 20)))).size == (10, 20)


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "LA", "1", "I;16", "CMYK"])
def test_every_way_to_hold_colours_is_read(mode: str) -> None:
    found = opened(thumbnail(picture("JPEG" if mode == "CMYK" else "PNG", (9, 9), mode)))
    assert found.mode in ("RGB", "RGBA")


def test_a_preview_tells_no_tales() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a secret prompt")
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    data = thumbnail(picture("PNG", pnginfo=info, exif=exif, icc_profile=b"a secret profile"))
    assert b"secret" not in data
    assert opened(data).info == {}


def test_a_picture_lying_on_its_side_is_stood_up() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(thumbnail(picture("JPEG", (90, 60), exif=exif))).size == (60, 90)


def bomb(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(9000, 9000), (12_000, 9000), (100_000, 100_000)])
def test_a_bomb_is_refused_before_it_unpacks(size: tuple[int, int]) -> None:
    with pytest.raises(FormatError, match="not used"):
        thumbnail(bomb(*size))


@pytest.mark.parametrize(
    "data", [b"", b"<html>", picture("GIF"), picture("BMP", (9, 9)), picture("PNG")[:200], bomb(50, 50)]
)
def test_what_is_no_whole_png_jpeg_or_webp_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="not used"):
        thumbnail(data)


def test_a_huge_file_is_not_even_opened() -> None:
    with pytest.raises(FormatError) as caught:
        thumbnail(b"\0" * (LARGEST_FILE + 1))
    assert "allowed" in caught.value.why


WHOLE = {format: picture(format, (40, 30)) for format in ("PNG", "JPEG", "WEBP")}


@settings(max_examples=150)
@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 2000), st.binary(min_size=1, max_size=4), st.integers(0, 40))
def test_a_broken_picture_is_read_or_refused_and_never_crashes(format: str, at: int, junk: bytes, cut: int) -> None:
    data = bytearray(WHOLE[format])
    at %= len(data)
    data[at : at + len(junk)] = junk
    try:
        thumbnail(bytes(data[: len(data) - cut]))
    except FormatError as error:
        assert error.why


def test_a_preview_is_written_beside_its_model(tmp_path: Path) -> None:
    written = write_preview(A1111, tmp_path / "a.v1.safetensors", thumbnail(picture("PNG")))
    assert written is not None
    assert written.path == tmp_path / "a.v1.preview.png"
    assert written.created


@pytest.mark.parametrize("ending", [".png", ".preview.png", ".jpeg", ".webp"])
def test_a_persons_own_preview_stays_the_only_one(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"a{ending}").write_bytes(b"own")
    assert write_preview(A1111, tmp_path / "a.safetensors", b"new") is None
    assert [path.name for path in tmp_path.iterdir()] == [f"a{ending}"]
    assert (tmp_path / f"a{ending}").read_bytes() == b"own"


def test_our_own_preview_can_be_exchanged(tmp_path: Path) -> None:
    write_preview(A1111, tmp_path / "a.safetensors", b"old")
    written = write_preview(A1111, tmp_path / "a.safetensors", b"new", replace=True)
    assert written is not None
    assert written.path.read_bytes() == b"new"
