"""Files that one program takes for tensors and another for a pickle."""

from __future__ import annotations

import pickle
import struct

import pytest

from sdkeep.audit.scan import scan
from sdkeep.formats.look import look
from sdkeep.formats.source import BytesSource
from sdkeep.formats.twofold import Sparse
from sdkeep.ground.verdict import Outcome
from tests.makers.looking import rules, seen
from tests.makers.torchfiles import EVIL


def jumping_safetensors() -> tuple[bytes, int]:
    """The front of a safetensors file whose header length is the opcode BINBYTES, and where an unpickler jumps to.

    `B` takes the length's next four bytes for the length of its argument, which ends in the metadata's text; there
    another `B` takes four blanks for a length and jumps half a gigabyte ahead, into the payload.
    """
    more = 300
    length = more << 8 | ord("B")
    row = '{"__metadata__":{"a":"%s"},"x":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}'
    place = 5 + more - 8
    landing = 8 + place + 5 + 0x20202020
    payload = landing + len(EVIL) - 8 - length
    text = bytearray(row % ("#" * (length - len(row % ("", payload, payload))), payload, payload), "ascii")
    text[place : place + 5] = b"B    "
    return struct.pack("<Q", length) + bytes(text), landing


def test_a_safetensors_file_that_an_unpickler_runs_is_seen() -> None:
    front, landing = jumping_safetensors()
    contents = look(Layered(front, landing, EVIL))
    assert rules(contents) == {"two-containers"}
    assert [tensor.name for tensor in contents.tensors] == ["x"]
    assert scan(Layered(front, landing, EVIL)).outcome is Outcome.DANGEROUS


def test_the_same_file_with_other_bytes_there_is_clean() -> None:
    front, landing = jumping_safetensors()
    assert scan(Layered(front, landing, bytes(len(EVIL)))).outcome is Outcome.CLEAN


class Layered(BytesSource):
    """Half a gigabyte of zeros with bytes at its front and somewhere in it, without the memory."""

    def __init__(self, front: bytes, at: int, there: bytes) -> None:
        super().__init__(front, "layered")
        self._front, self._at, self._there = front, at, there

    @property
    def size(self) -> int:
        return self._at + len(self._there)

    def read_at(self, offset: int, length: int) -> bytes:
        length = max(min(length, self.size - offset), 0)
        if length > 1 << 20:
            raise AssertionError(f"{length} bytes read at once")
        out = bytearray(length)
        for start, data in ((0, self._front), (self._at, self._there)):
            for place in range(max(start, offset), min(start + len(data), offset + length)):
                out[place - offset] = data[place - start]
        return bytes(out)


def test_a_gguf_file_that_an_unpickler_runs_is_seen() -> None:
    # `G` is BINFLOAT: eight bytes of argument, then opcodes where GGUF counts its tensors
    data = b"GGUF" + struct.pack("<I", 3) + b"\0C" + bytes([15]) + bytes(5) + struct.pack("<Q", 0) + b"\0" * 2 + EVIL
    assert pickle.loads(b"G" + bytes(8) + b"C\x0f" + bytes(15) + b"0.") == 0.0
    assert "two-containers" in rules(seen(data))
    assert scan(BytesSource(data)).outcome is Outcome.DANGEROUS


def test_bytes_read_as_they_are_asked_for_are_the_same_bytes() -> None:
    data = bytes(range(256)) * 1000
    sparse = Sparse(BytesSource(data))
    assert len(sparse) == len(data)
    assert [sparse[at] for at in (0, 4095, 4096, 255_999)] == [data[at] for at in (0, 4095, 4096, 255_999)]
    assert sparse[70_000:70_010] == data[70_000:70_010]
    assert sparse[0:100_000] == b""
    assert sparse.find(b"\xff", 300) == data.find(b"\xff", 300)
    assert sparse.find(b"\xff", 300, 310) == -1


@pytest.mark.parametrize("length", [ord(code) for code in "cBXT"])
def test_an_honest_header_whose_length_is_an_opcode_is_clean(length: int) -> None:
    text = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
    assert scan(BytesSource(struct.pack("<Q", len(text)) + text + b"\0\0\x80\x3f")).outcome is Outcome.CLEAN


def test_opcodes_without_end_at_the_front_leave_the_file_undecided() -> None:
    blob = b"GGUF" + struct.pack("<I", 3) + b"\0C" + bytes([15]) + bytes(5) + struct.pack("<Q", 0) + b"\0" * 2
    assert "budget-front" in rules(seen(blob + b"N0" * 60_000))
