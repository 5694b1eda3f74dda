"""A verdict as lines for a person and as values for a program."""

from __future__ import annotations

from sdkeep.ground.text import one_line
from sdkeep.ground.verdict import Basis, Finding, Outcome, Severity, Verdict

Json = str | int | bool | None | list["Json"] | dict[str, "Json"]

_MEANING = {
    Outcome.CLEAN: "nothing in it can run",
    Outcome.CLEAN_WITH_NOTES: "nothing in it can run; there is something to know",
    Outcome.INCONCLUSIVE: "not read to the end, so not cleared",
    Outcome.UNSUPPORTED: "not a form that sdkeep can clear",
    Outcome.MALFORMED: "broken, so not cleared",
    Outcome.SUSPICIOUS: "holds what no honest model needs",
    Outcome.DANGEROUS: "loading it can run code",
}


def as_lines(verdict: Verdict, name: str) -> list[str]:
    """The verdict on the file called `name`: a headline, each finding with its evidence, what was not read."""
    lines = [f"{one_line(name)}: {_headline(verdict)}"]
    for finding in verdict.findings:
        lines.extend(_finding(finding))
    lines.extend(f"  not read: {one_line(part, 160)}" for part in verdict.unread)
    if verdict.basis is Basis.RANGES:
        lines.append("  read in part only: this verdict can stop a download, never clear one")
    return lines


def _headline(verdict: Verdict) -> str:
    if verdict.basis is Basis.RANGES and verdict.outcome.placeable:
        return f"provisionally {verdict.outcome} ({verdict.container}): nothing in what was read of it can run"
    no_model = any(finding.rule == f"container-{verdict.container}" for finding in verdict.findings)
    meaning = "no model at all" if no_model and verdict.outcome is Outcome.MALFORMED else _MEANING[verdict.outcome]
    return f"{verdict.outcome} ({verdict.container}): {meaning}"


def summary(verdict: Verdict, most: int = 2) -> str:
    """The gravest findings in one line, calls first: what an error says of a file that is refused."""
    order = {severity: rank for rank, severity in enumerate(reversed(Severity))}
    worst = sorted(verdict.findings, key=lambda finding: (order[finding.severity], not finding.arguments))
    told = list({finding.callable or finding.why: _told(finding) for finding in reversed(worst)}.values())[::-1]
    more = f" (and {len(told) - most} more)" if len(told) > most else ""
    return "; ".join(told[:most]) + more if told else _MEANING[verdict.outcome]


def _told(finding: Finding) -> str:
    if not finding.callable:
        return one_line(finding.why, 160)
    given = one_line(finding.arguments, 80)
    call = one_line(finding.callable, 80) + (f" given {given}" if given else "")
    place = _place(finding)
    return f"{call}: {one_line(finding.why, 160)}" + (f", at {place}" if given and place else "")


def _finding(finding: Finding) -> list[str]:
    subject = " ".join(part for part in (finding.opcode, one_line(finding.callable, 160)) if part)
    head = f"  {finding.severity}: {finding.rule}" + (f": {subject}" if subject else "")
    lines = [head, f"    {one_line(finding.why, 300)}"]
    if finding.arguments:
        lines.append(f"    given {one_line(finding.arguments, 240)}")
    place = _place(finding)
    if place:
        lines.append(f"    at {place}")
    if finding.advisories:
        lines.append("    see " + ", ".join(finding.advisories))
    return lines


def _place(finding: Finding) -> str:
    member = f"`{one_line(finding.member, 160)}`" if finding.member else ""
    if not member:
        at = finding.offset if finding.file_offset is None else finding.file_offset
        return f"byte {at:,}" if at is not None else ""
    inside = f"byte {finding.offset:,} of {member}" if finding.offset is not None else member
    return f"{inside}, byte {finding.file_offset:,} of the file" if finding.file_offset is not None else inside


def as_json(verdict: Verdict) -> dict[str, Json]:
    """The verdict ready for `json.dumps`: ids as in the reference, offsets in bytes, absent offsets null."""
    return {
        "outcome": verdict.outcome.value,
        "placeable": verdict.placeable,
        "container": verdict.container,
        "basis": verdict.basis.value,
        "engine": verdict.engine,
        "policy": verdict.policy,
        "findings": [finding_json(finding) for finding in verdict.findings],
        "unread": [one_line(part) for part in verdict.unread],
    }


def finding_json(finding: Finding) -> Json:
    """One finding ready for `json.dumps`."""
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "why": one_line(finding.why),
        "member": one_line(finding.member),
        "offset": finding.offset,
        "file_offset": finding.file_offset,
        "opcode": finding.opcode,
        "callable": one_line(finding.callable),
        "arguments": one_line(finding.arguments),
        "advisories": list(finding.advisories),
    }
