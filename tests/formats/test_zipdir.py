from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.source import BytesSource
from sdkeep.formats.zipdir import Directory, locate, overlaps, read_directory, read_member
from tests.makers.torchfiles import saved
from tests.makers.zips import Rec, deflated, make_zip


def directory(data: bytes) -> Directory:
    found = read_directory(BytesSource(data, "sample"))
    assert found is not None
    return found


def everything(data: bytes) -> set[str]:
    """Every rule that the directory, the local headers, the contents and their places break."""
    source, found = BytesSource(data), directory(data)
    flaws, starts = list(found.flaws), {}
    for entry in found.entries:
        located = locate(source, entry)
        flaws += located.flaws
        if located.start is not None:
            starts[entry.header] = located.start
            flaws += read_member(source, entry, located.start, 1 << 20)[1]
    flaws += overlaps(found.entries, starts, found)
    return {flaw.rule for flaw in flaws}


A, B = Rec("m/a", b"first"), Rec("m/b", b"second")
TWICE = Rec("m/a", b"other")

FLAWED = {
    "duplicate": (make_zip([A, TWICE]), "duplicate-member"),
    "case variant": (make_zip([A, Rec("M/A", b"other")]), "case-variant-member"),
    "local name": (make_zip([Rec("m/a", b"x", local={"name": b"m/z"})]), "local-name-mismatch"),
    "local method": (make_zip([Rec("m/a", b"x", local={"method": 8})]), "local-method-mismatch"),
    "local flags": (make_zip([Rec("m/a", b"x", local={"flags": 1})]), "local-flags-mismatch"),
    "local size": (make_zip([Rec("m/a", b"x", local={"size": 7})]), "local-size-mismatch"),
    "local crc": (make_zip([Rec("m/a", b"x", local={"crc": 7})]), "local-crc-mismatch"),
    "crc in both": (make_zip([Rec("m/a", b"x", crc=7)]), "crc-mismatch"),
    "encrypted": (make_zip([Rec("m/a", b"x", flags=1)]), "encrypted-member"),
    "strongly encrypted": (make_zip([Rec("m/a", b"x", flags=0x40)]), "encrypted-member"),
    "method": (make_zip([Rec("m/a", b"x", method=14)]), "unknown-compression"),
    "sizes": (make_zip([Rec("m/a", b"x", size=2)]), "size-mismatch"),
    "packed size": (make_zip([Rec("m/a", b"x" * 50, method=8, size=20)]), "size-mismatch"),
    "not deflate": (make_zip([A]).replace(b"\0\0\0\0\x21\0", b"\x08\0\0\0\x21\0"), "deflate-damaged"),
    "nul": (make_zip([Rec("m/a\0b", b"x")]), "nul-in-name"),
    "second name": (make_zip([Rec("m/a", b"x", central_extra=struct.pack("<HHB", 0x7075, 1, 1))]), "second-name"),
    "comment": (make_zip([A], comment=b"hello"), "zip-comment"),
    "trailing": (make_zip([A], suffix=b"hello"), "trailing-bytes"),
    "short comment": (make_zip([A], comment=b"hello")[:-2], "archive-short"),
    "prefix": (make_zip([A], prefix=b"MZ" * 9, shift_offsets=True), "prefix-bytes"),
    "traversal": (make_zip([Rec("../a", b"x")]), "traversal-name"),
    "absolute": (make_zip([Rec("/etc/a", b"x")]), "traversal-name"),
    "drive": (make_zip([Rec("C:a", b"x")]), "traversal-name"),
    "backslash": (make_zip([Rec("m\\..\\a", b"x")]), "traversal-name"),
    "bomb": (make_zip([deflated("m/a", bytes(1 << 27))]), "bomb"),
}


@pytest.mark.parametrize("case", FLAWED, ids=str)
def test_a_lie_in_a_zip_is_a_flaw(case: str) -> None:
    data, rule = FLAWED[case]
    assert rule in everything(data)


@pytest.mark.parametrize(
    "data",
    [
        make_zip([A, B]),
        make_zip([A, deflated("m/b", b"x" * 1000)]),
        make_zip([Rec("m/a", b"x", descriptor=True), B]),
        make_zip([]),
        saved({"a": torch.zeros(3), "b": torch.zeros(0)}),
    ],
    ids=["stored", "deflated", "descriptor", "empty", "torch"],
)
def test_an_honest_zip_has_no_flaw(data: bytes) -> None:
    assert everything(data) == set()


def test_the_extra_fields_of_the_two_headers_may_differ_in_length() -> None:
    data = make_zip([Rec("m/a", b"x", extra=b"FB\x20\0" + b"Z" * 32)])
    found = directory(data)
    start = locate(BytesSource(data), found.entries[0]).start
    assert start is not None
    assert data[start : start + 1] == b"x"


def test_a_prefix_with_offsets_from_the_file_s_start_needs_no_shift() -> None:
    found = directory(make_zip([A, B], prefix=b"MZ" * 9))
    assert (found.shift, found.flaws) == (0, ())
    assert len(found.entries) == 2


def test_python_s_shift_is_applied_to_every_offset() -> None:
    data = make_zip([A, B], prefix=b"MZ" * 9, shift_offsets=True)
    found = directory(data)
    assert found.shift == 18
    assert [locate(BytesSource(data), entry).start is not None for entry in found.entries] == [True, True]


def test_two_members_over_the_same_bytes_overlap() -> None:
    data = bytearray(make_zip([A, Rec("m/b", b"first")]))
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    data[second + 42 : second + 46] = bytes(4)
    assert {"overlapping-members", "local-name-mismatch"} <= everything(bytes(data))


def test_a_member_reaching_into_the_directory_overlaps() -> None:
    data = make_zip([Rec("m/a", b"x" * 10)])
    grown = data.replace(struct.pack("<2L", 10, 10), struct.pack("<2L", 60, 60))
    assert "overlapping-members" in everything(grown)


def test_a_header_pointing_nowhere_is_a_flaw() -> None:
    data = bytearray(make_zip([A]))
    at = data.index(b"PK\x01\x02")
    data[at + 42 : at + 46] = struct.pack("<L", 7)
    assert "local-header-missing" in everything(bytes(data))


@pytest.mark.parametrize("count", [0, 2, 9])
def test_a_wrong_count_of_members_is_a_flaw(count: int) -> None:
    data = bytearray(make_zip([A]))
    at = data.index(b"PK\x05\x06")
    data[at + 8 : at + 12] = struct.pack("<2H", count, count)
    assert "directory-damaged" in everything(bytes(data))


def test_an_archive_in_parts_is_a_flaw() -> None:
    data = bytearray(make_zip([A]))
    at = data.index(b"PK\x05\x06")
    data[at + 4 : at + 6] = b"\1\0"
    assert "split-archive" in everything(bytes(data))


def test_a_directory_before_the_file_begins_is_a_flaw() -> None:
    data = bytearray(make_zip([A]))
    at = data.index(b"PK\x05\x06")
    data[at + 12 : at + 16] = struct.pack("<L", 100_000)
    assert everything(bytes(data)) == {"directory-out-of-file"}


def test_no_end_record_means_no_directory() -> None:
    assert read_directory(BytesSource(b"PK\x03\x04" + bytes(100))) is None
    assert read_directory(BytesSource(b"PK\x05\x06")) is None


def wide(records: int = 1) -> bytes:
    """A zip64 as Python writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(records):
            with archive.open(zipfile.ZipInfo(f"m/{number}"), "w", force_zip64=True) as member:
                member.write(b"data")
    return out.getvalue()


def test_wide_local_headers_agree_with_narrow_central_ones() -> None:
    assert everything(wide()) == set()


def test_more_members_than_sixteen_bits_count() -> None:
    data = wide(65_600)
    found = directory(data)
    assert len(found.entries) == 65_600
    assert found.flaws == ()


def zip64(at: int = 0, **changes: int) -> bytes:
    """An archive with 64-bit end records, any field of which can lie."""
    data = make_zip([A])
    end = data.index(b"PK\x05\x06")
    count, length, offset = struct.unpack("<H2L", data[end + 10 : end + 20])
    values = {"count": count, "length": length, "offset": offset} | changes
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, values["count"], values["count"],
                         values["length"], values["offset"])  # fmt: skip
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end + at, 1)
    return data[:end] + record + locator + data[end:]


def test_agreeing_end_records_are_no_flaw() -> None:
    assert everything(zip64()) == set()


def test_end_records_that_disagree_are_a_flaw() -> None:
    assert "zip64-disagrees" in everything(zip64(count=2))


def test_a_locator_that_points_elsewhere_still_finds_the_record_before_it() -> None:
    assert everything(zip64(at=7)) == set()


def test_a_missing_wide_record_is_a_flaw() -> None:
    assert "zip64-missing" in everything(zip64().replace(b"PK\x06\x06", b"PK\0\0"))


def test_the_directory_costs_two_reads_however_many_members_there_are() -> None:
    class Counting(BytesSource):
        reads = 0

        def read_at(self, offset: int, length: int) -> bytes:
            self.reads += 1
            return super().read_at(offset, length)

    source = Counting(make_zip([Rec(f"m/{number}", b"x" * 50) for number in range(3000)]))
    read_directory(source)
    assert source.reads <= 2


def test_a_member_longer_than_allowed_is_not_read() -> None:
    data = make_zip([deflated("m/a", b"x" * 1000)])
    entry = directory(data).entries[0]
    found, flaws = read_member(BytesSource(data), entry, locate(BytesSource(data), entry).start or 0, 999)
    assert (found, [flaw.rule for flaw in flaws]) == (b"", ["member-too-large"])


def test_no_more_is_unpacked_than_was_promised() -> None:
    data = make_zip([Rec("m/a", bytes(1 << 24), method=8, size=100, crc=zlib.crc32(bytes(100)))])
    entry = directory(data).entries[0]
    found, flaws = read_member(BytesSource(data), entry, locate(BytesSource(data), entry).start or 0, 1 << 20)
    assert len(found) == 101
    assert "size-mismatch" in {flaw.rule for flaw in flaws}


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.binary(max_size=40), st.booleans()), max_size=6))
def test_what_python_reads_we_read(rows: list[tuple[str, bytes, bool]]) -> None:
    rows = [(name.replace("\0", "_").replace("/", "_"), data, packed) for name, data, packed in rows]
    rows = list({name: row for name, *_ in rows for row in rows if row[0] == name}.values())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data, packed in rows:
            try:
                archive.writestr(name, data, zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)
            except UnicodeEncodeError:
                return
    source = BytesSource(out.getvalue())
    found = directory(out.getvalue())
    read = {}
    for entry in found.entries:
        located = locate(source, entry)
        assert located.start is not None
        assert located.flaws == ()
        read[entry.name], flaws = read_member(source, entry, located.start, 1 << 20)
        assert flaws == ()
    with zipfile.ZipFile(out) as archive:
        assert read == {name: archive.read(name) for name in archive.namelist()}


@given(st.data())
def test_a_changed_byte_never_breaks_the_reader(data: st.DataObject) -> None:
    original = bytearray(make_zip([A, deflated("m/b", b"y" * 90), Rec("m/c", b"z", descriptor=True)], comment=b"hey"))
    for _ in range(data.draw(st.integers(1, 4))):
        original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    if read_directory(BytesSource(bytes(original))):
        everything(bytes(original))


NAMES = st.lists(
    st.sampled_from(["a", "A", "b", "B", "c", "d", "E", "e", "data.pkl", "DATA.PKL"]), min_size=1, max_size=14
)


@given(NAMES)
def test_torch_s_choice_among_equal_names_is_known(names: list[str]) -> None:
    records = [Rec(f"m/{name}", str(place).encode()) for place, name in enumerate(names)]
    data = make_zip([*records, Rec("m/version", b"3\n")])
    reader = torch._C.PyTorchFileReader(io.BytesIO(data))
    source = BytesSource(data)
    for folded, entries in directory(data).index().items():
        name = folded.decode().removeprefix("m/")
        start = locate(source, entries[0]).start or 0
        assert reader.get_record(name) == read_member(source, entries[0], start, 100)[0]
