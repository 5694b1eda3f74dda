"""Say whether files can run code when something loads them, without running any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.audit.judge import ENGINE
from sdkeep.audit.policy import NOBODY, Allowed
from sdkeep.audit.report import summary
from sdkeep.audit.scan import scan as scan_source
from sdkeep.formats.contents import Container
from sdkeep.formats.source import FileSource
from sdkeep.ground.errors import KeepError, NotByRanges
from sdkeep.ground.events import Report, Stop
from sdkeep.ground.identity import Identity
from sdkeep.ground.verdict import Basis, Finding, Outcome, Severity, Verdict, worst

if TYPE_CHECKING:
    from sdkeep.actions.house import House


@dataclass(frozen=True, slots=True)
class Glance:
    """What was seen from afar and what it cost: `size` of the file, `fetched` bytes in so many `requests`."""

    url: str
    size: int
    identity: Identity
    requests: int
    fetched: int


@dataclass(frozen=True, slots=True)
class Scanned:
    """The verdict on one file; `named` is how it was asked for.

    `beside` is the model that a configuration lies beside, `glance` what a look at a remote file saw and cost.
    """

    path: str
    verdict: Verdict
    named: str = ""
    sha256: str = ""
    beside: str = ""
    glance: Glance | None = None


_CONFIGURED = frozenset({Container.TORCH_ZIP, Container.TORCH_LEGACY, Container.PICKLE, Container.SAFETENSORS})


def scan_file(path: Path, stop: Stop, allowed: Allowed = NOBODY, full: Report | None = None) -> Scanned:
    """The verdict on one file; `full` reads its tensors too. Opens no catalogue and hashes nothing."""
    with FileSource(path) as source:
        verdict = scan_source(source, allowed=allowed, full=full, stop=stop)
        return Scanned(str(path), verdict)


def scan_with_config(path: Path, stop: Stop, full: Report | None = None) -> list[Scanned]:
    """The verdict on one file, and on the YAML of the same name: WebUIs instantiate what that says for a checkpoint."""
    scanned = scan_file(path, stop, full=full)
    config = path.with_suffix(".yaml")
    if scanned.verdict.container not in _CONFIGURED or config == path or not config.is_file():
        return [scanned]
    return [scanned, replace(scan_file(config, stop), beside=str(path))]


def warn_of_config(house: House, model: Path, container: Container | None = None) -> None:
    """Warn when the YAML beside a model that is taken in or placed names what no model's configuration needs."""
    config = model.with_suffix(".yaml")
    if (container and container not in _CONFIGURED) or config == model or not config.is_file():
        return
    try:
        verdict = scan_file(config, house.stop).verdict
    except KeepError as error:
        house.warn(f"`{config}` lies beside the model and cannot be judged: {error.what}")
        return
    if not verdict.outcome.placeable:
        house.warn(
            f"`{config}` is {verdict.outcome}: {summary(verdict)}; a WebUI that loads `{model.name}` there builds what "
            f"it names, so move it away or edit it first"
        )


def is_remote(text: str) -> bool:
    """Whether a reference names something at a hub or an address."""
    from sdkeep.ground.ref import CivitaiRef, HfRef, UrlRef, parse

    return isinstance(parse(text), CivitaiRef | HfRef | UrlRef)


def scan_remote(house: House, text: str) -> list[Scanned]:
    """Provisional verdicts on the files that `get` would fetch, read by ranges; nothing is stored.

    Needing more than a look may cost is inconclusive. Raises what the hub refuses.
    """
    from sdkeep.actions.afar import look_from_afar
    from sdkeep.actions.remote import seek
    from sdkeep.hubs.choose import Wish

    sought = seek(house, text, Wish())
    found: list[Scanned] = []
    for file in sought.files:
        house.stop.check()
        try:
            seen = look_from_afar(house, sought.release, file)
            found.append(Scanned(file.url, seen.verdict, file.name, glance=seen.glance))
        except NotByRanges as error:
            found.append(Scanned(file.url, _unreadable(error), file.name))
    return found


def _unreadable(error: NotByRanges) -> Verdict:
    why = f"{error.what}: {error.why}" if error.why else error.what
    finding = Finding("budget-ranges", Severity.WARNING, why)
    return Verdict(Outcome.INCONCLUSIVE, Container.UNKNOWN, (finding,), ("the whole file",), ENGINE, basis=Basis.RANGES)


def scan_named(house: House, text: str, full: Report | None = None) -> Scanned:
    """The verdict on a catalogued file, scanned anew and remembered, unless the file changed since it was recorded."""
    from sdkeep.actions.drift import has_changed
    from sdkeep.actions.local import artifact
    from sdkeep.actions.stores import bytes_of

    found = artifact(house, text)
    sha256, path = found.sha256 or "", bytes_of(house, found)
    if has_changed(house.book.location_at(str(path))):
        house.warn(f"`{path}` changed since it was catalogued; this verdict is about what lies there now")
        return replace(scan_file(path, house.stop, full=full), named=found.name)
    scanned = scan_file(path, house.stop, house.allowed(sha256), full)
    house.book.put_verdict(sha256, scanned.verdict)
    return replace(scanned, named=found.name, sha256=sha256)


def status_of(scanned: list[Scanned]) -> int:
    """The exit status: 0 when every file may be placed, 1 when one is suspicious or worse, else 2."""
    return worst(one.verdict.outcome for one in scanned).status if scanned else 0


def tally(scanned: list[Scanned]) -> dict[Outcome, int]:
    """How many files had which outcome, worst first."""
    counts = {outcome: sum(one.verdict.outcome is outcome for one in scanned) for outcome in Outcome}
    return {outcome: counts[outcome] for outcome in sorted(counts, key=lambda o: -o.rank) if counts[outcome]}
