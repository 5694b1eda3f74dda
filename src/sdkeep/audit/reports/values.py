"""What a report tells: the files that were judged, and what could not be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sdkeep.ground.digest import Digest
from sdkeep.ground.kinds import Family, Format, Kind
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge
from sdkeep.ground.model import Claim
from sdkeep.ground.verdict import Finding, Outcome, Verdict


class Judged(StrEnum):
    """Where a verdict comes from.

    `scanned` now; `stored`, by today's engine and policy; `changed`: scanned now, since the file is not as it was
    recorded; `absent`: the bytes are not here, so what is on record is all there is; `beside`: scanned now, a
    configuration that nobody catalogued and that WebUIs read for the model it lies beside.
    """

    SCANNED = "scanned"
    STORED = "stored"
    CHANGED = "changed"
    ABSENT = "absent"
    BESIDE = "beside"


@dataclass(frozen=True, slots=True)
class Audited:
    """One file under audit: our verdict, the hub's claims beside it, and what is on record of it.

    `verdict` is None only for bytes that are not here and were never judged. `notes` are findings about the record
    rather than the bytes: a claim that disagrees, no origin, no licence, a change since it was catalogued.
    """

    path: str
    verdict: Verdict | None
    name: str = ""
    sha256: str = ""
    size: int | None = None
    judged: Judged = Judged.SCANNED
    file_name: str = ""
    title: str = ""
    kind: Kind = Kind.UNKNOWN
    family: Family = Family.UNKNOWN
    base: str = ""
    format: Format = Format.UNKNOWN
    digests: tuple[Digest, ...] = ()
    origin: str = ""
    page: str = ""
    licence: Licence | None = None
    parents: tuple[Edge, ...] = ()
    claims: tuple[Claim, ...] = ()
    notes: tuple[Finding, ...] = ()

    @property
    def outcome(self) -> Outcome | None:
        """The verdict's outcome; at best inconclusive for a file that changed since it was catalogued."""
        if self.verdict is None:
            return None
        if self.judged is Judged.CHANGED and self.verdict.outcome.placeable:
            return Outcome.INCONCLUSIVE
        return self.verdict.outcome

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The evidence of the verdict, then the notes."""
        return (*(self.verdict.findings if self.verdict else ()), *self.notes)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A file that could not be read at all: its name or path, the error's code, what went wrong and why."""

    ref: str
    code: str
    what: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of `scan` or `audit`. `folder` is an absolute path; paths below it are reported relative to it."""

    verb: str
    version: str
    began: datetime
    ended: datetime
    status: int
    folder: str
    files: tuple[Audited, ...]
    troubles: tuple[Trouble, ...] = ()
