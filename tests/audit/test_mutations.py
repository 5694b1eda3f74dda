"""A dangerous file stays condemned whatever is done to it outside of the bytes that make it dangerous.

What may change is everything but the pickle's own bytes: headers, directory, other members, what is appended. A reader
could still find the pickle after many of these changes, and after the others nobody could be sure; so none is clean.
"""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.audit.scan import scan
from sdkeep.formats.source import BytesSource
from sdkeep.ground.verdict import Outcome
from tests.makers.pickles import calling
from tests.makers.zips import Rec, deflated, make_zip

EVIL = calling("os:system", "id")
OTHERS = [Rec("a/data/0", bytes(64)), Rec("a/version", b"3\n"), Rec("a/byteorder", b"little")]
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)


def packed() -> bytes:
    """The stream that `deflated` makes of the pickle."""
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(EVIL) + packer.flush()


FILES: dict[str, tuple[bytes, bytes]] = {
    "stored": (make_zip([Rec("a/data.pkl", EVIL), *OTHERS]), EVIL),
    "last": (make_zip([*OTHERS, Rec("a/data.pkl", EVIL)]), EVIL),
    "deflated": (make_zip([deflated("a/data.pkl", EVIL), *OTHERS]), packed()),
    "described": (make_zip([Rec("a/data.pkl", EVIL, descriptor=True), *OTHERS]), EVIL),
    "stray": (make_zip([Rec("a/data.pkl", b"\x80\x02}."), *OTHERS, Rec("a/notes.txt", EVIL)]), EVIL),
    "legacy": (MAGIC + EVIL + pickle.dumps([], 2) + bytes(40), MAGIC + EVIL),
    "bare": (EVIL + pickle.dumps([1], 2), EVIL),
}
NUMBERS = [0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF]


def outcome(data: bytes) -> Outcome:
    return scan(BytesSource(data)).outcome


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_dangerous_to_begin_with(name: str) -> None:
    data, core = FILES[name]
    assert outcome(data) is Outcome.DANGEROUS
    assert data.count(core) == 1


@settings(max_examples=250)
@pytest.mark.parametrize("name", FILES)
@given(st.data())
def test_no_change_outside_the_pickle_makes_a_dangerous_file_clean(name: str, data: st.DataObject) -> None:
    whole, core = FILES[name]
    begin = whole.index(core)
    front, back = bytearray(whole[:begin]), bytearray(whole[begin + len(core) :])
    for _ in range(data.draw(st.integers(1, 4))):
        part = data.draw(st.sampled_from([part for part in (front, back) if part]))
        at = data.draw(st.integers(0, len(part) - 1))
        match data.draw(st.sampled_from(["byte", "number"])):
            case "byte":
                part[at] = data.draw(st.integers(0, 255))
            case _:
                raw = data.draw(st.sampled_from(NUMBERS)).to_bytes(8, "little")[
                    : data.draw(st.sampled_from([1, 2, 4, 8]))
                ]
                part[at : at + len(raw)] = raw[: len(part) - at]
    tail = data.draw(st.binary(max_size=30))
    assert not outcome(bytes(front) + core + bytes(back) + tail).placeable


@given(st.binary(max_size=200))
def test_nothing_appended_makes_a_dangerous_pickle_less_so(tail: bytes) -> None:
    assert outcome(EVIL + tail) is Outcome.DANGEROUS
    assert outcome(FILES["legacy"][0] + tail) is Outcome.DANGEROUS
