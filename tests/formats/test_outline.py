"""Outlines: equal for files that differ in metadata and weights alone; none where a header is anything but plain."""

from __future__ import annotations

import json
import struct

import pytest

from sdkeep.formats.outline import is_one_thing, outline
from sdkeep.formats.source import BytesSource
from tests.makers import models


def file_of(head: str, payload: bytes = bytes(8), pad: int = 0) -> BytesSource:
    text = head.encode() + b" " * pad
    return BytesSource(struct.pack("<Q", len(text)) + text + payload)


def head_of(metadata: dict[str, str] | None, name: str = "a", shape: tuple[int, ...] = (2,)) -> str:
    table: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    table[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 8]}
    return json.dumps(table, separators=(",", ":"))


def layout_of(source: BytesSource) -> bytes:
    found = outline(source)
    assert found is not None
    return found.layout


def test_metadata_padding_and_weights_do_not_change_the_layout() -> None:
    one = file_of(head_of({"ss_output_name": "one"}), b"12345678")
    other = file_of(head_of({"ss_output_name": "another", "more": '{"}}'}), b"abcdefgh", pad=5)
    assert layout_of(one) == layout_of(other)
    found = outline(other)
    assert found is not None
    assert found.metadata == {"ss_output_name": "another", "more": '{"}}'}


@pytest.mark.parametrize(
    "other",
    [
        file_of(head_of({}, name="b")),
        file_of(head_of({}, shape=(1, 2))),
        file_of(head_of({}), bytes(9)),
        file_of(head_of({}).replace("F32", "I32")),
        file_of(head_of({})[:-1] + ',"__metadata__":{}}'),
    ],
    ids=["name", "shape", "size", "type", "metadata twice"],
)
def test_whatever_else_differs_is_another_layout(other: BytesSource) -> None:
    assert layout_of(file_of(head_of({}))) != layout_of(other)


@pytest.mark.parametrize(
    "source",
    [
        BytesSource(b""),
        BytesSource(b"\x80\x02}q\x00."),
        BytesSource(struct.pack("<Q", 1 << 62) + b"{}"),
        BytesSource(struct.pack("<Q", 40) + b"{}"),
        file_of('{"__metadata__":{"a":"1","a":"2"}}', b""),
        file_of('{"__metadata__":{"a":1}}', b""),
        file_of('{"__metadata__":[]}', b""),
        file_of('{"__metadata__":null}', b""),
        file_of('{"__metadata__":{"a":"1"', b""),
        file_of('["__metadata__"]', b""),
        BytesSource(struct.pack("<Q", 4) + b"{\xff\xfe}"),
    ],
    ids=["empty", "pickle", "huge", "cut", "doubled", "number", "list", "null", "open", "array", "no text"],
)
def test_anything_unusual_has_no_outline(source: BytesSource) -> None:
    assert outline(source) is None


def test_metadata_behind_the_tensors_belongs_to_the_layout() -> None:
    head = head_of(None)[:-1] + ',"__metadata__":{"a":"1"}}'
    found = outline(file_of(head))
    assert found is not None
    assert found.metadata == {}
    assert found.layout != layout_of(file_of(head.replace('"1"', '"2"')))


def test_a_file_that_is_also_something_else_is_told() -> None:
    plain = models.safetensors(models.small_lora(), 3)
    assert is_one_thing(BytesSource(plain))
    assert not is_one_thing(BytesSource(plain + models.archive(a=b"a")))
