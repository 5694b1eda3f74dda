"""Python's own unpicklers as the oracle: whatever name one of them asks for in any pickle, our verdict has weighed it.

`find_class` hands out a stub, so that nothing is imported and a call makes another stub.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.audit.policy import Level, load_policy
from sdkeep.audit.scan import scan
from sdkeep.formats.pickled.names import modern
from sdkeep.formats.source import BytesSource
from tests.audit.test_advisories import TRICKS
from tests.makers.pickles import assemble, calling

POLICY = load_policy()
LISTED = (Level.SAFE, Level.INERT)


class Stub:
    """What stands for anything that a pickle imports or makes."""

    def __new__(cls, *_: object, **__: object) -> Stub:
        return object.__new__(cls)

    def __call__(self, *_: object, **__: object) -> Stub:
        return Stub()

    def __setstate__(self, _: object) -> None: ...
    def append(self, _: object) -> None: ...
    def extend(self, _: object) -> None: ...
    def add(self, _: object) -> None: ...
    def __setitem__(self, _: object, __: object) -> None: ...


class Recorder(pickle.Unpickler):
    """The C unpickler; `asked` are the names it wanted."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        super().__init__(file)
        self.asked: list[tuple[str, str]] = []

    def find_class(self, module: str, name: str) -> object:
        self.asked.append((module, name))
        return Stub

    def persistent_load(self, _: object) -> object:
        return Stub()


class PythonRecorder(pickle._Unpickler):  # type: ignore[misc, name-defined]
    """The same in Python, which differs in frames and literals."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        super().__init__(file)
        self.asked: list[tuple[str, str]] = []

    find_class = Recorder.find_class
    persistent_load = Recorder.persistent_load


def asked(data: bytes, make: Callable[[io.BufferedIOBase], Recorder]) -> list[tuple[str, str]]:
    reader = make(io.BytesIO(data))
    try:
        reader.load()
    except Exception:
        pass
    return reader.asked


def is_listed(module: str, name: str) -> bool:
    """Whether the policy lists a name, as it stands or as Python renames it below protocol 3."""
    if "." in name:
        return False
    return any(POLICY.rule(".".join(pair)).level in LISTED for pair in ((module, name), modern(module, name)))


def wants_room(data: bytes) -> bool:
    """Whether an unpickler could take this for a memo entry so high that it would need gigabytes for the table."""
    return bool(re.search(rb"p\d{7}|r(?s:..)[\x10-\xff]|r(?s:...)[^\0]", data))


NAMES = ["os:system", "posix:system", "decimal:Decimal", "acme.x:y", "builtins:set", "uuid:UUID"]
SEEDS = [
    *TRICKS.values(),
    *(calling(name, "x", 3) for name in NAMES),
    *(pickle.dumps({"a": [1, 2.5, None, (b"x", "y" * 300)], "b": {3, 4}}, protocol) for protocol in range(6)),
    assemble(4).framed(bytes(assemble(4).short("os").short("system").stack_global().code)[2:]).stop(),
]
OPCODES = [bytes([code]) for code in range(256)]
WORDS = st.sampled_from([
    *OPCODES, b"cos\nsystem\n", b"\x8c\x02os", b"\x8c\x06system", b"\x95\x08" + bytes(7), b"h\x00", b"p0\n", b"g0\n",
    b"\x80\x02", b"\x80\x04", b"X\x02\x00\x00\x00os", b"V0s\n", b"S'os'\n", b"U\x02os", b"\n",
    *(b"\x93", b"R", b")", b"\x94", b"(", b"t", b"\x85", b"b", b"o", b"i", b"0", b"1", b"2", b".") * 3,
])  # fmt: skip
CHANGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), WORDS), max_size=8)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of torn bytearrays in CPython
@settings(max_examples=500)
@pytest.mark.parametrize("make", [Recorder, PythonRecorder], ids=["C", "Python"])
@given(st.sampled_from(SEEDS), CHANGES)
def test_no_name_that_an_unpickler_asks_for_is_missed(
    make: Callable[[io.BufferedIOBase], Recorder], data: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    for at, length, piece in changes:
        at %= len(data) + 1
        data = data[:at] + piece + data[at + length :]
    if wants_room(data):
        return
    strange = [name for name in asked(data, make) if not is_listed(*name)]
    if strange:
        verdict = scan(BytesSource(data, "model.pt"))  # a text of that name is not cleared either
        assert not verdict.placeable, (data, strange)
