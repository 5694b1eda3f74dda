"""Pickles where nobody looks for one are found; numbers that only begin like a pickle are not taken for one."""

from __future__ import annotations

import struct

import pytest

from sdkeep.audit.scan import scan
from sdkeep.formats.source import BytesSource
from sdkeep.ground.verdict import Outcome, Verdict
from tests.makers.pickles import calling
from tests.makers.zips import Rec, deflated, make_zip

PLAIN = b"\x80\x02}q\x00."
CALL = calling("os:system", "id")
TEXT = b"cos\nsystem\n(S'id'\ntR."
LATE = b"(" + b"N" * 6000 + b"1" + TEXT


def judged(*extra: Rec) -> Verdict:
    data = make_zip([Rec("archive/data.pkl", PLAIN), *extra, Rec("archive/version", b"3\n")])
    return scan(BytesSource(data, "model.ckpt"))


@pytest.mark.parametrize("name", ["archive/data/0", "archive/data/99", "archive/version", "archive/byteorder"])
@pytest.mark.parametrize("make", [Rec, deflated], ids=["stored", "deflated"])
def test_a_pickle_in_place_of_numbers_is_read(name: str, make: type[Rec]) -> None:
    found = judged(make(name, CALL))
    assert found.outcome is Outcome.DANGEROUS
    assert any(finding.member == name for finding in found.findings)


@pytest.mark.parametrize("data", [CALL, TEXT, LATE], ids=["binary", "text", "text after a long front"])
@pytest.mark.parametrize("make", [Rec, deflated], ids=["stored", "deflated"])
def test_a_pickle_under_any_name_is_read(data: bytes, make: type[Rec]) -> None:
    assert judged(make("archive/notes.txt", data)).outcome is Outcome.DANGEROUS


@pytest.mark.parametrize("protocol", range(2, 6))
def test_numbers_that_begin_like_a_pickle_stay_numbers(protocol: int) -> None:
    numbers = b"\x80" + bytes([protocol]) + struct.pack("<64f", *(index / 7 for index in range(64)))
    assert judged(Rec("archive/data/0", numbers)).outcome is Outcome.CLEAN


def test_prose_beside_a_model_stays_prose() -> None:
    assert judged(Rec("archive/README.md", b"# A model\n\nIt is good.\n")).outcome is Outcome.CLEAN
