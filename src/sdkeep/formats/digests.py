"""Every digest that hubs and WebUIs name files by, from one pass over the bytes."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path

from blake3 import blake3

from sdkeep.formats.safetensors import MOST_HEADER
from sdkeep.formats.source import FileSource
from sdkeep.ground.digest import DIGITS, Digest, DigestKind
from sdkeep.ground.events import Report, Stop, silent, stage
from sdkeep.ground.source import Source

ALL: frozenset[DigestKind] = frozenset(DigestKind)

_PIECE = 1 << 20
_OLD_START, _OLD_LENGTH = 0x100000, 0x10000


class Hasher:
    """Takes a file's bytes in order and in pieces of any size, and knows its digests at the end.

    AutoV1 exists for files longer than 1 MiB only: of shorter ones it is the digest of nothing. AutoV3 exists for
    files whose first bytes are a safetensors header.
    """

    def __init__(self, kinds: frozenset[DigestKind] = ALL, size: int | None = None) -> None:
        """`size` in bytes, where known, spares files that cannot be safetensors the second SHA-256."""
        self._kinds = kinds
        self._size = size
        self._done = 0
        self._front = b""
        self._payload_at: int | None = None
        self._whole = hashlib.sha256() if kinds & {DigestKind.SHA256, DigestKind.AUTOV2} else None
        self._blake3 = blake3() if DigestKind.BLAKE3 in kinds else None
        self._crc32 = 0
        self._old = hashlib.sha256()
        self._payload = hashlib.sha256()
        self._undecided = DigestKind.AUTOV3 in kinds

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        if not data:
            return
        if self._whole:
            self._whole.update(data)
        if self._blake3:
            self._blake3.update(data)
        if DigestKind.CRC32 in self._kinds:
            self._crc32 = zlib.crc32(data, self._crc32)
        if self._done < _OLD_START + _OLD_LENGTH and self._done + len(data) > _OLD_START:
            self._old.update(data[max(_OLD_START - self._done, 0) : _OLD_START + _OLD_LENGTH - self._done])
        if self._undecided or self._payload_at is not None:
            self._take_payload(data)
        self._done += len(data)

    def _take_payload(self, data: bytes) -> None:
        if self._undecided:
            self._front += data[: 9 - len(self._front)]
            if len(self._front) < 9:
                return
            self._undecided = False
            self._payload_at = _payload_start(self._front, self._size)
        if self._payload_at is not None and self._done + len(data) > self._payload_at:
            self._payload.update(memoryview(data)[max(self._payload_at - self._done, 0) :])

    def finish(self) -> tuple[Digest, ...]:
        """The digests of everything taken so far, in the order of `DigestKind`."""
        makers: dict[DigestKind, Callable[[], str]] = {
            DigestKind.SHA256: lambda: self._whole.hexdigest() if self._whole else "",
            DigestKind.BLAKE3: lambda: self._blake3.hexdigest() if self._blake3 else "",
            DigestKind.CRC32: lambda: f"{self._crc32:08x}",
            DigestKind.AUTOV1: lambda: self._old.hexdigest() if self._done > _OLD_START else "",
            DigestKind.AUTOV2: lambda: self._whole.hexdigest() if self._whole else "",
            DigestKind.AUTOV3: self._payload_digest,
        }
        found = ((kind, makers[kind]()) for kind in DigestKind if kind in self._kinds)
        return tuple(Digest(kind, value[: DIGITS[kind]]) for kind, value in found if value)

    def _payload_digest(self) -> str:
        known = self._payload_at is not None and self._payload_at <= self._done
        return self._payload.hexdigest() if known else ""


def _payload_start(front: bytes, size: int | None) -> int | None:
    """Where a safetensors payload begins, None when the first nine bytes are no such file's."""
    length = int.from_bytes(front[:8], "little")
    if front[8:9] != b"{" or not 2 <= length <= MOST_HEADER or (size is not None and 8 + length > size):
        return None
    return 8 + length


def digest_file(
    file: Path | Source, kinds: frozenset[DigestKind] = ALL, *, report: Report = silent, stop: Stop | None = None
) -> tuple[Digest, ...]:
    """The digests of a file or source, read once from front to end; raises the errors of reading it, and `Stopped`."""
    if isinstance(file, Path):
        with FileSource(file) as source:
            return _digest(source, kinds, report, stop)
    return _digest(file, kinds, report, stop)


def _digest(source: Source, kinds: frozenset[DigestKind], report: Report, stop: Stop | None) -> tuple[Digest, ...]:
    hasher = Hasher(kinds, source.size)
    with stage(report, f"hash:{source.name}", f"hash {source.name}", source.size) as moved:
        done = 0
        while done < source.size:
            if stop:
                stop.check()
            data = source.read_at(done, _PIECE)
            if not data:
                break
            hasher.update(data)
            done += len(data)
            moved(done)
    return hasher.finish()
