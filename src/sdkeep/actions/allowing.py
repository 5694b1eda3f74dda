"""A person's decision that one file may use one name: made, listed, taken back. No file of a project can make it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions.drift import has_changed
from sdkeep.actions.house import House
from sdkeep.actions.labels import label_uis
from sdkeep.actions.local import artifacts, missing
from sdkeep.actions.paths import files_of
from sdkeep.actions.scan import scan_file
from sdkeep.actions.stores import bytes_of
from sdkeep.formats.digests import digest_file
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.errors import Ambiguous, NotFoundHere, UsageError
from sdkeep.ground.record import Artifact
from sdkeep.ground.ref import CivitaiRef, DigestRef, HfRef, parse
from sdkeep.ground.verdict import Allowance, Outcome, Severity, Verdict

_DOTTED = re.compile(r"\w+(\.\w+)+")


@dataclass(frozen=True, slots=True)
class Decision:
    """One name and one file. `file` is what the file is called here, `verdict` what it is with this decision.

    `verdict` is None where the bytes are not here. `removed` says that the decision was taken back.
    """

    name: str
    sha256: str
    file: str
    by: str
    at: str
    reason: str
    verdict: Outcome | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class _File:
    """What a reference means: exact bytes, where they lie if here, and their record if there is one."""

    sha256: str
    called: str
    path: Path | None = None
    artifact: Artifact | None = None


def allow(house: House, dotted: str, ref: str, reason: str = "") -> Decision:
    """Let the file that `ref` names use `module.name`, and judge it anew."""
    _check(dotted)
    file = _file(house, ref)
    made = Allowance(dotted, file.sha256, _who(house), house.now(), reason)
    house.book.allow(made)
    label_uis(house)
    verdict = _judged(house, file)
    if verdict is not None and not _uses(verdict, dotted):
        names = dict.fromkeys(one.callable for one in verdict.findings if one.callable and _is_bad(one.severity))
        others = "; it uses " + ", ".join(f"`{name}`" for name in names) if names else ""
        house.warn(f"nothing in `{file.called}` uses `{dotted}`, so this changes nothing{others}")
    return replace(_decision(made, file.called), verdict=verdict.outcome if verdict else None)


def disallow(house: House, dotted: str, ref: str) -> Decision:
    """Take a decision back, and judge the file anew."""
    file = _file(house, ref)
    before = {one.dotted: one for one in house.book.allowances(file.sha256)}
    if not house.book.disallow(file.sha256, dotted):
        raise NotFoundHere(
            f"`{dotted}` is not allowed to `{file.called}`", "so there is nothing to take back", "`sdkeep allow --list`"
        )
    label_uis(house)
    verdict = _judged(house, file)
    taken = _decision(before[dotted], file.called)
    return replace(taken, verdict=verdict.outcome if verdict else None, removed=True)


def decisions(house: House) -> tuple[Decision, ...]:
    """Every decision that stands, oldest first, with the verdict on record."""
    found = []
    for one in house.book.allowances():
        known = house.book.artifact(one.sha256)
        verdict = house.book.verdict_of(one.sha256)
        made = _decision(one, known.name if known else "")
        found.append(replace(made, verdict=verdict.outcome if verdict else None))
    return tuple(found)


def _decision(made: Allowance, called: str) -> Decision:
    return Decision(made.dotted, made.sha256, called, made.by, made.at, made.reason)


def _check(dotted: str) -> None:
    if not _DOTTED.fullmatch(dotted):
        raise UsageError(
            f"`{dotted}` is no exact name",
            "one name is allowed at a time, written `module.name` as the finding spells it; there are no wildcards",
            "`sdkeep scan FILE` lists the names that a file uses",
        )


def _file(house: House, ref: str) -> _File:
    paths = files_of(ref)
    if paths is not None:
        if len(paths) != 1 or Path(ref).is_dir():
            raise UsageError(f"`{ref}` is a folder", "a name is allowed to exactly one file", "name the file")
        return _at_path(house, paths[0])
    found = artifacts(house, ref)
    if len(found) > 1:
        raise Ambiguous(f"`{ref}` names {len(found)} files", tuple(f"name:{one.name}" for one in found))
    if found:
        return _known(house, found[0])
    parsed = parse(ref)
    if isinstance(parsed, DigestRef) and parsed.digest.kind is DigestKind.SHA256:
        return _File(parsed.digest.value, ref)
    if isinstance(parsed, CivitaiRef | HfRef):
        return _published(house, ref)
    raise missing(house, ref)


def _at_path(house: House, path: Path) -> _File:
    """The bytes that lie at a path now, whatever is on record for it."""
    (digest,) = digest_file(path, frozenset([DigestKind.SHA256]), report=house.report, stop=house.stop)
    return _File(digest.value, str(path), path, house.book.artifact(digest.value))


def _known(house: House, artifact: Artifact) -> _File:
    try:
        path: Path | None = bytes_of(house, artifact)
    except NotFoundHere:
        path = None
    if path is not None and has_changed(house.book.location_at(str(path))):
        path = None
    return _File(artifact.sha256 or "", artifact.name, path, artifact)


def _published(house: House, ref: str) -> _File:
    """The file that `get` would fetch, by the SHA-256 that its hub publishes."""
    from sdkeep.actions.remote import seek
    from sdkeep.hubs.choose import Wish

    files = seek(house, ref, Wish()).files
    if len(files) == 1 and files[0].sha256:
        return _File(files[0].sha256.value, files[0].name)
    raise UsageError(
        f"`{ref}` names no exact bytes",
        "a name is allowed to one file with a published SHA-256",
        f"`sdkeep get {ref} --dry-run --json` lists the files; name one as `sha256:…`",
    )


def _judged(house: House, file: _File) -> Verdict | None:
    """The verdict with today's decisions, recorded for a catalogued file; None where the bytes are not here."""
    if file.path is None:
        return None
    verdict = scan_file(file.path, house.stop, house.allowed(file.sha256)).verdict
    if file.artifact is not None:
        house.book.put_verdict(file.sha256, verdict)
    return verdict


def _uses(verdict: Verdict, dotted: str) -> bool:
    return any(one.rule == "allowed-by-user" and one.callable == dotted for one in verdict.findings)


def _is_bad(severity: Severity) -> bool:
    return severity in (Severity.SUSPICIOUS, Severity.DANGEROUS)


def _who(house: House) -> str:
    """The account that decides."""
    return next((house.environ[name] for name in ("USER", "LOGNAME", "USERNAME") if house.environ.get(name)), "")
