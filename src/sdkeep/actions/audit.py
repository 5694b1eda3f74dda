"""Judge the whole catalogue: what is on record where that still holds, anew where not; changed files are reported."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from sdkeep.actions.audit_cases import Case, audited, case_of, configurations, roots_seen
from sdkeep.actions.house import House
from sdkeep.actions.local import artifacts, missing
from sdkeep.actions.scan import scan_file
from sdkeep.audit.reports.values import Audited, Judged
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.errors import KeepError
from sdkeep.ground.events import stage
from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Artifact
from sdkeep.ground.verdict import Verdict, worst

PAGE = 200
WORKERS = 2
AHEAD = 16
"""Scans that may be under way or waiting for their turn in the answer."""

Answer = Verdict | KeepError | None


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What to audit: these names, or everything; of one kind. `rescan` forgets that verdicts are on record."""

    names: tuple[str, ...] = ()
    kind: Kind | None = None
    rescan: bool = False


@dataclass(frozen=True, slots=True)
class Audit:
    """Every file, and how many of which sort: `outcomes` counts by verdict, `judged` by where the verdict is from.

    `disagreements` are claims of hubs that differ from ours; `no_origin` and `no_licence` files without one on record.
    """

    files: tuple[Audited, ...]
    outcomes: dict[str, int]
    judged: dict[str, int]
    disagreements: int
    no_origin: int
    no_licence: int
    failures: tuple[tuple[str, KeepError], ...] = field(default=(), repr=False)

    @property
    def status(self) -> int:
        """The exit status, as of `scan`; at least 1 when part of the files could not be read."""
        verdicts = worst(file.outcome for file in self.files if file.outcome).status
        if not self.failures:
            return verdicts
        return verdicts or 1 if self.files else max(error.status for _, error in self.failures)


def audit(house: House, request: AuditRequest) -> Audit:
    """Audit what the request names. Fresh verdicts are recorded as they come, so that a stop loses little."""
    found: list[Audited] = []
    failures: list[tuple[str, KeepError]] = []
    chosen = tuple(_named(house, request, failures)) if request.names else None
    total = len(chosen) if chosen is not None else house.book.count(Filter(kind=request.kind, present=True))
    with stage(house.report, "audit", "auditing", total, "files") as moved, _Ledger(house) as ledger:
        for case, answer in _judged(house, _cases(house, request, chosen)):
            if isinstance(answer, KeepError):
                failures.append((case.artifact.name, answer))
                continue
            if answer is not None and case.judged is Judged.SCANNED:
                ledger.put(case.artifact.sha256 or "", answer)
            found.append(audited(case, answer))
            moved(len(found))
    return _summed(tuple(found), tuple(failures))


def _named(house: House, request: AuditRequest, failures: list[tuple[str, KeepError]]) -> Iterator[Artifact]:
    seen: set[str] = set()
    for name in request.names:
        try:
            meant = artifacts(house, name)
            if not meant:
                raise missing(house, name)
        except KeepError as error:
            failures.append((name, error))
            continue
        for one in meant:
            if one.sha256 and one.sha256 not in seen and request.kind in (None, one.kind):
                seen.add(one.sha256)
                yield one


def _pages(house: House, request: AuditRequest, chosen: tuple[Artifact, ...] | None) -> Iterator[tuple[Artifact, ...]]:
    if chosen is not None:
        yield from (chosen[start : start + PAGE] for start in range(0, len(chosen), PAGE))
        return
    wanted, cursor = Filter(kind=request.kind, present=True), ""
    while True:
        page = house.book.list(wanted, cursor=cursor or None, limit=PAGE)
        yield page.items
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def _cases(house: House, request: AuditRequest, chosen: tuple[Artifact, ...] | None) -> Iterator[Case]:
    roots = roots_seen()
    for page in _pages(house, request, chosen):
        records = house.book.dossiers([one.sha256 or "" for one in page])
        for one in page:
            record = records[one.sha256 or ""]
            yield from case_of(one, record, roots, rescan=request.rescan)
            for beside in configurations(one, record):
                if house.book.location_at(beside.shown) is None:  # a catalogued one is a case of its own
                    yield beside


def _judged(house: House, cases: Iterator[Case]) -> Iterator[tuple[Case, Answer]]:
    """Every case with its verdict, in order; a few scans run ahead, so that reading and judging overlap."""
    waiting: deque[tuple[Case, Future[Verdict] | None]] = deque()

    def scanned(path: Path, case: Case) -> Verdict:
        return scan_file(path, house.stop, case.allowed).verdict

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="audit") as pool:
        try:
            for case in cases:
                house.stop.check()
                waiting.append((case, pool.submit(scanned, case.path, case) if case.path else None))
                if len(waiting) > AHEAD:
                    yield _settled(*waiting.popleft())
            while waiting:
                house.stop.check()
                yield _settled(*waiting.popleft())
        finally:
            for _, future in waiting:
                if future is not None:
                    future.cancel()


def _settled(case: Case, future: Future[Verdict] | None) -> tuple[Case, Answer]:
    if future is None:
        return case, case.record.verdict
    try:
        return case, future.result()
    except KeepError as error:
        return case, error


class _Ledger:
    """Fresh verdicts on their way into the catalogue, many to a transaction; the last ones when the block ends."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._waiting: dict[str, Verdict] = {}

    def put(self, sha256: str, verdict: Verdict) -> None:
        """Record a verdict, soon."""
        self._waiting[sha256] = verdict
        if len(self._waiting) >= PAGE:
            self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()

    def _write(self) -> None:
        self._house.book.put_verdicts(self._waiting)
        self._waiting.clear()


def _summed(files: tuple[Audited, ...], failures: tuple[tuple[str, KeepError], ...]) -> Audit:
    rules = Counter(note.rule for file in files for note in file.notes)
    outcomes = sorted((file.outcome for file in files if file.outcome), key=lambda outcome: -outcome.rank)
    return Audit(
        files=files,
        outcomes=dict(Counter(outcome.value for outcome in outcomes)),
        judged=dict(Counter(file.judged.value for file in files)),
        disagreements=rules["hub-disagrees"],
        no_origin=rules["no-origin"],
        no_licence=rules["no-licence"],
        failures=failures,
    )
