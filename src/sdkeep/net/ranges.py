"""A remote file as a `Source`: read by ranges, with read-ahead, a cache and limits, so that a look stays a look."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sdkeep.ground.errors import HubDown, HubGarbled, KeepError, NotByRanges
from sdkeep.net.address import host_of, redact
from sdkeep.net.client import Stream, Web, busy
from sdkeep.net.offer import (
    Denial,
    Offer,
    Refused,
    Validator,
    answer_of,
    denial_of,
    offer_of,
    refused,
    unsatisfied_total,
)
from sdkeep.net.retry import Again, Sleep, Tally, persist, retry_after

BLOCK = 64 * 1024
AHEAD = 4 * BLOCK
FURTHEST = 64 * BLOCK


@dataclass(frozen=True, slots=True)
class RangeLimits:
    """How much a look may cost: bytes received and requests made; `sleep` is how retries wait."""

    bytes: int = 64 * 1024 * 1024
    requests: int = 64
    sleep: Sleep = time.sleep


class HttpSource:
    """Random access to a remote file. The first read finds out its size; blocks once read are kept.

    A gap next to what was read last doubles the read-ahead, so a directory or a pickle takes few requests. `url` is the
    canonical address; where it redirects to is remembered until that is refused. Raises `NotByRanges` when the server
    sends no ranges and the bytes lie too deep, or when a limit is reached; otherwise what `refused` or `Web` raise.
    """

    def __init__(
        self,
        web: Web,
        url: str,
        *,
        limits: RangeLimits | None = None,
        fallbacks: tuple[str, ...] = (),
        refused: Refused = refused,
    ) -> None:
        self.requests = 0
        self.fetched = 0
        self._web = web
        self._urls = [url, *fallbacks]
        self._limits = limits or RangeLimits()
        self._refused = refused
        self._direct = ""
        self._blocks: dict[int, bytes] = {}
        self._size: int | None = None
        self._validator = Validator()
        self._ahead = AHEAD
        self._last = -1
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The canonical address without secrets."""
        return redact(self._urls[0])

    @property
    def size(self) -> int:
        """Length in bytes; asks the server when nothing was read yet."""
        with self._lock:
            if self._size is None:
                self._fetch(0, 1)
            return self._known_size()

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on; fewer only at the end of the file."""
        if offset < 0 or length < 0:
            raise ValueError("offset and length count from 0")
        with self._lock:
            if self._size is None:
                self._fetch(offset // BLOCK, self._wide(offset, length))
            stop = min(offset + length, self._known_size())
            if stop <= offset:
                return b""
            self._fill(offset // BLOCK, -(-stop // BLOCK))
            blocks = b"".join(self._blocks[index] for index in range(offset // BLOCK, -(-stop // BLOCK)))
            skipped = offset // BLOCK * BLOCK
            return blocks[offset - skipped : stop - skipped]

    def _known_size(self) -> int:
        if self._size is None:
            raise HubGarbled(f"{host_of(self.name)} does not say how long the file is", url=self.name)
        return self._size

    def _wide(self, offset: int, length: int) -> int:
        """How many blocks to ask for, with read-ahead, when `length` bytes at `offset` are wanted."""
        return max(-(-(offset % BLOCK + length) // BLOCK), self._ahead // BLOCK)

    def _fill(self, first: int, last: int) -> None:
        """Have every block of [first, last): one request for each run of missing ones, widened by the read-ahead."""
        blocks = -(-self._known_size() // BLOCK)
        while missing := [index for index in range(first, last) if index not in self._blocks]:
            start = missing[0]
            stop = next((index for index in range(start, last) if index in self._blocks), last)
            self._ahead = min(FURTHEST, self._ahead * 2) if start == self._last else AHEAD
            stop = min(blocks, max(stop, start + min(self._ahead, self._left()) // BLOCK))
            if stop == blocks:  # near the end: look back as well, since zip directories lie there
                start = max(0, min(start, stop - min(AHEAD, self._left()) // BLOCK))
            while start in self._blocks:
                start += 1
            stop = next((index for index in range(start, stop) if index in self._blocks), stop)
            self._fetch(start, stop - start)

    def _left(self) -> int:
        """Bytes that may still be received, so that no read-ahead spends what a read will need."""
        return max(self._limits.bytes - self.fetched, 0)

    def _fetch(self, block: int, count: int) -> None:
        tally = Tally(self._web.policy.retry)
        self._last = persist(lambda: self._attempt(block * BLOCK, (block + count) * BLOCK), tally, self._limits.sleep)

    def _attempt(self, start: int, stop: int) -> int:
        """Ask for a range and keep its blocks; the number of the block after them."""
        self._within(stop - start)
        headers = {"range": f"bytes={start}-{stop - 1}"}
        if self._validator.condition:
            headers["if-range"] = self._validator.condition
        self.requests += 1
        try:
            with self._web.open(self._direct or self._urls[0], headers=headers) as stream:
                if stream.status not in (200, 206):
                    return self._denied(stream, start)
                offer = self._agreed(stream, start)
                self._direct = stream.url
                return self._keep(stream, offer, start, min(stop, offer.total or stop))
        except HubDown as error:
            raise Again(error) from error

    def _agreed(self, stream: Stream, start: int) -> Offer:
        """The offer, when it is of the file that we began to read and starts where asked, or at 0."""
        offer = offer_of(stream)
        if offer is None or offer.start not in (0, start):
            why = "it sends another range than asked, or an encoded one"
            raise Again(HubGarbled(f"{host_of(self.name)} garbles the file", why, url=self.name))
        if self._size is None:
            self._size, self._validator = offer.total, offer.validator
            self._known_size()
        elif offer.total not in (None, self._size) or self._validator.differs(offer.validator):
            raise HubGarbled("the file changed while it was read", "", "run the same command again", url=self.name)
        return offer

    def _keep(self, stream: Stream, offer: Offer, start: int, stop: int) -> int:
        if not offer.partial:
            self._within(stop, whole=True)
        data, position = bytearray(), offer.start
        for chunk in stream.chunks():
            self.fetched += len(chunk)
            data += chunk[max(0, start - position) :]
            position += len(chunk)
            if position >= stop:
                break
        if len(data) < stop - start:
            raise Again(HubDown(f"{host_of(self.name)} sent fewer bytes than promised", url=self.name))
        for offset in range(start, stop, BLOCK):
            self._blocks[offset // BLOCK] = bytes(data[offset - start : min(offset + BLOCK, stop) - start])
        return -(-stop // BLOCK)

    def _denied(self, stream: Stream, start: int) -> int:
        answer = answer_of(stream)
        total = unsatisfied_total(answer)
        if answer.status == 416 and total is not None and self._size is None and start >= total:
            self._size = total  # an empty file, or a first read past the end
            return 0
        denial = denial_of(answer, self._urls[0])
        if self._direct and self._direct != self._urls[0] and denial is not Denial.BUSY:
            self._direct = ""
            raise Again(self._refused(answer), 0.0, excused=True)
        if denial is Denial.EXPIRED:
            raise Again(self._refused(answer), excused=True)
        if denial is Denial.BUSY:
            after = retry_after(answer.headers)
            raise Again(busy(answer, after), after)
        if denial is Denial.GONE and len(self._urls) > 1:
            del self._urls[0]
            raise Again(self._refused(answer), 0.0, excused=True)
        raise self._refused(answer)

    def _within(self, more: int, *, whole: bool = False) -> None:
        if whole and more > self._limits.bytes:
            raise self._refuse("the server sends no parts of files")
        if self.requests >= self._limits.requests:
            raise self._refuse(f"{self.requests} requests were not enough")
        if self.fetched + more > self._limits.bytes + BLOCK:
            raise self._refuse(f"more than {self._limits.bytes:,} bytes would have to be read")

    def _refuse(self, why: str) -> KeepError:
        next_ = "download it first: what cannot be looked into is scanned after the download"
        return NotByRanges("this file cannot be looked into from afar", why, next_, url=self.name)
