"""What one connection does: ask for a part, check what is offered, write it, and know which failures pass."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from dataclasses import replace

from sdkeep.ground.errors import HubDown, KeepError, Stalled, TransferError, Truncated
from sdkeep.ground.events import Stopped
from sdkeep.net.client import Answer, Stream, Web, busy
from sdkeep.net.journal import Journal
from sdkeep.net.offer import (
    Denial,
    Offer,
    answer_of,
    check_opening,
    check_type,
    denial_of,
    offer_of,
    unsatisfied_total,
)
from sdkeep.net.partial import Partial
from sdkeep.net.retry import Again, Tally, persist, retry_after
from sdkeep.net.segments import Board, Part
from sdkeep.net.wanted import TransferOptions, Wanted

_OPENING = 16


class Changed(Exception):
    """The server has another version than the one whose bytes we hold."""


class Fetch:
    """One try at the missing bytes of a file, shared by its connections.

    Threads run `work`; the thread that started them reads `failure`, and calls `halt` to end them. `lost` counts those
    that gave up, for a server that serves only so many at once.
    """

    def __init__(self, web: Web, wanted: Wanted, options: TransferOptions, partial: Partial) -> None:
        size = partial.journal.size
        gaps: list[tuple[int, int | None]] = [(partial.prefix, None)] if size is None else [*partial.missing(size)]
        self.board = Board(gaps, options.grain)
        self.learned = threading.Event()
        self.moved = threading.Event()
        self.failure: BaseException | None = None
        self.lost = 0
        self._web = web
        self._wanted = wanted
        self._options = options
        self._partial = partial
        self._urls = [wanted.url, *wanted.fallbacks]
        self._ranged = True
        self._halted = threading.Event()
        self._lock = threading.Lock()

    @property
    def halted(self) -> bool:
        """Whether everybody is to leave."""
        return self._halted.is_set()

    def halt(self) -> None:
        """Make every connection end now."""
        self._halted.set()
        for part in self.board.taken:
            if part.stream is not None:
                part.stream.abort()

    def fail(self, error: BaseException) -> None:
        """End the try for this reason, unless it has ended for another."""
        with self._lock:
            if not self.halted:
                self.failure = error
        self.halt()

    def work(self) -> None:
        """Fetch parts until there is none left."""
        tally = Tally(self._options.retry)
        try:
            while not self.halted and (part := self.board.take()) is not None:
                try:
                    persist(functools.partial(self._attempt, part, tally), tally, self._sleep)
                finally:
                    self.board.release(part)
        except Stopped:
            pass
        except KeepError as error:
            if tally.spent and not self.halted:
                self.failure = error  # others may still bring the rest
                self.lost += 1
            else:
                self.fail(error)
        except BaseException as error:  # Changed, or a bug: for the thread that waits
            self.fail(error)
        finally:
            self.moved.set()

    def _sleep(self, seconds: float) -> None:
        if self._halted.wait(seconds):
            raise Stopped

    def _attempt(self, part: Part, tally: Tally) -> None:
        if self.halted:
            raise Stopped
        url = self._urls[0]
        try:
            with self._web.open(url, headers=self._headers(part)) as stream:
                part.stream, part.stalled = stream, False
                if self.halted:
                    raise Stopped
                if stream.status not in (200, 206):
                    return self._denied(part, answer_of(stream), url)
                offer = self._agreed(part, stream)
                self._pour(part, stream, offer, tally)
        except HubDown as error:
            raise Again(self._broken(part, error)) from error
        finally:
            part.stream = None

    def _headers(self, part: Part) -> dict[str, str]:
        if not self._ranged and part.position == 0:
            return {}
        headers = {
            "range": f"bytes={part.position}-" + (f"{part.stop - 1}" if self._bounded(part) and part.stop else "")
        }
        if condition := self._partial.journal.validator.condition:
            headers["if-range"] = condition
        return headers

    def _bounded(self, part: Part) -> bool:
        return part.stop is not None and part.stop != self._partial.journal.size

    def _agreed(self, part: Part, stream: Stream) -> Offer:
        """The offer, when it is of our file and begins where it must; the first one tells what there is to know."""
        if self._wanted.kind_is_model:
            check_type(stream, self._wanted.name, self._options.resolve_error)
        offer = offer_of(stream)
        if offer is None or (offer.partial and offer.start != part.position):
            raise Again(self._garbled(stream))
        with self._lock:
            if self.learned.is_set() or self._partial.covered or part.position:
                self._same_version(part, offer, stream)
            if not self.learned.is_set():
                self._learn(offer)
        return offer

    def _same_version(self, part: Part, offer: Offer, stream: Stream) -> None:
        journal = self._partial.journal
        vouched = journal.validator.vouches(offer.validator)
        if journal.validator.differs(offer.validator):
            raise Changed
        if None not in (offer.total, journal.size) and offer.total != journal.size:
            if vouched:
                raise Again(self._garbled(stream))
            raise Changed
        provable = bool(journal.sha256) and offer.total is not None
        if (part.position or self._partial.covered) and not (vouched or provable):
            raise Changed

    def _learn(self, offer: Offer) -> None:
        wanted, journal = self._wanted, self._partial.journal
        size = wanted.size if offer.total is None else offer.total
        if wanted.size is not None and size != wanted.size:
            why = f"published are {wanted.size:,} bytes, the server has {size:,}"
            raise Truncated(
                f"`{wanted.name}` has another length than published", why, "`sdkeep show` asks the hub anew"
            )
        if size is None and not offer.framed and not wanted.sha256:
            why = "a cut connection would look like the end"
            raise TransferError(f"the server does not say how long `{wanted.name}` is", why)
        if size is not None:
            self._partial.set_aside(size, self._options.reserve)
            self.board.bound(size)
        validator = offer.validator if offer.validator.etag or offer.validator.modified else journal.validator
        name, host = offer.name or journal.name, offer.host
        self._partial.learn(replace(journal, size=size, validator=validator, name=name, host=host))
        resumable = bool(wanted.sha256 or validator.condition)
        self.board.divisible = offer.partial and resumable and size is not None and size >= self._options.split_from
        self.learned.set()
        self.moved.set()

    def _pour(self, part: Part, stream: Stream, offer: Offer, tally: Tally) -> None:
        position = offer.start
        for data in self._checked(part, stream, offer):
            if self.halted:
                raise Stopped
            fresh = data[max(0, part.position - position) :]
            position += len(data)
            if part.stop is not None and len(fresh) > part.left:
                self._check_overlong(part, offer)
                fresh = fresh[: part.left]
            if fresh:
                self._partial.write(part.position, fresh)
                part.position += len(fresh)
                tally.progress()
            if part.complete and position < (offer.stop or 0):
                return
        self._ended(part)

    def _checked(self, part: Part, stream: Stream, offer: Offer) -> Iterator[bytes]:
        """The chunks, the first of them only after a look at how the file begins."""
        opening = b"" if offer.start == 0 and self._wanted.kind_is_model else None
        for chunk in stream.chunks():
            part.received += len(chunk)
            if opening is None:
                yield chunk
                continue
            opening += chunk
            if len(opening) >= _OPENING:
                check_opening(opening, self._wanted.name)
                yield opening
                opening = None
        if opening:
            check_opening(opening, self._wanted.name)
            yield opening

    def _check_overlong(self, part: Part, offer: Offer) -> None:
        size = self._partial.journal.size
        if offer.total is None and part.stop == size:
            raise Truncated(f"`{self._wanted.name}` is longer than published", f"more than {size:,} bytes arrive")

    def _ended(self, part: Part) -> None:
        """The body is over: the end of the file, where nobody knew it before, or of less than was asked for."""
        if self.halted:
            raise Stopped
        if part.stalled:
            raise Again(self._broken(part, None))
        if part.stop is None:
            self._partial.learn(replace(self._partial.journal, size=part.position))
            self.board.bound(part.position)
        elif not part.complete:
            raise Again(self._broken(part, None))

    def _denied(self, part: Part, answer: Answer, url: str) -> None:
        if answer.status == 416:
            return self._unsatisfied(part, answer)
        match denial_of(answer, url):
            case Denial.BUSY:
                after = retry_after(answer.headers)
                raise Again(busy(answer, after), after)
            case Denial.EXPIRED:
                raise Again(self._options.resolve_error(answer), excused=True)
            case Denial.GONE if self._other_url(url):
                raise Again(self._options.resolve_error(answer), 0.0, excused=True)
            case _:
                raise self._options.resolve_error(answer)

    def _unsatisfied(self, part: Part, answer: Answer) -> None:
        total, size = unsatisfied_total(answer), self._partial.journal.size
        if total == part.position and size in (None, total):  # the end, where nobody knew it; or an empty file
            self._partial.learn(replace(self._partial.journal, size=total))
            self.board.bound(total)
            return
        if total is not None and 0 < total != size and part.position >= total:
            raise Changed
        self._ranged = False
        why = "it answers 416 to a range that lies in the file"
        raise Again(TransferError(f"the server does not send `{self._wanted.name}`", why, "try again later"))

    def _other_url(self, url: str) -> bool:
        with self._lock:
            if self._urls[0] == url and len(self._urls) > 1:
                del self._urls[0]
            return self._urls[0] != url

    def _broken(self, part: Part, cause: HubDown | None) -> KeepError:
        name, size = self._wanted.name, self._partial.journal.size
        here = f"{self._partial.covered:,} of {size:,} bytes are here" if size else "its length is not known"
        next_ = "run the same command again: it goes on where it stopped"
        if part.stalled:
            return Stalled(f"nothing more arrives of `{name}`", here, next_)
        if cause is not None and part.received == 0:
            return cause
        why = f"{cause.why}; {here}" if cause is not None else here
        return Truncated(f"`{name}` breaks off", why, next_)

    def _garbled(self, stream: Stream) -> KeepError:
        encoding = stream.headers.get("content-encoding", "")
        why = f"it is sent in {encoding} encoding" if encoding else "it sends another range than was asked for"
        return TransferError(
            f"the server garbles `{self._wanted.name}`", why, "try again later, or from another network"
        )


def journal_of(wanted: Wanted, url: str) -> Journal:
    """The journal of a download that has not begun; `url` is fit to be stored."""
    return Journal(url, wanted.size, wanted.sha256 or "")
