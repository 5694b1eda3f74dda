"""First bytes by which containers are told, and what of them can be asked of a member inside another file."""

from __future__ import annotations

import zlib

from sdkeep.formats.contents import Container

MAGICS = (
    (b"\x89PNG\r\n\x1a\n", Container.PNG),
    (b"\xff\xd8\xff", Container.JPEG),
    (b"7z\xbc\xaf\x27\x1c", Container.SEVEN_ZIP),
    (b"Rar!\x1a\x07", Container.RAR),
    (b"\x1f\x8b\x08", Container.GZIP),
    (b"BZh", Container.BZIP2),
    (b"\xfd7zXZ\0", Container.XZ),
    (b"\x5d\0\0", Container.XZ),
    (b"\x04\x22\x4d\x18", Container.LZ4),
    (b"\x28\xb5\x2f\xfd", Container.ZSTD),
    (b"ZF0x", Container.ZFILE),
    (b"GGUF", Container.GGUF),
    (b"\x93NUMPY", Container.NUMPY),
    (b"version https://git-lfs.github.com/spec/", Container.LFS_POINTER),
)
ZIPS = (b"PK\x03\x04", b"PK\x05\x06")

STREAMS = frozenset({Container.GZIP, Container.ZLIB, Container.BZIP2, Container.XZ})
"""Compressed files: one stream that holds one file."""

CLOSED = frozenset({Container.SEVEN_ZIP, Container.RAR, Container.LZ4, Container.ZSTD, Container.ZFILE})
"""What holds other files and is not opened here: no decompressor for it comes with Python."""

_NESTED = frozenset({*STREAMS, *CLOSED, Container.ZIP, Container.TAR})


def by_magic(front: bytes) -> Container | None:
    """The container whose magic number begins `front`; `ZIP` for every kind of zip."""
    if front.startswith(ZIPS):
        return Container.ZIP
    for magic, container in MAGICS:
        if front.startswith(magic):
            return container
    if front[:4] == b"RIFF" and front[8:12] == b"WEBP":
        return Container.WEBP
    if front[257:262] == b"ustar" or _is_old_tar(front):
        return Container.TAR
    return Container.ZLIB if _is_zlib(front) else None


def holds_files(front: bytes) -> bool:
    """Whether something that begins so holds other files, in which there may be pickles."""
    return by_magic(front) in _NESTED


def _is_old_tar(front: bytes) -> bool:
    """A tar without magic, as Python wrote for torch before 0.1.10: the header's checksum fits."""
    if len(front) < 512 or not front[0] or front[156:157] not in (b"\0", b"0", b"5"):
        return False
    stated = front[148:156].strip(b" \0")
    if not stated or not all(digit in b"01234567" for digit in stated):
        return False
    return sum(front[:148]) + sum(front[156:512]) + 8 * 32 == int(stated, 8)


def _is_zlib(front: bytes) -> bool:
    """The two bytes of zlib's header have no magic, so a little is unpacked. So joblib writes by default."""
    if len(front) < 8 or front[0] != 0x78 or (front[0] << 8 | front[1]) % 31:
        return False
    try:
        return bool(zlib.decompressobj().decompress(front, 64))
    except zlib.error:
        return False
