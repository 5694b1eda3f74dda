"""What a person and a program read of a verdict."""

from __future__ import annotations

import json
from dataclasses import replace

from sdkeep.audit.report import as_json, as_lines, summary
from sdkeep.ground.verdict import Basis, Finding, Outcome, Severity, Verdict
from tests.audit.conftest import judged
from tests.makers.pickles import calling

EVIL = calling("os:system", "id\x1b[31m")


def test_a_person_reads_the_call_its_arguments_and_its_place() -> None:
    lines = as_lines(judged(EVIL), "evil\x1b[2J.pt")
    assert lines[0] == "evil.pt: dangerous (pickle): loading it can run code"
    text = "\n".join(lines)
    assert "dangerous: dangerous-call: REDUCE os.system" in text
    assert "given ('id\\x1b[31m',)" in text
    assert f"at byte {len(EVIL) - 2}" in text
    assert "\x1b" not in text


def test_a_member_and_the_file_have_their_own_offsets() -> None:
    finding = Finding("r", Severity.DANGEROUS, "w", "a/data.pkl", 5, 105, "REDUCE", "x.y", "()", ("GHSA-a",))
    lines = as_lines(Verdict(Outcome.DANGEROUS, "torch-zip", (finding,), ("tensors",)), "f")
    assert "    at byte 5 of `a/data.pkl`, byte 105 of the file" in lines
    assert "    see GHSA-a" in lines
    assert lines[-1] == "  not read: tensors"


def test_a_verdict_from_ranges_says_that_it_clears_nothing() -> None:
    verdict = replace(judged(b"}."), basis=Basis.RANGES)
    assert as_lines(verdict, "f")[-1].endswith("never clear one")
    assert as_json(verdict)["placeable"] is False


def test_json_has_stable_keys_and_plain_values() -> None:
    data = as_json(judged(EVIL))
    assert json.loads(json.dumps(data)) == data
    assert list(data) == ["outcome", "placeable", "container", "basis", "engine", "policy", "findings", "unread"]
    findings = data["findings"]
    assert isinstance(findings, list) and isinstance(findings[0], dict)
    assert list(findings[0]) == [
        "rule", "severity", "why", "member", "offset", "file_offset", "opcode", "callable", "arguments", "advisories",
    ]  # fmt: skip


def test_a_summary_names_the_gravest_findings_in_one_line() -> None:
    line = summary(judged(EVIL), 1)
    assert line.startswith("os.system given ('id") and "\n" not in line
    assert summary(judged(b"}.")) == "nothing in it can run"


def test_a_flaw_in_a_member_is_placed_in_the_file() -> None:
    finding = Finding("crc-mismatch", Severity.SUSPICIOUS, "w", "a/data.pkl", None, 100)
    lines = as_lines(Verdict(Outcome.SUSPICIOUS, "torch-zip", (finding,)), "f")
    assert lines[-1] == "    at `a/data.pkl`, byte 100 of the file"
