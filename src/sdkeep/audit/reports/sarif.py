"""SARIF 2.1.0: findings as code-scanning services read them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from sdkeep.audit.report import Json
from sdkeep.audit.reports.values import Audited, Run, Trouble
from sdkeep.audit.reports.wording import HOME, address, called, moment, relative, sentence, washed
from sdkeep.audit.rules import rule_text
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.text import one_line
from sdkeep.ground.verdict import Finding, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "sdkeepFinding/v1"

_ROOT = "SCANROOT"
_LEVELS = {
    Severity.NOTE: "note",
    Severity.WARNING: "warning",
    Severity.SUSPICIOUS: "error",
    Severity.DANGEROUS: "error",
}
_ORDER = list(Severity)
_SCORES = {
    Severity.NOTE: "0.0",
    Severity.WARNING: "4.0",
    Severity.SUSPICIOUS: "7.5",
    Severity.DANGEROUS: "9.8",
}  # what GitHub sorts by; the words are ours, the numbers the middle of its bands
_HASHES = {DigestKind.SHA256: "sha-256", DigestKind.BLAKE3: "blake3"}

Object = dict[str, Json]


def sarif(run: Run) -> str:
    """The log of one run. Offsets into compressed members are no offsets of the file, so those have no region."""
    rules = _rules(run)
    artifacts, places = _artifacts(run)
    driver: Object = {
        "name": "sdkeep",
        "semanticVersion": run.version,
        "informationUri": HOME,
        "rules": list(rules.values()),
    }
    body: Object = {
        "tool": {"driver": driver},
        "invocations": [_invocation(run)],
        "originalUriBaseIds": {_ROOT: {"uri": address(run.folder, run.folder).rstrip("/") + "/"}},
        "artifacts": artifacts,
        "results": list(_results(run, places, {rule: index for index, rule in enumerate(rules)})),
        "columnKind": "unicodeCodePoints",
    }
    log: Object = {"$schema": SCHEMA, "version": "2.1.0", "runs": [body]}
    return json.dumps(washed(log), ensure_ascii=False, indent=2) + "\n"


def _rules(run: Run) -> dict[str, Json]:
    worst: dict[str, Severity] = {}
    for file in run.files:
        for one in file.findings:
            worst[one.rule] = max(worst.get(one.rule, one.severity), one.severity, key=_ORDER.index)
    return {rule: _rule(rule, severity) for rule, severity in sorted(worst.items())}


def _rule(rule: str, severity: Severity) -> Json:
    words = rule_text(rule)
    return {
        "id": rule,
        "name": "".join(part.capitalize() for part in rule.split("-")),
        "shortDescription": {"text": words.title},
        "fullDescription": {"text": f"{words.title}. {words.help}"},
        "help": {"text": words.help, "markdown": words.help},
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {"tags": ["security", "machine-learning"], "security-severity": _SCORES[severity]},
    }


def _invocation(run: Run) -> Json:
    return {
        "executionSuccessful": not run.troubles,
        "exitCode": run.status,
        "startTimeUtc": moment(run.began),
        "endTimeUtc": moment(run.ended),
        "workingDirectory": {"uri": address(run.folder, run.folder)},
        "toolExecutionNotifications": [_notification(trouble, run) for trouble in run.troubles],
    }


def _notification(trouble: Trouble, run: Run) -> Json:
    text = f"{one_line(trouble.what)}: {one_line(trouble.why)}" if trouble.why else one_line(trouble.what)
    told: Object = {"level": "error", "message": {"text": text}, "descriptor": {"id": trouble.code}}
    if "/" in trouble.ref and not trouble.ref.startswith(("hf:", "civitai:")):
        told["locations"] = [{"physicalLocation": {"artifactLocation": _place(trouble.ref, run)}}]
    return told


def _artifacts(run: Run) -> tuple[list[Json], list[int]]:
    """The files, each once however often it was asked for, and which of them each of the run's is."""
    made: dict[str, tuple[int, Json]] = {}
    places = []
    for file in run.files:
        artifact = _artifact(file, run)
        places.append(made.setdefault(json.dumps(artifact, sort_keys=True), (len(made), artifact))[0])
    return [artifact for _, artifact in made.values()], places


def _artifact(file: Audited, run: Run) -> Json:
    described: Object = {"location": _place(file.path, run), "roles": ["analysisTarget"]}
    if file.size is not None:
        described["length"] = file.size
    hashes: Object = {_HASHES[one.kind]: one.value for one in file.digests if one.kind in _HASHES}
    if file.sha256:
        hashes["sha-256"] = file.sha256
    if hashes:
        described["hashes"] = hashes
    if file.name:
        described["description"] = {"text": one_line(file.name)}
    verdict = file.verdict
    described["properties"] = {
        "outcome": file.outcome.value if file.outcome else None,
        "judged": file.judged.value,
        "basis": verdict.basis.value if verdict else "",
        "container": verdict.container if verdict else "",
        "engine": verdict.engine if verdict else "",
        "policy": verdict.policy if verdict else "",
        "unread": [one_line(part) for part in verdict.unread] if verdict else [],
        "claims": {one.scanner: one_line(one.result) for one in file.claims},
    }
    return described


def _results(run: Run, places: list[int], rules: dict[str, int]) -> Iterator[Json]:
    for index, file in zip(places, run.files, strict=True):
        for finding in file.findings:
            yield _result(file, finding, {**_place(file.path, run), "index": index}, rules[finding.rule])


def _result(file: Audited, finding: Finding, place: Object, rule: int) -> Json:
    physical: Object = {"artifactLocation": place}
    if finding.file_offset is not None:
        length = 1 if file.size is None or finding.file_offset < file.size else 0
        physical["region"] = {"byteOffset": finding.file_offset, "byteLength": length}
    location: Object = {"physicalLocation": physical}
    if finding.member:
        member = one_line(finding.member)
        location["logicalLocations"] = [
            {"name": member, "fullyQualifiedName": f"{called(file)}!{member}", "kind": "member"}
        ]
    result: Object = {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{called(file)}: {sentence(finding)}"},
        "locations": [location],
        "partialFingerprints": {FINGERPRINT: _fingerprint(finding)},
        "properties": {
            "severity": finding.severity.value,
            "opcode": finding.opcode,
            "callable": one_line(finding.callable),
            "memberOffset": finding.offset,
            "advisories": list(finding.advisories),
        },
    }
    if finding.rule == "allowed-by-user":
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": one_line(finding.why)}]
    return result


def _fingerprint(finding: Finding) -> str:
    """The same for the same evidence wherever the file lies and at whatever offset."""
    evidence = (finding.rule, finding.member, finding.opcode, finding.callable, finding.arguments)
    return hashlib.sha256("\0".join(evidence).encode("utf-8", "replace")).hexdigest()[:32]


def _place(path: str, run: Run) -> Object:
    inside = relative(path, run.folder)
    return {"uri": inside, "uriBaseId": _ROOT} if inside else {"uri": address(path, run.folder)}
