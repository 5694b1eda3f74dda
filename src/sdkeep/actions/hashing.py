"""Hash what was catalogued where it lies: several files at once, every result kept, so that a kill loses seconds.

The catalogue is the cache: a path is hashed again only when its size, time or inode is another one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from sdkeep.actions.examine import examine
from sdkeep.actions.folders import Seen, look_at
from sdkeep.actions.house import House
from sdkeep.catalogue.sightings import Hashed, Settled
from sdkeep.formats.digests import ALL, digest_file, digests_of
from sdkeep.formats.source import FileSource
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.errors import KeepError
from sdkeep.ground.events import Stop, Stopped, silent, stage
from sdkeep.ground.record import Location
from sdkeep.store.platform import mtime_of

MOST_WORKERS = 4
_KEPT_EVERY = 1.0
"""Seconds of hashing that a kill may cost."""

_MOST_KEPT = 512
_SMALL = 4 << 20
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class HashOutcome:
    """What hashing came to: paths that are known now, and those that could not be read, with the reason."""

    settled: tuple[Settled, ...]
    failed: tuple[tuple[str, str], ...] = ()


def hash_waiting(house: House, workers: int = 0) -> HashOutcome:
    """Hash every path that waits for it, small files first; stopped or killed, the next call goes on.

    `workers` 0 means one a core, up to four. A file that changes under the reader keeps waiting.
    """
    files, size = house.book.count_waiting()
    if not files:
        return HashOutcome(())
    settled: list[Settled] = []
    failed: list[tuple[str, str]] = []
    results: list[Hashed] = []
    done, kept = 0, time.monotonic()
    noun = "file" if files == 1 else "files"
    with stage(house.report, "hashing", f"hashing {files} {noun}", size) as moved:
        try:
            for result in _hashed(house, workers or min(os.cpu_count() or 1, MOST_WORKERS)):
                done += result.location.size
                moved(done)
                if isinstance(result, Failed):
                    failed.append((result.location.path, result.why))
                    continue
                results.append(result)
                if len(results) >= _MOST_KEPT or time.monotonic() - kept > _KEPT_EVERY:
                    settled += _keep(house, results)
                    kept = time.monotonic()
        finally:
            settled += _keep(house, results)
    return HashOutcome(tuple(settled), tuple(failed))


@dataclass(frozen=True, slots=True)
class Failed:
    """A path that could not be hashed."""

    location: Location
    why: str


def hash_one(path: str, stop: Stop) -> tuple[Seen, Hashed] | Failed:
    """The digests of one path, with what it looked like before and after; a change in between is a failure."""
    before = look_at(path)
    if before is None:
        return Failed(Seen(path, 0, 0, 0).in_place(), "it is gone")
    try:
        digests = digest_file(Path(path), ALL, report=silent, stop=stop)
    except KeepError as error:
        return Failed(before.in_place(), f"{error.what}" + (f": {error.why}" if error.why else ""))
    after = look_at(path)
    if after is None or after.trace != before.trace:
        return Failed(before.in_place(), "it changed while it was read")
    sha256 = next(digest.value for digest in digests if digest.kind is DigestKind.SHA256)
    return before, Hashed(before.in_place(), sha256, digests)


def _hashed(house: House, workers: int) -> Iterator[Hashed | Failed]:
    """The results of all that waits, as they come; never more files in hand than the workers need."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="hash")
    running: set[Future[list[Hashed | Failed]]] = set()
    try:
        for handful in _handfuls(_waiting(house)):
            running.add(pool.submit(_several, handful, house.stop))
            if len(running) >= workers * 2:
                ready, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield from future.result()
        while running:
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                yield from future.result()
    finally:
        for future in running:
            future.cancel()
        pool.shutdown(wait=True, cancel_futures=True)


def _handfuls(locations: Iterable[Location]) -> Iterator[list[Location]]:
    """Work for one turn of a worker: one large file, or small ones up to as many bytes."""
    handful: list[Location] = []
    for location in locations:
        handful.append(location)
        if len(handful) >= _AT_ONCE or sum(one.size for one in handful) > _SMALL:
            yield handful
            handful = []
    if handful:
        yield handful


def _several(handful: Sequence[Location], stop: Stop) -> list[Hashed | Failed]:
    return [_one(location, stop) for location in handful]


def _waiting(house: House) -> Iterator[Location]:
    after = (-1, "")
    while page := house.book.waiting(after):
        for location in page:
            house.stop.check()
            yield location
        after = (page[-1].size, page[-1].path)


def _one(location: Location, stop: Stop) -> Hashed | Failed:
    if location.size <= _SMALL and (small := _small(location, stop)) is not None:
        return small
    found = hash_one(location.path, stop)
    if isinstance(found, Failed):
        return Failed(location, found.why)
    seen, hashed = found
    if not seen.fits(location):
        return Failed(location, "it changed since it was catalogued; `sdkeep sync` looks again")
    return hashed


def _small(location: Location, stop: Stop) -> Hashed | None:
    """A small file read at once, for its bookkeeping would cost more than its bytes; None where anything is odd."""
    stop.check()
    recorded = (location.size, location.mtime_ns, location.inode)
    try:
        file = os.open(location.path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            data = os.read(file, location.size + 1)
            traces = {_trace(os.fstat(file)), _trace(os.stat(location.path))}  # noqa: PTH116 - may be no valid text
        finally:
            os.close(file)
    except (OSError, ValueError):
        return None
    if traces != {recorded} or len(data) != location.size:
        return None
    digests = digests_of(data)
    return Hashed(location, next(one.value for one in digests if one.kind is DigestKind.SHA256), digests)


def _trace(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_size, mtime_of(info), info.st_ino


def _keep(house: House, results: list[Hashed]) -> tuple[Settled, ...]:
    """Record what is done so far, and judge anew the few files of which a person allowed something."""
    if not results:
        return ()
    settled = house.book.settle(results)
    results.clear()
    decided = {allowance.sha256 for allowance in house.book.allowances()} if settled else set()
    for one in settled:
        if one.sha256 in decided:
            _judge_again(house, one)
    return settled


def _judge_again(house: House, one: Settled) -> None:
    from sdkeep.audit.judge import judge
    from sdkeep.audit.scan import text_of

    try:
        seen = examine(Path(one.path), house.stop)
        with FileSource(Path(one.path)) as source:
            text, allowed = text_of(source, seen.contents), house.allowed(one.sha256)
            verdict = judge(seen.contents, text=text, allowed=allowed, name=one.path)
    except (KeepError, Stopped):
        return
    house.book.put_verdict(one.sha256, verdict)
