"""Every digest that hubs and WebUIs name files by, from one pass over the bytes."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from blake3 import blake3

from sdkeep.formats.checksum import crc32
from sdkeep.formats.safetensors import MOST_HEADER
from sdkeep.formats.source import FileSource
from sdkeep.ground.digest import DIGITS, OF_TENSORS, Digest, DigestKind
from sdkeep.ground.errors import StoreError
from sdkeep.ground.events import Report, Stop, silent, stage
from sdkeep.ground.source import Source

ALL: frozenset[DigestKind] = frozenset(DigestKind) - OF_TENSORS

_ORDER = tuple(DigestKind)
_PIECE = 1 << 20
_LARGE_PIECE = 4 << 20
_WORTH_THREADS = 32 << 20
_AHEAD = 3
"""Pieces in memory: a digest may be that far ahead of the slowest one."""

_OLD_START, _OLD_LENGTH = 0x100000, 0x10000


class Hasher:
    """Takes a file's bytes in order and in pieces of any size, and knows its digests at the end.

    AutoV1 exists for files longer than 1 MiB only: of shorter ones it is the digest of nothing. AutoV3 and kohya's
    `sshs_model_hash` exist for files whose first bytes are a safetensors header. kohya's `sshs_legacy_hash` is not
    among them: it covers a file that was never written, with part of the metadata.
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
        self._undecided = bool(kinds & {DigestKind.AUTOV3, DigestKind.SSHS})

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        for take in self.parts(data).values():
            take()

    def parts(self, data: bytes | memoryview) -> dict[DigestKind, Callable[[], object]]:
        """The work on the next bytes by digest: one must follow the bytes, and need not wait for another."""
        if not data:
            return {}
        at, self._done = self._done, self._done + len(data)
        work: dict[DigestKind, Callable[[], object]] = {}
        if self._whole:
            work[DigestKind.SHA256] = partial(self._whole.update, data)
        if self._undecided:
            self._decide(data)
        if self._payload_at is not None and self._done > self._payload_at:
            work[DigestKind.SSHS] = partial(self._payload.update, memoryview(data)[max(self._payload_at - at, 0) :])
        if DigestKind.CRC32 in self._kinds:
            work[DigestKind.CRC32] = partial(self._take_crc32, data)
        if self._blake3:
            work[DigestKind.BLAKE3] = partial(self._blake3.update, data)
        if at < _OLD_START + _OLD_LENGTH and self._done > _OLD_START:
            self._old.update(data[max(_OLD_START - at, 0) : _OLD_START + _OLD_LENGTH - at])
        return work

    def _take_crc32(self, data: bytes | memoryview) -> None:
        self._crc32 = crc32(data, self._crc32)

    def _decide(self, data: bytes | memoryview) -> None:
        """Whether this is safetensors, and where its payload begins, as soon as nine bytes are there."""
        self._front += data[: 9 - len(self._front)]
        if len(self._front) == 9:
            self._undecided = False
            self._payload_at = _payload_start(self._front, self._size)

    def finish(self) -> tuple[Digest, ...]:
        """The digests of everything taken so far, in the order of `DigestKind`."""
        makers: dict[DigestKind, Callable[[], str]] = {
            DigestKind.SHA256: lambda: self._whole.hexdigest() if self._whole else "",
            DigestKind.BLAKE3: lambda: self._blake3.hexdigest() if self._blake3 else "",
            DigestKind.CRC32: lambda: f"{self._crc32:08x}",
            DigestKind.AUTOV1: lambda: self._old.hexdigest() if self._done > _OLD_START else "",
            DigestKind.AUTOV2: lambda: self._whole.hexdigest() if self._whole else "",
            DigestKind.AUTOV3: self._payload_digest,
            DigestKind.SSHS: self._payload_digest,
        }
        found = ((kind, make()) for kind, make in makers.items() if kind in self._kinds)
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


def digests_of(data: bytes) -> tuple[Digest, ...]:
    """All digests of a whole file in memory: what `Hasher` comes to, without its bookkeeping."""
    sha256 = hashlib.sha256(data).hexdigest()
    values = {
        DigestKind.SHA256: sha256,
        DigestKind.BLAKE3: blake3(data).hexdigest(),
        DigestKind.CRC32: f"{crc32(data):08x}",
        DigestKind.AUTOV2: sha256,
    }
    if len(data) > _OLD_START:
        values[DigestKind.AUTOV1] = hashlib.sha256(data[_OLD_START : _OLD_START + _OLD_LENGTH]).hexdigest()
    if (start := _payload_start(data[:9], len(data))) is not None:
        values[DigestKind.AUTOV3] = values[DigestKind.SSHS] = hashlib.sha256(memoryview(data)[start:]).hexdigest()
    return tuple(Digest(kind, values[kind][: DIGITS[kind]]) for kind in _ORDER if kind in values)


def digest_file(
    file: Path | Source, kinds: frozenset[DigestKind] = ALL, *, report: Report = silent, stop: Stop | None = None
) -> tuple[Digest, ...]:
    """The digests of a file or source, read once from front to end; raises the errors of reading it, and `Stopped`.

    A file on disk that changes meanwhile has no digest: `StoreError`.
    """
    if not isinstance(file, Path):
        return _digest(file, kinds, report, stop)
    with FileSource(file) as source:
        before = _trace(file)
        found = _digest(source, kinds, report, stop)
    if _trace(file) != before:
        raise StoreError(f"`{file}` changed while it was read", "something is writing it", "wait until it is whole")
    return found


def _trace(path: Path) -> tuple[int, ...]:
    """What changes with a file: its size, its time, which file it is; empty once it is gone."""
    try:
        info = path.stat()
    except OSError:
        return ()
    return info.st_size, info.st_mtime_ns, info.st_ino


def _digest(source: Source, kinds: frozenset[DigestKind], report: Report, stop: Stop | None) -> tuple[Digest, ...]:
    hasher = Hasher(kinds, source.size)
    with ExitStack() as held, stage(report, f"hash:{source.name}", f"hash {source.name}", source.size) as moved:
        lanes = held.enter_context(_Lanes()) if source.size >= _WORTH_THREADS else None
        done = 0
        for data in _pieces(source, _LARGE_PIECE if lanes else _PIECE, _AHEAD if lanes else 1):
            if stop:
                stop.check()
            done += len(data)
            if lanes:
                lanes.take(hasher.parts(data))
            else:
                hasher.update(data)
            moved(done)
        if lanes:
            lanes.finish()
    return hasher.finish()


class _Lanes:
    """A thread for each digest, so that none waits for another but where it is all the pieces ahead."""

    def __init__(self) -> None:
        self._threads: dict[DigestKind, ThreadPoolExecutor] = {}
        self._running: deque[list[Future[object]]] = deque()

    def take(self, work: dict[DigestKind, Callable[[], object]]) -> None:
        """Begin with a piece; returns when the memory of the oldest one is free again."""
        for kind in work.keys() - self._threads.keys():
            self._threads[kind] = ThreadPoolExecutor(1, f"digest-{kind}")
        self._running.append([self._threads[kind].submit(part) for kind, part in work.items()])
        while len(self._running) >= _AHEAD:
            self._wait()

    def finish(self) -> None:
        """Wait for all."""
        while self._running:
            self._wait()

    def _wait(self) -> None:
        for future in self._running.popleft():
            future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        for thread in self._threads.values():
            thread.shutdown(wait=True, cancel_futures=True)


def _pieces(source: Source, size: int, ahead: int) -> Iterator[bytes | memoryview]:
    """The bytes of a source in order; a piece is good until `ahead` more were asked for."""
    done = 0
    if not isinstance(source, FileSource):
        while done < source.size and (data := source.read_at(done, size)):
            yield data
            done += len(data)
        return
    buffers = [memoryview(bytearray(min(size, source.size))) for _ in range(ahead)]
    while done < source.size and (got := source.read_into(done, buffer := buffers[done // size % ahead])):
        yield buffer[:got]
        done += got
