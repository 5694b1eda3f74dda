"""What there is to judge of one catalogued file: sound bytes and their verdict on record, and copies that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from sdkeep.actions.drift import Drift, drift_of
from sdkeep.audit.claims import against
from sdkeep.audit.judge import ENGINE
from sdkeep.audit.policy import NOBODY, Allowed, allowed_for, load_policy, policy_id
from sdkeep.audit.reports.values import Audited, Judged
from sdkeep.catalogue.dossiers import Dossier
from sdkeep.ground.errors import KeepError
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.lineage import Relation
from sdkeep.ground.record import Artifact
from sdkeep.ground.verdict import Finding, Severity, Verdict
from sdkeep.store.blobs import Store

Roots = Callable[[str], Store | None]

_CHANGED = Finding("changed-since-catalogued", Severity.WARNING, "size or time differ from what was recorded")
_NO_ORIGIN = Finding("no-origin", Severity.NOTE, "no hub or address is on record for it")
_NO_LICENCE = Finding("no-licence", Severity.NOTE, "no licence is on record for it")


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to judge. `path` is what must be scanned, None where the record answers; `shown` is where it lies."""

    artifact: Artifact
    record: Dossier
    judged: Judged
    shown: str
    path: Path | None = None
    allowed: Allowed = field(default_factory=lambda: NOBODY)
    size: int | None = None


def roots_seen() -> Roots:
    """A function that opens each blob root once; None for one that is away or none of ours."""

    @cache
    def root(folder: str) -> Store | None:
        try:
            return Store(Path(folder)) if Path(folder).is_dir() else None
        except KeepError:
            return None

    return root


def case_of(artifact: Artifact, record: Dossier, roots: Roots, *, rescan: bool) -> Iterator[Case]:
    """The file itself, by its sound bytes or its record, then every copy that is not as it was recorded."""
    drifts = {Path(location.path): drift_of(location) for location in record.locations}
    changed = {path: path.stat().st_size for path, drift in drifts.items() if drift is Drift.CHANGED}
    blobs = list(_blobs(record, roots))
    sound = [path for path, whole in blobs if whole and not any(path.samefile(other) for other in changed)]
    sound += [path for path, drift in drifts.items() if drift is Drift.NONE]
    changed |= {path: path.stat().st_size for path, whole in blobs if not whole}
    allowed = allowed_for(record.allowances, artifact.sha256 or "")
    if sound and not rescan and _holds(record.verdict, allowed):
        yield Case(artifact, record, Judged.STORED, str(sound[0]))
    elif sound:
        yield Case(artifact, record, Judged.SCANNED, str(sound[0]), sound[0], allowed)
    elif not changed:
        yield Case(artifact, record, Judged.ABSENT, next((one.path for one in record.locations), artifact.file_name))
    for path, size in changed.items():
        yield Case(artifact, record, Judged.CHANGED, str(path), path, size=size)


def configurations(artifact: Artifact, record: Dossier) -> Iterator[Case]:
    """The YAML files that WebUIs would read for a model where it lies: they instantiate what those name."""
    for location in record.locations:
        model = Path(location.path)
        config = model.with_suffix(".yaml")
        if config != model and config.is_file() and model.is_file():
            yield Case(artifact, record, Judged.BESIDE, str(config), config, size=config.stat().st_size)


def audited(case: Case, verdict: Verdict | None) -> Audited:
    """The answer about a case. What is on record of the file says nothing of a copy that changed."""
    artifact, record = case.artifact, case.record
    file = Audited(
        path=case.shown,
        verdict=verdict,
        name=artifact.name,
        judged=case.judged,
        file_name=artifact.file_name,
        kind=artifact.kind,
        family=artifact.family,
    )
    if case.judged is Judged.CHANGED:
        return replace(file, size=case.size, notes=(_CHANGED,))
    if case.judged is Judged.BESIDE:
        return replace(file, file_name=Path(case.shown).name, kind=Kind.CONFIG, family=Family.UNKNOWN, size=case.size)
    return replace(
        file,
        sha256=artifact.sha256 or "",
        size=artifact.size,
        title=artifact.title,
        base=artifact.base,
        format=artifact.format,
        digests=artifact.digests,
        origin=artifact.origin,
        page=record.page,
        licence=record.licence,
        parents=record.parents,
        claims=record.claims,
        notes=tuple(_notes(case, verdict)),
    )


def _holds(verdict: Verdict | None, allowed: Allowed) -> bool:
    """Whether a verdict on record is what today's engine and policy, and people's decisions, would say."""
    return verdict is not None and (verdict.engine, verdict.policy) == (ENGINE, policy_id(load_policy(), allowed))


def _blobs(record: Dossier, roots: Roots) -> Iterator[tuple[Path, bool]]:
    """The stored copies that are there, each with whether it has the length that it should have."""
    for blob in record.blobs:
        store = roots(blob.root)
        if store is not None and store.has(blob.sha256):
            path = store.path_of(blob.sha256)
            yield path, path.stat().st_size == blob.size


def _notes(case: Case, verdict: Verdict | None) -> Iterator[Finding]:
    artifact, record, policy = case.artifact, case.record, load_policy()
    converted = any(edge.relation is Relation.CONVERTED_FROM for edge in record.parents)
    if verdict is not None:
        for claim in record.claims:
            if difference := against(claim, verdict, policy, converted=converted):
                yield difference
    if not artifact.origin or artifact.origin.startswith("path:"):
        yield _NO_ORIGIN
    licence = record.licence
    if licence is None or not (licence.id or licence.name or licence.allows):
        yield _NO_LICENCE
