from __future__ import annotations

import pytest

from sdkeep.ground.digest import EMPTY_SHA256, Digest, DigestKind, sha256


def test_a_digest_knows_its_length_and_alphabet() -> None:
    with pytest.raises(ValueError, match="10 hexadecimal"):
        Digest(DigestKind.AUTOV2, "abc")
    with pytest.raises(ValueError, match="sha256"):
        sha256("x" * 64)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("SHA256", "0x" + "AB" * 32, "ab" * 32),
        ("AutoV3", "5E2986E4C989", "5e2986e4c989"),
        ("AutoV3", "5E2986E4C989" + "0" * 52, "5e2986e4c989"),
        ("BLAKE3", "cd" * 32, "cd" * 32),
        ("CRC32", " DC3150FB ", "dc3150fb"),
        ("AutoV2", "short", None),
        ("MD5", "ab" * 16, None),
    ],
)
def test_outside_spellings_are_read_or_refused(kind: str, text: str, value: str | None) -> None:
    digest = Digest.of(kind, text)
    assert (digest.value if digest else None) == value


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("dc3150fb", {"crc32", "autov1"}),
        ("c74b4e810b", {"autov2"}),
        ("5E2986E4C989", {"autov3"}),
        (EMPTY_SHA256, {"sha256", "blake3", "sshs"}),
        ("abc", set()),
        ("nothex!!", set()),
    ],
)
def test_a_bare_word_means_every_digest_of_its_length(text: str, kinds: set[str]) -> None:
    assert {d.kind.value for d in Digest.readings(text)} == kinds


def test_a_digest_prints_as_a_reference() -> None:
    assert str(Digest(DigestKind.AUTOV1, "a0f13c83")) == "autov1:a0f13c83"
