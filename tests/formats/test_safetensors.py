from __future__ import annotations

import json
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize
from safetensors.torch import load, save

from sdkeep.formats.dtypes import BITS, RANK
from sdkeep.formats.safetensors import ALIGNMENT, MOST_HEADER, Header, Slot, build_header, in_file_order, read_header
from sdkeep.formats.source import BytesSource
from sdkeep.ground.errors import FormatError
from tests.makers.torchfiles import DTYPES, sample


def blob(header: str | bytes, payload: bytes = b"\0" * 8) -> bytes:
    text = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(text)) + text + payload


def entry(dtype: str = "I8", shape: str = "[8]", offsets: str = "[0,8]", more: str = "") -> str:
    return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}{more}}}'


def read(data: bytes) -> Header:
    return read_header(BytesSource(data, "sample"))


def found(data: bytes) -> set[str]:
    return {flaw.rule for flaw in read(data).flaws}


def test_what_the_reference_writes_is_read_without_flaws() -> None:
    tensors = {str(dtype): sample(dtype, 3, 5) for dtype in DTYPES} | {
        "none": torch.zeros(0, 4),
        "one": torch.tensor(2.0),
    }
    data = save(tensors, {"format": "pt", "name": "ünï"})
    header = read(data)
    assert header.flaws == ()
    assert header.metadata == {"format": "pt", "name": "ünï"}
    assert {tensor.name: tensor.shape for tensor in header.tensors} == {k: tuple(v.shape) for k, v in tensors.items()}
    for tensor in header.tensors:
        assert tensor.span is not None
        payload = data[tensor.span.offset : tensor.span.offset + tensor.span.length]
        assert payload == bytes(tensors[tensor.name].contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


FLAWED = {
    "duplicate name": (f'{{"x":{entry()},"x":{entry("U8")}}}', "duplicate-key"),
    "duplicate field": ('{"x":' + entry(more=',"dtype":"U8"') + "}", "duplicate-key"),
    "duplicate metadata": (f'{{"__metadata__":{{}},"__metadata__":{{}},"x":{entry()}}}', "duplicate-key"),
    "duplicate metadata key": (f'{{"__metadata__":{{"a":"1","a":"2"}},"x":{entry()}}}', "duplicate-metadata"),
    "metadata number": (f'{{"__metadata__":{{"a":1}},"x":{entry()}}}', "metadata-not-text"),
    "metadata list": (f'{{"__metadata__":[],"x":{entry()}}}', "metadata-not-text"),
    "hole at the front": ('{"x":' + entry("I8", "[4]", "[4,8]") + "}", "payload-hole"),
    "hole in between": (
        '{"x":' + entry("I8", "[2]", "[0,2]") + ',"y":' + entry("I8", "[4]", "[4,8]") + "}", "payload-hole",
    ),
    "overlap": ('{"x":' + entry() + ',"y":' + entry("I8", "[4]", "[4,8]") + "}", "payload-overlap"),
    "same bytes twice": ('{"x":' + entry() + ',"y":' + entry() + "}", "payload-overlap"),
    "behind the end": ('{"x":' + entry("I8", "[9]", "[0,9]") + "}", "payload-short"),
    "bytes left over": ('{"x":' + entry("I8", "[4]", "[0,4]") + "}", "trailing-bytes"),
    "no tensors but bytes": ("{}", "trailing-bytes"),
    "too few bytes": ('{"x":' + entry("F32", "[8]") + "}", "size-mismatch"),
    "overflowing shape": ('{"x":' + entry("I8", "[4294967296,4294967296]") + "}", "size-mismatch"),
    "half a byte": ('{"x":' + entry("F4", "[15]", "[0,7]") + "}", "size-mismatch"),
    "unknown dtype": ('{"x":' + entry("F13") + "}", "unknown-dtype"),
    "negative length": ('{"x":' + entry("I8", "[-8]") + "}", "tensor-malformed"),
    "float length": ('{"x":' + entry("I8", "[8.0]") + "}", "tensor-malformed"),
    "true length": ('{"x":' + entry("I8", "[true]") + "}", "tensor-malformed"),
    "falling offsets": ('{"x":' + entry("I8", "[8]", "[8,0]") + "}", "tensor-malformed"),
    "three offsets": ('{"x":' + entry("I8", "[8]", "[0,4,8]") + "}", "tensor-malformed"),
    "no object": ('{"x":["I8",[8],[0,8]]}', "tensor-malformed"),
    "no dtype": ('{"x":{"shape":[8],"data_offsets":[0,8]}}', "tensor-malformed"),
    "too many dimensions": ('{"x":' + entry("I8", str([1] * 65)) + "}", "tensor-malformed"),
}  # fmt: skip


@pytest.mark.parametrize("case", FLAWED, ids=str)
def test_a_broken_rule_is_a_flaw(case: str) -> None:
    header, rule = FLAWED[case]
    assert rule in found(blob(header))


TOLERATED = {"duplicate name", "duplicate metadata key", "no object"}


@pytest.mark.parametrize("case", FLAWED, ids=str)
def test_the_reference_refuses_what_is_flawed_but_for_what_it_tolerates(case: str) -> None:
    try:
        deserialize(blob(FLAWED[case][0]))
        accepted = True
    except SafetensorError:
        accepted = False
    assert accepted == (case in TOLERATED)


REFUSED = {
    "nothing": (b"", "header-short"),
    "seven bytes": (b"\0" * 7, "header-short"),
    "longer than the file": (struct.pack("<Q", 5000) + b"{}", "header-short"),
    "huge": (struct.pack("<Q", MOST_HEADER + 1) + b"{}", "header-huge"),
    "no brace": (blob(" {}"), "header-not-json"),
    "no json": (blob("{]"), "header-not-json"),
    "not utf-8": (blob(b'{"\xff": 1}'), "header-not-json"),
    "nan": (blob('{"x": NaN}'), "header-not-json"),
    "deep": (blob('{"x":' * 200_000), "header-not-json"),
    "long number": (blob('{"x":' + "9" * 5000 + "}"), "header-not-json"),
    "two values": (blob("{}{}"), "header-not-json"),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_a_header_that_cannot_be_understood_is_an_error(case: str) -> None:
    data, rule = REFUSED[case]
    with pytest.raises(FormatError) as caught:
        read(data)
    assert caught.value.rule == rule


def test_a_null_metadata_is_none_as_for_the_reference() -> None:
    assert read(blob(f'{{"__metadata__":null,"x":{entry()}}}')).flaws == ()


def test_the_last_of_two_equal_names_is_taken_like_the_reference_does() -> None:
    header = read(blob(f'{{"x":{entry()},"x":{entry("U8")}}}'))
    assert [tensor.dtype for tensor in header.tensors] == ["U8"]


def test_an_appended_zip_is_seen() -> None:
    data = save({"a": torch.zeros(4)}) + b"PK\x05\x06" + b"\0" * 18
    assert found(data) == {"trailing-bytes"}


SLOTS = st.lists(
    st.tuples(st.text(min_size=1, max_size=12), st.sampled_from(sorted(BITS)), st.lists(st.integers(0, 4), max_size=3)),
    unique_by=lambda slot: slot[0],
    max_size=12,
)


@given(SLOTS, st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_a_written_header_reads_back(rows: list[tuple[str, str, list[int]]], metadata: dict[str, str]) -> None:
    rows = [row for row in rows if row[0] != "__metadata__"]
    slots = in_file_order(Slot(name, dtype, (*(8 * n for n in shape), 8)) for name, dtype, shape in rows)
    front = build_header(slots, metadata)
    data = front + bytes(sum(slot.length for slot in slots))
    header = read(data)
    assert len(front) % ALIGNMENT == 0
    assert header.flaws == ()
    assert header.metadata == metadata
    assert [(t.name, t.dtype, t.shape) for t in header.tensors] == [(s.name, s.dtype, s.shape) for s in slots]
    assert {name for name, _ in deserialize(data)} == {slot.name for slot in slots}


def test_the_order_is_that_of_the_reference_serialiser() -> None:
    tensors = {f"{name}.{dtype}": sample(dtype, 4) for dtype in reversed(DTYPES) for name in ("b", "a", "é")}
    names = [tensor.name for tensor in read(save(tensors)).tensors]
    ours = {t.name: Slot(t.name, t.dtype, t.shape) for t in read(save(tensors)).tensors}
    assert [slot.name for slot in in_file_order(ours.values())] == names


def test_every_tensor_lies_aligned_to_its_own_width() -> None:
    slots = in_file_order(Slot(dtype, dtype, (8,)) for dtype in BITS)
    for tensor in read(build_header(slots, {}) + bytes(sum(slot.length for slot in slots))).tensors:
        assert tensor.span is not None
        assert tensor.span.offset % max(BITS[tensor.dtype] // 8, 1) == 0 or BITS[tensor.dtype] < 8


def test_a_slot_of_a_foreign_dtype_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        _ = Slot("x", "complex128", (1,)).length


def test_the_ranks_cover_every_code() -> None:
    assert set(RANK) == set(BITS)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except FormatError as error:
        assert error.rule and error.why


ODD = st.sampled_from([None, True, 0, -1, 8, 1 << 63, 8.0, "", "I8", [], [8], [0, 8], [0, "8"], [[8]], {}, {"a": 1}])
TABLES = st.dictionaries(
    st.sampled_from(["x", "y", "__metadata__"]),
    st.fixed_dictionaries({"dtype": st.sampled_from(["I8", "F4", "?"]) | ODD, "shape": ODD, "data_offsets": ODD}) | ODD,
    max_size=3,
)


@given(TABLES)
def test_what_has_no_flaw_is_accepted_by_the_reference(table: dict[str, object]) -> None:
    data = blob(json.dumps(table))
    if not read(data).flaws:
        deserialize(data)


def test_the_reference_reads_what_we_write_without_metadata() -> None:
    assert torch.equal(
        load(build_header([Slot("a", "U8", (4,))], {}) + b"\1\2\3\4")["a"], torch.tensor([1, 2, 3, 4]).byte()
    )


@pytest.mark.parametrize(
    "header",
    [
        '{"__metadata__":{' + ",".join(f'"k{n}":"v"' for n in range(1_100_000)) + "}}",
        '{"x":{"dtype":"I8","shape":[' + "1," * 2_100_000 + "1]}}",
        '{"x":' + "[[]," * 700_000 + "[]" + "]" * 700_000 + "}",
    ],
    ids=["metadata", "shape", "lists"],
)
def test_a_header_of_millions_of_values_is_not_read(header: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(blob(header))
    assert caught.value.rule == "budget-header"


def test_a_long_header_of_wide_letters_is_not_read() -> None:
    with pytest.raises(FormatError) as caught:
        read(blob('{"__metadata__":{"a":"\U0001f600' + "a" * (33 << 20) + '"}}'))
    assert caught.value.rule == "budget-header"
