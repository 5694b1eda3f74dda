"""Text chunks out of PNG, JPEG and WebP, whatever shape they are in."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.formats.contents import Container
from sdkeep.formats.infotext.gathering import LONGEST_TEXT
from sdkeep.formats.infotext.parameters import read_parameters
from sdkeep.formats.infotext.picture import read_picture
from sdkeep.formats.infotext.values import Picture
from sdkeep.formats.source import BytesSource, FileSource
from sdkeep.ground.errors import StoreError
from tests.makers import pictures
from tests.makers.pictures import chunk, comment, exif, international, jpeg, packed, png, seen, stealth, text, webp

INFOTEXT = "a cat\nNegative prompt: a dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"


@pytest.mark.parametrize(
    "piece",
    [
        text("parameters", INFOTEXT),
        packed("parameters", INFOTEXT),
        international("parameters", INFOTEXT),
        international("parameters", INFOTEXT, compressed=True),
    ],
    ids=["tEXt", "zTXt", "iTXt", "iTXt-compressed"],
)
def test_every_kind_of_png_text_is_read(piece: bytes) -> None:
    picture = seen(png(piece, size=(7, 9)))
    assert picture.texts == {"parameters": INFOTEXT}
    assert (picture.container, picture.width, picture.height, picture.problems) == (Container.PNG, 7, 9, ())


def test_text_after_the_pixels_is_read_too() -> None:
    assert seen(png(after=text("parameters", INFOTEXT))).texts == {"parameters": INFOTEXT}


def test_of_two_texts_with_one_keyword_the_later_stays_and_that_is_said() -> None:
    picture = seen(png(text("parameters", "first"), text("parameters", "second")))
    assert picture.texts == {"parameters": "second"}
    assert picture.problems == ("the text `parameters` stands there more than once",)


def test_utf8_in_a_latin1_chunk_is_read_as_utf8() -> None:
    assert seen(png(text("parameters", "テスト, naïve".encode()))).texts["parameters"] == "テスト, naïve"


def test_latin1_in_a_latin1_chunk_stays_latin1() -> None:
    assert seen(png(text("parameters", "café, 50 °C"))).texts["parameters"] == "café, 50 °C"


def test_utf8_read_as_latin1_and_written_again_is_mended() -> None:
    garbled = "#テスト".encode().decode("latin-1")
    assert seen(png(international("parameters", garbled))).texts["parameters"] == "#テスト"


def test_an_itxt_that_is_no_utf8_is_read_all_the_same() -> None:
    assert seen(png(international("parameters", b"caf\xe9"))).texts["parameters"] == "café"


def test_a_wrong_checksum_is_said_and_the_text_is_kept() -> None:
    body = b"parameters\0" + INFOTEXT.encode()
    picture = seen(png(chunk(b"tEXt", body, crc=1)))
    assert picture.texts == {"parameters": INFOTEXT}
    assert picture.problems == ("the checksum of the text `parameters` does not match",)


@pytest.mark.parametrize(
    ("piece", "problem"),
    [
        (chunk(b"tEXt", b"no separator"), "a text chunk has no keyword"),
        (chunk(b"iTXt", b"parameters\0"), "the text chunk `parameters` is broken"),
        (chunk(b"iTXt", b"parameters\0\0\0en"), "the text chunk `parameters` is broken"),
        (chunk(b"zTXt", b"parameters\0\0no deflate"), "the compressed text `parameters` is broken"),
        (chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 99)[:-8]),
        "the compressed text `parameters` is cut short"),
        (text("Raw profile type exif", "\nexif\n 8\nxyz"), "the text `Raw profile type exif` is no profile"),
        (chunk(b"iTXt", b"x\0\1\0en\0key\0broken"), "the compressed text `x` is broken"),
        (text("Raw profile type exif", "nothing"), "the text `Raw profile type exif` is no profile"),
        (chunk(b"eXIf", b"junk"), "the EXIF block has no TIFF header"),
    ],
)  # fmt: skip
def test_a_broken_chunk_is_a_problem_and_the_others_are_read(piece: bytes, problem: str) -> None:
    picture = seen(png(piece, text("prompt", "{}")))
    assert picture.texts["prompt"] == "{}"
    assert problem in picture.problems


def test_a_png_cut_short_gives_what_came_before() -> None:
    whole = png(text("parameters", INFOTEXT))
    picture = seen(whole[:-20])
    assert picture.texts == {"parameters": INFOTEXT}
    assert picture.problems == ("the PNG is cut short inside a chunk `IDAT`",)
    assert seen(png(end=b"")).problems == ("the PNG ends before its last chunk",)


def test_exif_in_a_png_is_read_as_a_chunk_and_as_imagemagick_writes_it() -> None:
    block = comment(b"UNICODE\0" + INFOTEXT.encode("utf-16-be"))
    assert seen(png(chunk(b"eXIf", block))).texts == {"exif:UserComment": INFOTEXT}
    profile = f"\nexif\n    {len(block) + 6}\n" + (b"Exif\0\0" + block).hex()
    assert seen(png(packed("Raw profile type exif", profile))).texts == {"exif:UserComment": INFOTEXT}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "data",
    [
        b"UNICODE\0" + INFOTEXT.encode("utf-16-be"),
        b"UNICODE\0" + INFOTEXT.encode("utf-16-le"),
        b"UNICODE\0" + INFOTEXT.encode("utf-16"),
        b"UNICODE\0\xfe\xff" + INFOTEXT.encode("utf-16-be"),
        b"UNICODE\0" + INFOTEXT.encode("utf-32-le"),
        b"UNICODE\0" + INFOTEXT.encode("utf-32-be"),
        b"UNICODE\0" + INFOTEXT.encode("utf-32"),
        b"UNICODE\0" + INFOTEXT.encode(),
        b"ASCII\0\0\0" + INFOTEXT.encode(),
        b"UTF8\0\0\0\0" + INFOTEXT.encode(),
        b"JIS\0\0\0\0\0" + INFOTEXT.encode("iso2022_jp"),
        bytes(8) + INFOTEXT.encode(),
        bytes(8) + INFOTEXT.encode("utf-16-le"),
        INFOTEXT.encode(),
    ],
    ids=["be", "le", "le-bom", "be-bom", "32le", "32be", "32-bom", "utf8", "ascii", "utf8-prefix", "jis", "undefined",
         "undefined-le", "bare"],
)  # fmt: skip
def test_a_user_comment_is_read_in_every_encoding_and_byte_order(data: bytes, order: str) -> None:
    block = b"Exif\0\0" + comment(data, order=order)
    assert seen(jpeg((0xE1, block))).texts == {"exif:UserComment": INFOTEXT}


@pytest.mark.parametrize("prefix", [b"UNICODE\0", bytes(8)])
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
def test_the_byte_order_is_told_from_a_few_ascii_letters_among_others(prefix: bytes, encoding: str) -> None:
    spelt = "初音ミク, テスト: 1"
    assert seen(jpeg((0xE1, b"Exif\0\0" + comment(prefix + spelt.encode(encoding))))).texts == {
        "exif:UserComment": spelt
    }


@pytest.mark.parametrize(("body", "text"), [("テスト".encode("shift_jis"), "テスト"), (b"\xff\xfe\xfd", "ÿþý")])
def test_a_jis_comment_in_shift_jis_is_read_and_other_bytes_are_not_lost(body: bytes, text: str) -> None:
    block = b"Exif\0\0" + comment(b"JIS\0\0\0\0\0" + body)
    assert seen(jpeg((0xE1, block))).texts == {"exif:UserComment": text}


def test_wide_letters_without_any_zero_byte_are_read_as_the_webui_writes_them() -> None:
    block = b"Exif\0\0" + comment(b"UNICODE\0" + "初音ミク・猫".encode("utf-16-be"))
    assert seen(jpeg((0xE1, block))).texts == {"exif:UserComment": "初音ミク・猫"}


def test_a_jpeg_gives_its_comment_its_xmp_and_its_size() -> None:
    picture = seen(jpeg((0xFE, INFOTEXT.encode()), (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), size=(640, 480)))
    assert picture.texts == {"comment": INFOTEXT, "xmp": "<x/>"}
    assert (picture.container, picture.width, picture.height) == (Container.JPEG, 640, 480)


def test_padding_and_bare_markers_between_jpeg_segments_are_passed() -> None:
    data = jpeg((0xFE, b"hello"))
    assert seen(b"\xff\xd8\xff\xff\xff\x01" + data[2:]).texts == {"comment": "hello"}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (jpeg((0xFE, b"hello"))[:8], "the JPEG is cut short inside a segment"),
        (b"\xff\xd8\xff\xfe\0\1", "the JPEG is cut short inside a segment"),
        (b"\xff\xd8\xff\xfe\0\3a", "the JPEG breaks off between its segments"),
        (b"\xff\xd8\xff\xfe\0\3a\0\0\0\0", "the JPEG breaks off between its segments"),
    ],
)
def test_a_broken_jpeg_says_so(data: bytes, problem: str) -> None:
    assert problem in seen(data).problems


def test_a_jpeg_of_endless_padding_is_given_up() -> None:
    assert seen(b"\xff\xd8" + b"\xff" * 50_000).problems == ("the JPEG has more than 10,000 segments",)


def test_fields_that_programs_keep_in_directory_0_are_read_wherever_they_stand() -> None:
    block = exif(
        (0x010F, 2, b"workflow:{}"),
        (0x0110, 2, b"prompt:{}"),
        (0x0131, 2, b"abc"),
        (0x9C9C, 1, "windows".encode("utf-16-le")),
        (pictures.USER_COMMENT, 2, INFOTEXT.encode()),
        (0x927C, 7, bytes(range(1, 200))),
    )
    assert seen(jpeg((0xE1, b"Exif\0\0" + block))).texts == {
        "exif:Make": "workflow:{}",
        "exif:Model": "prompt:{}",
        "exif:Software": "abc",
        "exif:XPComment": "windows",
        "exif:UserComment": INFOTEXT,
    }


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (b"MM\0*\0\0\xff\xff", "an EXIF directory lies beyond its block"),
        (b"MM\0*\0\0\0\x08\0\x05", "an EXIF directory is cut short"),
        (b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHII", 0x010E, 2, 999, 8),
        "the EXIF field `ImageDescription` is cut short"),
        (b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHII", 0x8769, 4, 1, 9999), "an EXIF directory lies beyond its block"),
    ],
)  # fmt: skip
def test_a_broken_exif_block_says_so(block: bytes, problem: str) -> None:
    assert seen(jpeg((0xE1, b"Exif\0\0" + block))).problems == (problem,)


def test_an_exif_directory_that_points_to_itself_ends() -> None:
    block = b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHII", 0x8769, 4, 1, 8) + bytes(4)
    assert seen(jpeg((0xE1, b"Exif\0\0" + block))).texts == {}


def test_a_webp_gives_its_exif_its_xmp_and_its_size() -> None:
    block = comment(b"UNICODE\0" + INFOTEXT.encode("utf-16-be"))
    picture = seen(webp((b"EXIF", block), (b"XMP ", b"<x/>"), size=(1024, 768)))
    assert picture.texts == {"exif:UserComment": INFOTEXT, "xmp": "<x/>"}
    assert (picture.container, picture.width, picture.height) == (Container.WEBP, 1024, 768)


@pytest.mark.parametrize(
    "first",
    [
        (b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 33, 44)),
        (b"VP8L", b"\x2f" + (32 | 43 << 14).to_bytes(4, "little")),
    ],
)
def test_a_webp_without_an_extended_header_has_a_size_all_the_same(first: tuple[bytes, bytes]) -> None:
    kind, data = first
    body = kind + struct.pack("<I", len(data)) + data
    picture = seen(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body, hidden=False)
    assert (picture.width, picture.height) == (33, 44)


def test_a_webp_of_many_chunks_is_given_up_and_a_short_header_has_no_size() -> None:
    picture = seen(webp((b"VP8X", b""), *[(b"abcd", b"")] * 100_001), hidden=False)
    assert picture.problems == ("the WebP has more than 100,000 chunks",)
    assert seen(b"RIFF\4\0\0\0WEBPVP8L\0\0\0\0", hidden=False).width == 0


def test_a_jpeg_with_a_frame_too_short_has_no_size() -> None:
    picture = seen(b"\xff\xd8\xff\xe1\0\6none\xff\xc0\0\3\0\xff\xd9")
    assert (picture.width, picture.texts) == (0, {})


def test_a_webp_cut_short_says_so() -> None:
    whole = webp((b"XMP ", b"<x/>"), (b"EXIF", comment(b"ASCII\0\0\0hello")))
    assert seen(whole[:-4], hidden=False).problems == ("the WebP is cut short inside a chunk `EXIF`",)
    assert seen(whole[:35], hidden=False).problems == ("the WebP ends inside a chunk's head",)


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a", b"\x80\x02}q\0."])
def test_what_is_no_picture_is_named(data: bytes) -> None:
    picture = seen(data)
    assert picture.texts == {}
    assert picture.problems[0].startswith("this is no PNG, JPEG or WebP, but ")


# Hidden messages


@pytest.mark.parametrize("form", ["stealth_pnginfo", "stealth_pngcomp", "stealth_rgbinfo", "stealth_rgbcomp"])
def test_a_message_hidden_in_the_pixels_is_found(form: str) -> None:
    assert seen(stealth(INFOTEXT + ", Ünicode: テ", form)).texts == {"stealth": INFOTEXT + ", Ünicode: テ"}


def test_pixels_are_not_decoded_when_a_text_tells_or_when_that_is_not_wanted() -> None:
    data = stealth(INFOTEXT, "stealth_pngcomp")
    assert seen(data, hidden=False).texts == {}
    told = data[:33] + text("parameters", "a cat") + data[33:]
    assert seen(told).texts == {"parameters": "a cat"}


@pytest.mark.parametrize("length", [0, 2**31, 8 * 48 * 48])
def test_a_hidden_message_with_a_length_that_cannot_be_is_none(length: int) -> None:
    picture = seen(stealth(INFOTEXT, "stealth_pnginfo", length=length))
    assert picture.texts == {}
    assert picture.problems == ("the hidden message is longer than the picture can hold",)


def test_pixels_that_cannot_be_decoded_are_a_problem() -> None:
    broken = stealth(INFOTEXT, "stealth_pngcomp").replace(b"IDAT\x78", b"IDAT\x00")
    assert seen(broken).problems == ("the pixels cannot be decoded",)


def test_grey_pixels_and_empty_texts_hold_nothing() -> None:
    assert seen(png(text("Title", ""))) == Picture(Container.PNG, 1, 1)


def test_a_hidden_bomb_is_not_unpacked() -> None:
    picture = seen(stealth("x" * (LONGEST_TEXT + 1), "stealth_pngcomp", side=400))
    assert picture.texts == {}
    assert "is left out, because it unpacks to too much" in picture.problems[0]


def test_a_huge_picture_is_not_decoded() -> None:
    picture = seen(png(size=(1, 1)).replace(struct.pack(">II", 1, 1), struct.pack(">II", 60_000, 60_000), 1))
    assert picture.problems == ("the picture is too large to look for a hidden message in its pixels",)


# Bombs and noise


def test_a_huge_text_chunk_is_left_out_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    front = png(text("parameters", INFOTEXT))[:-40]
    with path.open("wb") as file:
        file.write(pictures.SIGNATURE + front[8:33] + text("parameters", INFOTEXT))
        file.write(struct.pack(">I4s", 100 * 1024 * 1024, b"tEXt") + b"workflow\0")
        file.seek(100 * 1024 * 1024 - 9, os.SEEK_CUR)
        file.write(bytes(4) + chunk(b"IEND", b""))
    tracemalloc.start()
    try:
        with FileSource(path) as source:
            picture = read_picture(source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert picture.texts == {"parameters": INFOTEXT}
    assert picture.problems == ("the text `workflow` of 104,857,600 bytes is left out, because that is too much",)
    assert peak < 1024 * 1024


def test_a_text_that_unpacks_to_too_much_is_left_out() -> None:
    tracemalloc.start()
    try:
        picture = seen(png(packed("workflow", b"x" * 100_000_000), text("parameters", INFOTEXT)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert picture.texts == {"parameters": INFOTEXT}
    assert picture.problems == ("the compressed text `workflow` is left out, because it unpacks to too much",)
    assert peak < 120_000_000 + 3 * LONGEST_TEXT  # the test's own picture, and the budget


def test_many_texts_together_stay_within_the_budget() -> None:
    piece = b"x" * (LONGEST_TEXT - 100)
    picture = seen(png(*(text(f"t{number}", piece) for number in range(5))))
    assert len(picture.texts) == 4
    assert len(seen(png(*(text(f"t{number}", "x") for number in range(999)))).texts) == 256


def test_a_png_of_empty_chunks_is_given_up() -> None:
    assert seen(png(chunk(b"abCd", b"") * 100_001), hidden=False).problems == ("the PNG has more than 100,000 chunks",)


class _Failing:
    name = "failing"
    size = 5000

    def read_at(self, offset: int, length: int) -> bytes:
        if offset >= 8:
            raise StoreError("the disk is gone")
        return pictures.SIGNATURE.ljust(length, b"\0")


def test_what_the_source_raises_is_not_taken_for_a_broken_picture() -> None:
    with pytest.raises(StoreError):
        read_picture(_Failing())


_WHOLE = [
    png(text("parameters", INFOTEXT), packed("prompt", "{}"), international("x", "y", compressed=True)),
    png(chunk(b"eXIf", comment(b"UNICODE\0" + INFOTEXT.encode("utf-16-be")))),
    jpeg((0xE1, b"Exif\0\0" + comment(b"UNICODE\0" + INFOTEXT.encode("utf-16-le"), order="<")), (0xFE, b"hello")),
    webp((b"EXIF", comment(b"ASCII\0\0\0" + INFOTEXT.encode())), (b"XMP ", b"<x/>")),
    stealth(INFOTEXT, "stealth_pngcomp"),
]


@settings(max_examples=150)
@given(st.data())
def test_a_mutated_picture_never_raises(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(_WHOLE)))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=6)):
        whole[place] = value
    cut = data.draw(st.integers(0, len(whole)))
    read_parameters(seen(bytes(whole[:cut] if data.draw(st.booleans()) else whole)))


@settings(max_examples=150)
@given(st.sampled_from([b"", pictures.SIGNATURE, b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"]), st.binary(max_size=600))
def test_random_bytes_never_raise(front: bytes, rest: bytes) -> None:
    picture = read_picture(BytesSource(front + rest))
    assert picture.container is not None
    read_parameters(picture)
