"""What to download, under which rules, and what came of it."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sdkeep.net.address import redact
from sdkeep.net.offer import Refused, refused
from sdkeep.net.retry import RetryPolicy

MIB = 1024 * 1024

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Updatable(Protocol):
    """What is fed the bytes in order: a hash object, or several behind one face."""

    def update(self, data: bytes, /) -> object:
        """Take the next bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to fetch.

    `url` is its canonical address without a token, asked anew on every attempt; `fallbacks` are tried after a 404.
    `size` is in bytes, where published exactly; `sha256` the published digest. `name` is for people. `kind_is_model`
    means that web pages and JSON are refused. `key` names the partial file: by default the digest, else the address.
    """

    url: str
    fallbacks: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    name: str = ""
    kind_is_model: bool = True
    key: str = ""

    def __post_init__(self) -> None:
        if self.sha256:
            object.__setattr__(self, "sha256", self.sha256.lower())
        if not self.name:
            object.__setattr__(self, "name", redact(self.url))
        if not self.key:
            object.__setattr__(self, "key", self.sha256 or "url-" + hashlib.sha256(self.url.encode()).hexdigest())
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"{self.key!r} cannot name a partial file")


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """The rules of a download; times in seconds, sizes in bytes.

    `resolve_error` turns a hub's refusal into the error to raise. From `split_from` on up to `connections` share the
    work, none with less than `grain`. A connection slower than `slow_rate` per second for `slow_time` is replaced;
    without any progress for `give_up` the download ends. `reserve` stays free on the disk. The journal is written every
    `checkpoint`. `lock_wait` is how long to wait for another process with the same file.
    """

    resolve_error: Refused = refused
    connections: int = 4
    split_from: int = 64 * MIB
    grain: int = 16 * MIB
    slow_rate: float = 1024.0
    slow_time: float = 30.0
    give_up: float = 600.0
    reserve: int = 64 * MIB
    checkpoint: float = 2.0
    lock_wait: float = 0.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete, verified file, still in the staging folder.

    `name` is the raw file name that the server gave, or empty. `resumed_from` is how many bytes an earlier run had
    brought. `hashed` is whether the hasher that was passed in saw exactly these bytes; it did not when the file changed
    on the server half-way, and then the file has to be read for its digests.
    """

    path: Path
    size: int
    sha256: str
    etag: str = ""
    name: str = ""
    url_host: str = ""
    resumed_from: int = 0
    hashed: bool = False
