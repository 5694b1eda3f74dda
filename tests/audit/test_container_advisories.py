"""One test per published trick of containers: what scanners raised on or skipped, and torch loads all the same."""

from __future__ import annotations

import pytest

from sdkeep.audit.scan import scan
from sdkeep.formats.source import BytesSource
from sdkeep.ground.verdict import Outcome, Verdict
from tests.makers.pickles import assemble, calling
from tests.makers.zips import Rec, make_zip

CALL = calling("os:system", "id")
PLAIN = b"\x80\x02}q\x00."


def judged(data: bytes, name: str = "model.ckpt") -> Verdict:
    return scan(BytesSource(data, name))


def with_data(**lies: object) -> bytes:
    """A torch zip of a call, with a lie in the headers of its pickle."""
    return make_zip([Rec("archive/data.pkl", CALL, **lies), Rec("archive/version", b"3\n")])  # type: ignore[arg-type]


ZIPS = {
    "CVE-2025-1944-local-name": ({"local": {"name": b"archive/data.txt"}}, "local-name-mismatch"),
    "CVE-2025-1945-local-flags": ({"local": {"flags": 1}}, "local-flags-mismatch"),
    "CVE-2025-10156-GHSA-mjqp-26hc-grxg-checksum": ({"crc": 1}, "crc-mismatch"),
}


@pytest.mark.parametrize("case", ZIPS)
def test_a_header_that_stops_other_readers_stops_nothing_here(case: str) -> None:
    lies, rule = ZIPS[case]
    verdict = judged(with_data(**lies))
    assert verdict.outcome is Outcome.DANGEROUS
    assert rule in {finding.rule for finding in verdict.findings}


@pytest.mark.parametrize("case", ZIPS)
def test_the_same_lie_about_a_plain_pickle_is_never_clean(case: str) -> None:
    lies, _ = ZIPS[case]
    data = make_zip([Rec("archive/data.pkl", PLAIN, **lies), Rec("archive/version", b"3\n")])  # type: ignore[arg-type]
    assert not judged(data).placeable


@pytest.mark.parametrize("name", ["model.bin", "model.safetensors", "model.txt", "model.png", "config.p", "model"])
@pytest.mark.parametrize("data", [CALL, with_data()], ids=["bare", "zip"])
def test_a_name_decides_nothing_cve_2025_1889_and_10155(name: str, data: bytes) -> None:
    """CVE-2025-1889, CVE-2025-10155."""
    assert judged(data, name).outcome is Outcome.DANGEROUS


@pytest.mark.parametrize(
    "dotted", ["os.path:os", "asyncio.unix_events:os", "torch.serialization.sub:load", "builtins.x:dict"]
)
def test_a_module_below_a_known_one_is_another_module_cve_2025_10157(dotted: str) -> None:
    """CVE-2025-10157."""
    assert judged(assemble().call(dotted, "x").stop()).outcome is Outcome.DANGEROUS


def test_a_torchscript_program_is_no_checkpoint_cve_2022_45907() -> None:
    """CVE-2022-45907."""
    code = Rec("archive/code/__torch__.py", b"def forward(self, x): return x\n")
    verdict = judged(make_zip([Rec("archive/data.pkl", PLAIN), code, Rec("archive/constants.pkl", PLAIN)]))
    assert verdict.outcome is Outcome.SUSPICIOUS
