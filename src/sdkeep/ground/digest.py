"""Digests as values: which algorithm, and its lower-case hexadecimal text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class DigestKind(StrEnum):
    """The hashes that hubs and WebUIs name files by.

    `autov1` is SHA-256 over the 64 KiB at 1 MiB, cut to 8 digits; `autov2` the first 10 digits of the file's SHA-256;
    `sshs` the SHA-256 of a safetensors payload (what follows the header), which kohya writes as `sshs_model_hash` and
    ModelSpec as `hash_sha256`; `autov3` its first 12 digits. The last four name
    tensors whatever file they lie in, see `formats.tensor_digest`; no hub knows them.
    """

    SHA256 = "sha256"
    BLAKE3 = "blake3"
    CRC32 = "crc32"
    AUTOV1 = "autov1"
    AUTOV2 = "autov2"
    AUTOV3 = "autov3"
    SSHS = "sshs"
    TENSORS = "tensors"
    CORE = "core"
    HALF = "half"
    BRAIN = "brain"


DIGITS: dict[DigestKind, int] = {
    DigestKind.SHA256: 64,
    DigestKind.BLAKE3: 64,
    DigestKind.CRC32: 8,
    DigestKind.AUTOV1: 8,
    DigestKind.AUTOV2: 10,
    DigestKind.AUTOV3: 12,
    DigestKind.SSHS: 64,
    DigestKind.TENSORS: 64,
    DigestKind.CORE: 64,
    DigestKind.HALF: 64,
    DigestKind.BRAIN: 64,
}

OF_TENSORS = frozenset({DigestKind.TENSORS, DigestKind.CORE, DigestKind.HALF, DigestKind.BRAIN})
"""The kinds that say what the tensors are, not what the file is."""

_HEX = re.compile(r"[0-9a-f]+")

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """One digest. `value` is lower-case hex of exactly the kind's length; construct from outside text with `of`."""

    kind: DigestKind
    value: str

    def __post_init__(self) -> None:
        if len(self.value) != DIGITS[self.kind] or not _HEX.fullmatch(self.value):
            raise ValueError(f"{self.value!r} is no {self.kind} digest of {DIGITS[self.kind]} hexadecimal digits")

    @classmethod
    def of(cls, kind: str | DigestKind, text: str) -> Digest | None:
        """The digest spelt `text` (any case, `0x` forgiven, longer AutoV3 spellings cut), or None when it is none."""
        try:
            kind = DigestKind(kind.lower())
        except ValueError:
            return None
        value = text.strip().lower().removeprefix("0x")
        if kind is DigestKind.AUTOV3 and len(value) == 64:
            value = value[:12]
        if len(value) != DIGITS[kind] or not _HEX.fullmatch(value):
            return None
        return cls(kind, value)

    @classmethod
    def readings(cls, text: str) -> tuple[Digest, ...]:
        """Every digest that a bare hexadecimal word of 8, 10, 12 or 64 digits can be meant as."""
        value = text.strip().lower()
        if not _HEX.fullmatch(value):
            return ()
        return tuple(
            cls(kind, value) for kind, digits in DIGITS.items() if digits == len(value) and kind not in OF_TENSORS
        )

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


def sha256(value: str) -> Digest:
    """The SHA-256 digest with this hex text; raises ValueError when it is none."""
    return Digest(DigestKind.SHA256, value.lower())
