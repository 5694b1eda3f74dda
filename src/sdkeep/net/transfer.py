"""The resumable download: from a canonical address to a complete, verified file in the staging folder.

Connections write into one preallocated file; a journal vouches for what has reached the disk; the digest follows the
gapless prefix. A stop at any moment loses at most what was written since the last checkpoint, and never mixes two
versions of a file. Nothing is deleted on failure; what fails its digest is put aside and never resumed from.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from sdkeep.ground.errors import DigestMismatch, InUse, KeepError, Stalled, TransferError, Truncated
from sdkeep.ground.events import Ended, Moved, Report, Started, Stop, silent
from sdkeep.net.address import redact
from sdkeep.net.client import Web
from sdkeep.net.fetch import Changed, Fetch, journal_of
from sdkeep.net.follow import Follower
from sdkeep.net.partial import Partial, disk_errors, forget
from sdkeep.net.segments import Part
from sdkeep.net.wanted import MIB, Fetched, TransferOptions, Updatable, Wanted

__all__ = ["Fetched", "TransferOptions", "Updatable", "Wanted", "claim", "forget", "transfer"]

_TICK = 0.05
_STRIDE = 8 * MIB
_RESTARTS = 3
_FAREWELL = 0.5


def transfer(  # noqa: PLR0913
    web: Web,
    wanted: Wanted,
    staging: Path,
    *,
    hasher: Updatable | None = None,
    report: Report = silent,
    stop: Stop | None = None,
    options: TransferOptions | None = None,
) -> Fetched:
    """Bring `wanted` into `staging`, going on where an earlier run stopped.

    `hasher` is fed the whole file in order (see `Fetched.hashed`). Raises `NotAModel`, `Truncated`, `Stalled`,
    `DigestMismatch`, `DiskFull`, `InUse`, the `HubError` family, what `options.resolve_error` makes of a refusal, and
    `Stopped` when asked. The file stays in staging: move it away while holding `claim`, then `forget` its journal.
    """
    options, stop = options or TransferOptions(), stop or Stop()
    with claim(staging, wanted.key, wait=options.lock_wait, stop=stop):
        run = _Run(web, wanted, staging, options)
        try:
            return run.whole(Follower(hasher), report, stop)
        finally:
            run.close(report)


@contextmanager
def claim(staging: Path, key: str, *, wait: float = 0.0, stop: Stop | None = None) -> Iterator[None]:
    """Hold a key: no other thread or process can. Re-entrant, so an action can hold it until the file is committed.

    Raises `InUse` when somebody else still has it after `wait` seconds.
    """
    stop = stop or Stop()
    with disk_errors(staging):
        staging.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(staging / f"{key}.lock", is_singleton=True)
    waited = 0.0
    while not _acquired(lock, staging):
        if waited >= wait:
            why, next_ = "another sdkeep is fetching it", "wait for it to end, then run the same command again"
            raise InUse("this file is being downloaded already", why, next_)
        stop.wait(2 * _TICK)
        waited += 2 * _TICK
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: filelock.BaseFileLock, staging: Path) -> bool:
    with disk_errors(staging):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return False
    return True


class _Run:
    """One call of `transfer`: the thread that watches, follows, vouches and reports while others fetch."""

    def __init__(self, web: Web, wanted: Wanted, staging: Path, options: TransferOptions) -> None:
        self._web = web
        self._wanted = wanted
        self._options = options
        self._fresh = journal_of(wanted, redact(wanted.url))
        self._partial = Partial(staging, wanted.key, self._fresh)
        self._threads: list[threading.Thread] = []
        self._started = False
        self._saved_at = options.clock()
        self._saved = self._reported = -1
        self._marks: dict[Part, tuple[float, int]] = {}

    def whole(self, follower: Follower, report: Report, stop: Stop) -> Fetched:
        """The file, complete and verified."""
        resumed_from = self._partial.covered
        self._tell(report)
        for _ in range(_RESTARTS):
            try:
                self._download(follower, report, stop)
                break
            except Changed:
                self._partial.restart(self._fresh)
                follower, resumed_from = follower.restarted(), 0
        else:
            raise TransferError(
                f"`{self._wanted.name}` changes while it is downloaded",
                f"{_RESTARTS} attempts met different versions, or a server that cannot go on where it stopped",
                "try again later",
            )
        return self._verified(follower, stop, resumed_from)

    def close(self, report: Report) -> None:
        """Close the file and end the report."""
        if not any(thread.is_alive() for thread in self._threads):  # else one waits for a connection, and may yet write
            self._partial.close()
        if self._started:
            report(Ended(self._wanted.key))

    def _download(self, follower: Follower, report: Report, stop: Stop) -> None:
        fetch = Fetch(self._web, self._wanted, self._options, self._partial)
        if self._partial.journal.size is not None and not fetch.board.unfinished:
            return
        crew = [self._hired(fetch)]
        moved_at, covered = self._options.clock(), self._partial.covered
        try:
            while self._staffed(fetch, crew):
                stop.check()
                self._tell(report)
                self._save_now_and_then()
                behind = follower.advance(self._partial, _STRIDE)
                if self._partial.covered != covered:
                    moved_at, covered = self._options.clock(), self._partial.covered
                self._watch(fetch, moved_at)
                if not behind:
                    fetch.moved.wait(_TICK)
                    fetch.moved.clear()
        finally:
            self._dismiss(fetch, crew)
        self._tell(report)
        if fetch.failure is not None and (fetch.board.unfinished or not isinstance(fetch.failure, KeepError)):
            raise fetch.failure

    def _staffed(self, fetch: Fetch, crew: list[threading.Thread]) -> bool:
        """Whether somebody is at work; a helper is called in where there is room and the first has cleared the way."""
        crew[:] = [thread for thread in crew if thread.is_alive()]
        if fetch.halted:
            return bool(crew)
        most = self._options.connections - fetch.lost
        if crew and fetch.learned.is_set() and len(crew) < most and fetch.board.room:
            crew.append(self._hired(fetch))
        return bool(crew)

    def _hired(self, fetch: Fetch) -> threading.Thread:
        thread = threading.Thread(target=fetch.work, daemon=True, name=f"fetch-{self._wanted.key[:8]}")
        thread.start()
        self._threads.append(thread)
        return thread

    def _tell(self, report: Report) -> None:
        if not self._started and self._partial.journal.size is not None:
            self._started = True
            report(Started(self._wanted.key, self._wanted.name, self._partial.journal.size))
        covered = self._partial.covered
        if self._started and covered != self._reported:
            self._reported = covered
            report(Moved(self._wanted.key, covered))

    def _save_now_and_then(self) -> None:
        now, covered = self._options.clock(), self._partial.covered
        if now - self._saved_at >= self._options.checkpoint and covered != self._saved:
            self._partial.checkpoint()
            self._saved_at, self._saved = self._options.clock(), covered

    def _watch(self, fetch: Fetch, moved_at: float) -> None:
        """Cut connections that have become too slow, and give up when nothing helps."""
        now, options = self._options.clock(), self._options
        if now - moved_at > options.give_up:
            why = f"no progress for {options.give_up:.0f} seconds"
            fetch.fail(Stalled(f"nothing more arrives of `{self._wanted.name}`", why, "run the same command again"))
        parts = fetch.board.taken
        self._marks = {part: self._marks.get(part, (now, part.received)) for part in parts if part.stream is not None}
        for part, (since, received) in self._marks.items():
            if now - since < options.slow_time:
                continue
            self._marks[part] = (now, part.received)
            if part.received - received < options.slow_rate * options.slow_time and part.stream is not None:
                part.stalled = True
                part.stream.abort()

    def _dismiss(self, fetch: Fetch, crew: list[threading.Thread]) -> None:
        """End the connections and vouch for what they brought."""
        fetch.halt()
        for thread in crew:
            thread.join(_FAREWELL)
        with suppress(KeepError):  # the disk may be why we leave
            self._partial.checkpoint()

    def _verified(self, follower: Follower, stop: Stop, resumed_from: int) -> Fetched:
        wanted, journal = self._wanted, self._partial.journal
        size = journal.size or 0
        while follower.advance(self._partial, _STRIDE):
            stop.check()
        if follower.position != size or (size == 0 and wanted.kind_is_model):
            raise Truncated(f"`{wanted.name}` is not complete", f"{follower.position:,} of {size:,} bytes are here")
        if wanted.sha256 and follower.sha256 != wanted.sha256:
            bad = self._partial.condemn()
            raise DigestMismatch(
                f"the bytes of `{wanted.name}` are not the published ones",
                wanted.sha256,
                follower.sha256,
                f"run the same command again to fetch it anew; what arrived is kept as `{bad}`",
            )
        self._partial.finish(size)
        return Fetched(
            path=self._partial.path,
            size=size,
            sha256=follower.sha256,
            etag=journal.validator.etag,
            name=journal.name,
            url_host=journal.host,
            resumed_from=resumed_from,
            hashed=follower.hashed,
        )
