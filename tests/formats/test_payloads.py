from __future__ import annotations

import pytest
import torch

from sdkeep.formats.look import look
from sdkeep.formats.payloads import check_payloads
from sdkeep.formats.source import BytesSource
from sdkeep.ground.events import Stop, Stopped
from tests.makers.torchfiles import rezipped, saved
from tests.makers.zips import Rec, make_zip

WHOLE = saved({"a": torch.arange(600_000.0), "b": torch.ones(3)})


def found(data: bytes) -> list[tuple[str, str]]:
    source = BytesSource(data, "sample")
    return [(flaw.rule, flaw.member) for flaw in check_payloads(source, look(source))]


@pytest.mark.parametrize("compress", [False, True])
def test_whole_records_pass(compress: bool) -> None:
    assert found(rezipped(WHOLE, compress=compress)) == []
    assert found(WHOLE) == []


def test_a_changed_number_is_found_though_look_does_not_read_it() -> None:
    at = WHOLE.index(torch.arange(600_000.0).numpy().tobytes()[:4096]) + 2000
    damaged = WHOLE[:at] + bytes([WHOLE[at] ^ 1]) + WHOLE[at + 1 :]
    assert look(BytesSource(damaged)).flaws == ()
    assert found(damaged) == [("payload-crc", "archive/data/0")]


def test_a_record_that_cannot_be_unpacked_is_a_flaw() -> None:
    data = make_zip([Rec("m/a", b"x" * 500, method=8, size=400)])
    assert found(data) == [("size-mismatch", "m/a")]


def test_a_stop_is_heard() -> None:
    source, stop = BytesSource(WHOLE), Stop()
    contents = look(source)
    stop.ask()
    with pytest.raises(Stopped):
        check_payloads(source, contents, stop=stop)
