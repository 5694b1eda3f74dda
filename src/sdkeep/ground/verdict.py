"""What a scan says of a file, and the evidence for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The verdicts, in order of badness: see `rank`. Only the first two let a file be placed."""

    CLEAN = "clean"
    CLEAN_WITH_NOTES = "clean-with-notes"
    INCONCLUSIVE = "inconclusive"
    UNSUPPORTED = "unsupported"
    MALFORMED = "malformed"
    SUSPICIOUS = "suspicious"
    DANGEROUS = "dangerous"

    @property
    def rank(self) -> int:
        """0 clean, 1 clean-with-notes, 2 the three undecided ones, 3 suspicious, 4 dangerous."""
        return _RANK[self]

    @property
    def placeable(self) -> bool:
        """Whether a file with this verdict may be put where a WebUI loads it."""
        return self.rank <= 1

    @property
    def status(self) -> int:
        """The exit status of `scan`: 0 placeable, 1 suspicious or dangerous, 2 could not decide."""
        return 0 if self.placeable else 1 if self.rank >= 3 else 2


_RANK = {
    Outcome.CLEAN: 0,
    Outcome.CLEAN_WITH_NOTES: 1,
    Outcome.INCONCLUSIVE: 2,
    Outcome.UNSUPPORTED: 2,
    Outcome.MALFORMED: 2,
    Outcome.SUSPICIOUS: 3,
    Outcome.DANGEROUS: 4,
}


class Severity(StrEnum):
    """How bad one finding is."""

    NOTE = "note"
    WARNING = "warning"
    SUSPICIOUS = "suspicious"
    DANGEROUS = "dangerous"


class Basis(StrEnum):
    """What a verdict was formed from: the whole file, or ranges of a remote one (provisional, never stored)."""

    WHOLE = "whole"
    RANGES = "ranges"


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of evidence. Offsets are in bytes; `member` is a record of a container, empty for the file itself."""

    rule: str
    severity: Severity
    why: str
    member: str = ""
    offset: int | None = None
    file_offset: int | None = None
    opcode: str = ""
    callable: str = ""
    arguments: str = ""
    advisories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of one engine under one policy about one sequence of bytes."""

    outcome: Outcome
    container: str
    findings: tuple[Finding, ...] = ()
    unread: tuple[str, ...] = ()
    engine: str = ""
    policy: str = ""
    basis: Basis = Basis.WHOLE

    @property
    def placeable(self) -> bool:
        """Whether the bytes may be put where a WebUI loads them. Ranges never clear a file."""
        return self.outcome.placeable and self.basis is Basis.WHOLE


@dataclass(frozen=True, slots=True)
class Allowance:
    """A person's decision that one file may use one name: `dotted` is the exact `module.name`, `sha256` lower-case hex.

    `by` is who decided, `at` when (UTC ISO-8601), `reason` why, in their words.
    """

    dotted: str
    sha256: str
    by: str = ""
    at: str = ""
    reason: str = ""


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of several outcomes; clean when there are none."""
    return max(outcomes, key=lambda outcome: outcome.rank, default=Outcome.CLEAN)
