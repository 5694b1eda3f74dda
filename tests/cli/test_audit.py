"""`scan --report`, `audit` and `allow` as a person and a script meet them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.makers import models
from tests.makers.pickles import foreign
from tests.world import World


@pytest.fixture
def folder(world: World) -> Path:
    """A clean file and a trojan."""
    found = world.root / "models"
    found.mkdir()
    (found / "a.safetensors").write_bytes(models.safetensors(models.small_lora(), 81))
    (found / "b.ckpt").write_bytes(models.trojan())
    return found


@pytest.fixture
def library(world: World, folder: Path) -> Path:
    """The same, catalogued where they lie."""
    world.json("add", "--in-place", str(folder))
    return folder


def test_a_report_goes_to_standard_output_instead_of_the_words(world: World, folder: Path) -> None:
    result = world.run("scan", str(folder), "--report", "sarif")
    assert result.status == 1
    (log,) = json.loads(result.stdout)["runs"]
    assert log["invocations"][0]["exitCode"] == 1
    assert {one["ruleId"] for one in log["results"]} >= {"dangerous-call"}
    assert ElementTree.fromstring(world.run("scan", str(folder), "--report", "junit").stdout).get("failures") == "1"
    assert json.loads(world.run("scan", str(folder), "--report", "json").stdout)["counts"] == {
        "clean": 1,
        "dangerous": 1,
    }


def test_a_report_goes_to_a_file_beside_the_words_or_the_document(world: World, folder: Path) -> None:
    out = world.root / "r.xml"
    said = world.run("scan", str(folder), "--report", "junit", "-o", str(out))
    assert "dangerous" in said.stdout
    assert str(out) in said.stderr
    assert ElementTree.parse(out).getroot().get("tests") == "2"
    assert len(world.json("scan", str(folder), "--report", "sarif", "-o", str(out)).data) == 2
    assert json.loads(out.read_text())["version"] == "2.1.0"


def test_only_an_earlier_report_is_replaced(world: World, folder: Path) -> None:
    model = folder / "a.safetensors"
    before = model.read_bytes()
    result = world.json("scan", str(folder), "--report", "sarif", "-o", str(model))
    assert result.codes == ["would-overwrite"]
    assert model.read_bytes() == before
    notes = world.root / "workflow.json"
    notes.write_text('{\n  "nodes": []\n}')
    assert world.json("scan", str(folder), "--report", "json", "-o", str(notes)).codes == ["would-overwrite"]
    for form in ("sarif", "junit", "json"):
        world.run("scan", str(folder), "--report", form, "-o", str(world.root / "report"))
    assert json.loads((world.root / "report").read_text())["tool"] == "sdkeep"


def test_mistakes_about_reports_are_found_before_any_work(world: World, folder: Path) -> None:
    assert world.json("scan", str(folder), "--report", "sarif").codes == ["usage"]
    assert world.json("scan", str(folder), "-o", "x").codes == ["usage"]
    assert world.json("scan", str(folder), "--report", "cyclonedx", "-o", "x").codes == ["usage"]
    assert world.json("audit", "--report", "pdf", "-o", "x").codes == ["usage"]


def test_a_file_that_cannot_be_read_is_in_the_report(world: World, folder: Path) -> None:
    result = world.run("scan", "nobody", str(folder / "a.safetensors"), "--report", "sarif")
    (invocation,) = json.loads(result.stdout)["runs"][0]["invocations"]
    assert invocation["toolExecutionNotifications"][0]["descriptor"]["id"] == "not-found-here"
    assert result.status == 1
    assert "nobody" in result.stderr


def test_audit_lists_what_is_bad_and_counts_the_rest(world: World, library: Path) -> None:
    result = world.run("audit")
    assert result.status == 1
    assert f"b ({library / 'b.ckpt'}): dangerous" in result.stdout
    assert "system" in result.stdout
    assert "a.safetensors" not in result.stdout
    assert "2 files: 1 dangerous, 1 clean" in result.stderr
    assert "2 on record" in result.stderr
    assert "2 without a licence on record" in result.stderr
    told = world.run("audit", "-v").stdout
    assert "no-licence: no licence is on record for it" in told
    assert world.run("audit", "-q").lines[0].split() == ["dangerous", "b", str(library / "b.ckpt")]


def test_audit_as_a_document(world: World, library: Path) -> None:
    result = world.json("audit")
    assert result.status == 1
    assert result.data["outcomes"] == {"dangerous": 1, "clean": 1}
    assert {one["name"]: one["judged"] for one in result.data["files"]} == {"a": "stored", "b": "stored"}
    assert world.json("audit", "nobody").codes == ["not-found-here"]


def test_audit_of_nothing_and_of_what_changed(world: World, library: Path) -> None:
    assert "nothing to audit" in world.run("audit", "--kind", "vae").stderr
    (library / "a.safetensors").write_bytes(models.safetensors(models.small_lora(), 82) + b"x")
    told = world.run("audit", "a")
    assert told.status == 2
    assert "changed since it was catalogued" in told.stdout
    assert "sdkeep verify a" in told.stdout


def test_audit_writes_a_bill_of_materials(world: World, library: Path) -> None:
    out = world.root / "bom.json"
    result = world.run("audit", "--report", "cyclonedx", "-o", str(out))
    assert result.status == 1
    bom = json.loads(out.read_text())
    assert {one["name"] for one in bom["components"]} == {"a", "b"}
    assert bom["vulnerabilities"]


def test_allow_says_what_it_did(world: World) -> None:
    path = world.root / "net.pt"
    path.write_bytes(foreign())
    result = world.run("allow", "acme.nets.Net", str(path))
    assert "may use acme.nets.Net" in result.stdout
    assert "with that it is clean-with-notes" in result.stdout
    assert "may no longer use" in world.run("allow", "acme.nets.Net", str(path), "--remove").stdout
    assert "nothing is allowed" in world.run("allow").stderr
    assert "not here" in world.run("allow", "a.B", "sha256:" + "a" * 64).stderr
