"""Audited files of every sort, and runs of them, for the tests of reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sdkeep.audit.reports.values import Audited, Judged, Run, Trouble
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import Family, Format, Kind
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge, Parent, Relation, Trust
from sdkeep.ground.model import Claim
from sdkeep.ground.verdict import Finding, Outcome, Severity, Verdict

BEGAN = datetime(2026, 7, 13, 12, 0, 0, tzinfo=UTC)
SPITE = "\x1b]0;owned\x07 a&b<c> \u202e\x00 \ud800 ]]> 'x'"
"""What would break a terminal, XML, JSON or a reader's eye."""

CALL = Finding(
    "dangerous-call", Severity.DANGEROUS, "runs a program", "a/data.pkl", 20, 120, "REDUCE", "os.system", "('id',)",
    ("CVE-2025-1716", "GHSA-655q-fx9r-782v"),
)  # fmt: skip
NAME = Finding(
    "unknown-name", Severity.SUSPICIOUS, "no tensor needs this name", "a/data.pkl", 4, None, "GLOBAL", "acme.x"
)
SPITEFUL = replace(CALL, callable=SPITE, arguments=SPITE)
ALLOWED = Finding("allowed-by-user", Severity.NOTE, "allowed for this very file by ada", callable="acme.Net")
CUT = Finding("header-short", Severity.WARNING, "the header ends early", file_offset=8)


def verdict(outcome: Outcome, *findings: Finding) -> Verdict:
    return Verdict(outcome, "torch-zip", findings, ("tensor data",) if findings else (), "sdkeep-audit 1", "2026.11.1")


def clean(number: int = 1) -> Audited:
    """A checkpoint with everything on record."""
    sha256 = f"{number:064x}"
    return Audited(
        f"/models/clean{number}.safetensors",
        verdict(Outcome.CLEAN),
        f"clean-{number}",
        sha256,
        1000,
        Judged.STORED,
        file_name=f"clean{number}.safetensors",
        title="Castle Mix v2",
        kind=Kind.CHECKPOINT,
        family=Family.SD1,
        base="SD 1.5",
        format=Format.SAFETENSORS,
        digests=(
            Digest(DigestKind.SHA256, sha256),
            Digest(DigestKind.BLAKE3, "b" * 64),
            Digest(DigestKind.CRC32, "c" * 8),
        ),
        origin="civitai:1@2",
        page="https://civitai.com/models/1?modelVersionId=2",
        licence=Licence("creativeml-openrail-m", "CreativeML Open RAIL-M", "https://huggingface.co/spaces/x y"),
        parents=(
            Edge(Parent(Trust.SHA256, f"{2:064x}"), Relation.MERGE_OF, "sd_merge_models", weight=0.5, method="sum"),
            Edge(Parent(Trust.NAME, SPITE), Relation.FINETUNE_OF, "card"),
        ),
        claims=(Claim("civitai-pickle", "Danger", "imports"),),
        notes=(Finding("hub-disagrees", Severity.NOTE, "because"),),
    )


def every_sort() -> tuple[Audited, ...]:
    """One file of each sort a report can meet."""
    return (
        clean(1),
        replace(clean(2), licence=Licence("apache-2.0"), parents=()),
        Audited("/models/bad.ckpt", verdict(Outcome.DANGEROUS, CALL, NAME), size=500),
        Audited("/models/odd.pt", verdict(Outcome.SUSPICIOUS, NAME), "odd", "d" * 64, 500),
        Audited("/models/cut.safetensors", verdict(Outcome.MALFORMED, CUT), size=8),
        Audited("/models/mine.pt", verdict(Outcome.CLEAN_WITH_NOTES, ALLOWED), "mine", "e" * 64),
        Audited(
            "/models/edited.pt", verdict(Outcome.CLEAN), "edited", judged=Judged.CHANGED,
            notes=(Finding("changed-since-catalogued", Severity.WARNING, "size or time differ"),),
        ),
        Audited("gone.pt", None, "gone", "f" * 64, judged=Judged.ABSENT),
        Audited("elsewhere/wild.json", verdict(Outcome.CLEAN), "wild", "a" * 64, kind=Kind.WILDCARDS),
        Audited(f"/models/{SPITE}.pt", verdict(Outcome.DANGEROUS, SPITEFUL), SPITE),
        Audited("https://hub.example/a b.ckpt", verdict(Outcome.CLEAN)),
        Audited("/models/caf\udce9 #1?.pt", verdict(Outcome.CLEAN)),
    )  # fmt: skip


def run_of(*files: Audited, status: int = 0, troubles: tuple[Trouble, ...] = ()) -> Run:
    """A run of four seconds in /models."""
    return Run("audit", "1.2.3", BEGAN, BEGAN + timedelta(seconds=4), status, "/models", files, troubles)


def full_run() -> Run:
    troubles = (
        Trouble("/models/locked.pt", "not-writable", f"cannot read `locked.pt` {SPITE}", "permission denied"),
        Trouble("nobody", "not-found-here", "`nobody` is not in the catalogue"),
    )
    return run_of(*every_sort(), status=1, troubles=troubles)
