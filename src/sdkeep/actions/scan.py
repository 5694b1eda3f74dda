"""Say whether files can run code when something loads them, without running any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.audit.policy import NOBODY, Allowed
from sdkeep.audit.scan import scan as scan_source
from sdkeep.formats.source import FileSource
from sdkeep.ground.events import Stop
from sdkeep.ground.verdict import Outcome, Verdict, worst

if TYPE_CHECKING:
    from sdkeep.actions.house import House


@dataclass(frozen=True, slots=True)
class Scanned:
    """The verdict on one file; `named` is how it was asked for."""

    path: str
    verdict: Verdict
    named: str = ""
    sha256: str = ""


def scan_file(path: Path, stop: Stop, allowed: Allowed = NOBODY) -> Scanned:
    """The verdict on one file. Opens no catalogue and hashes nothing."""
    with FileSource(path) as source:
        return Scanned(str(path), scan_source(source, allowed=allowed, stop=stop))


def scan_named(house: House, text: str) -> Scanned:
    """The verdict on a catalogued file, scanned anew and remembered, unless the file changed since it was recorded."""
    from sdkeep.actions.drift import has_changed
    from sdkeep.actions.local import artifact
    from sdkeep.actions.stores import bytes_of

    found = artifact(house, text)
    sha256, path = found.sha256 or "", bytes_of(house, found)
    if has_changed(house.book.location_at(str(path))):
        house.warn(f"`{path}` changed since it was catalogued; this verdict is about what lies there now")
        return replace(scan_file(path, house.stop), named=found.name)
    scanned = scan_file(path, house.stop, house.allowed(sha256))
    house.book.put_verdict(sha256, scanned.verdict)
    return replace(scanned, named=found.name, sha256=sha256)


def status_of(scanned: list[Scanned]) -> int:
    """The exit status: 0 when every file may be placed, 1 when one is suspicious or worse, else 2."""
    return worst(one.verdict.outcome for one in scanned).status if scanned else 0


def tally(scanned: list[Scanned]) -> dict[Outcome, int]:
    """How many files had which outcome, worst first."""
    counts = {outcome: sum(one.verdict.outcome is outcome for one in scanned) for outcome in Outcome}
    return {outcome: counts[outcome] for outcome in sorted(counts, key=lambda o: -o.rank) if counts[outcome]}
