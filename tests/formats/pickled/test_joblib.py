"""Arrays that joblib writes between opcodes: passed over by their size, and read as opcodes too, as others would."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest

from sdkeep.audit.scan import scan
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.source import BytesSource
from sdkeep.ground.verdict import Outcome, Verdict
from tests.makers.pickles import Assembler, assemble, calling

NUMBERS = b"\xff" * 24


def wrapped(raw: bytes, *, subclass: str = "ndarray", code: str = "i8", side: int = 3, name: str = "numpy") -> bytes:
    """`{"a": array}` as joblib writes it, with any bytes where the array's numbers stand."""
    made = assemble(4).empty_dict().short("a").short("joblib.numpy_pickle").short("NumpyArrayWrapper").stack_global()
    made.empty_tuple().newobj().empty_dict().mark()
    made.short("subclass").short(name).short(subclass).stack_global()
    made.short("shape").binint1(side).tuple1().short("order").short("C")
    made.short("dtype").short("numpy").short("dtype").stack_global().short(code).raw(b"\x89\x88").tuple3().reduce()
    made.raw(b"(K\x03").short("<").raw(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")
    made.short("allow_mmap").true().short("numpy_array_alignment_bytes").binint1(16)
    return made.raw(b"ub").raw(raw).setitem().stop()


def judged(data: bytes) -> Verdict:
    return scan(BytesSource(data, "model.joblib"))


def test_the_numbers_of_an_array_are_passed_over() -> None:
    data = wrapped(b"\x02\xff\xff" + NUMBERS)
    reading = read_pickle(data)
    assert reading.complete and reading.end == len(data)
    assert judged(data).outcome is Outcome.CLEAN


def test_a_call_behind_an_array_is_found() -> None:
    data = wrapped(b"\x00" + NUMBERS)[:-2] + bytes(Assembler().call("os:system", "id").code) + b"s."
    assert judged(data).outcome is Outcome.DANGEROUS


def test_a_call_that_others_find_in_the_numbers_of_an_array_is_found() -> None:
    hidden = bytes(Assembler().name("os", "system").unicode("id").tuple1().reduce().code)
    found = judged(wrapped(b"N" + hidden.ljust(ord("N"), b"N") + NUMBERS))  # the padding's length is an opcode too
    assert found.outcome is Outcome.DANGEROUS
    assert any(one.callable.endswith("system") for one in found.findings)


def test_a_pickle_in_place_of_an_array_of_objects_is_read() -> None:
    assert judged(wrapped(calling("os:system", "id"), code="O8")).outcome is Outcome.DANGEROUS


@pytest.mark.parametrize("code", ["V12", "x", "", "i999999999", "V999999"])
def test_an_array_of_unknown_size_is_never_clean(code: str) -> None:
    assert not judged(wrapped(b"\x00" + NUMBERS, code=code)).placeable


def test_an_array_longer_than_its_file_is_never_clean() -> None:
    assert not judged(wrapped(b"\x00" + NUMBERS, side=200)).placeable


def test_another_class_than_numpys_own_is_no_array() -> None:
    found = judged(wrapped(b"\x00" + NUMBERS, subclass="Net", name="acme"))
    assert found.outcome in (Outcome.SUSPICIOUS, Outcome.DANGEROUS)


def test_other_names_of_joblib_stay_dangerous() -> None:
    assert judged(calling("joblib:load", "x")).outcome is Outcome.DANGEROUS


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_joblib_itself_writes_is_clean(protocol: int, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    tree = {
        "a": np.arange(6.0).reshape(2, 3), "b": [np.ones(3, "i4"), "x"], "e": np.zeros((0, 3)), "c": 5,
        "f": np.asfortranarray(np.ones((2, 3), ">f4")), "s": np.array(["a", "bb"]), "one": np.array(1.5),
    }  # fmt: skip
    out = io.BytesIO()
    joblib.dump(tree, out, protocol=protocol)
    assert judged(out.getvalue()).outcome is Outcome.CLEAN


RECORDS = np.array([(1, 2.5), (2, 3.5)], dtype=[("a", "i4"), ("b", "f8")])
HARMLESS = {
    "records": RECORDS,
    "aligned records": RECORDS.astype(np.dtype(RECORDS.dtype.descr, align=True)),
    "records of arrays": np.zeros(2, dtype=[("a", "f4", (3,)), ("b", "U4")]),
    "records of records": np.zeros(2, dtype=[("a", [("x", "i2"), ("y", "u1")]), ("b", "S3")]),
    "dates": np.array(["2026-01-01"], dtype="M8[D]"),
    "bytes": np.frombuffer(b"abcd", "V2"),
}


@pytest.mark.parametrize("case", HARMLESS)
@pytest.mark.parametrize("packer", [0, "zlib", "gzip", "bz2", "xz", "lzma"])
def test_arrays_that_hold_no_code_are_clean_packed_or_not(case: str, packer: str | int, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    joblib.dump({"x": HARMLESS[case]}, tmp_path / "x", compress=(packer, 3) if packer else 0)
    found = judged((tmp_path / "x").read_bytes())
    assert found.outcome is Outcome.CLEAN, found.findings


OBJECTS = {
    "values": np.array(["a", None, {"b": [1]}, 2.5], dtype=object),
    "arrays": np.array([np.ones(2), "x"], dtype=object),
}


@pytest.mark.parametrize("case", OBJECTS)
@pytest.mark.parametrize("packer", [0, "zlib"])
@pytest.mark.parametrize("protocol", [2, 5])
def test_harmless_objects_in_an_array_are_not_accused(
    case: str, packer: str | int, protocol: int, tmp_path: Path
) -> None:
    """They are not always cleared either: loaders other than joblib read names into them that nobody wrote."""
    joblib = pytest.importorskip("joblib")
    joblib.dump({"x": OBJECTS[case]}, tmp_path / "x", compress=(packer, 3) if packer else 0, protocol=protocol)
    found = judged((tmp_path / "x").read_bytes())
    assert found.outcome.rank < Outcome.SUSPICIOUS.rank, found.findings


def test_a_shell_that_only_other_loaders_find_among_objects_is_found(tmp_path: Path) -> None:
    data = wrapped(bytes(assemble(2).name("os", "system").unicode("id").tuple1().reduce().code) + b".", code="O8")
    assert judged(data).outcome is Outcome.DANGEROUS


class Gift:
    """What a trojan puts among the objects of an array."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("true",)


@pytest.mark.parametrize("packer", [0, "zlib", "gzip", "bz2", "xz", "lzma"])
def test_a_call_among_the_objects_of_an_array_is_found_packed_or_not(packer: str | int, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    joblib.dump({"x": np.array([1, Gift()], dtype=object)}, tmp_path / "x", compress=(packer, 3) if packer else 0)
    assert judged((tmp_path / "x").read_bytes()).outcome is Outcome.DANGEROUS


@pytest.mark.parametrize("front", [b"\x04\x22\x4d\x18", b"ZF0x1a               ", b"\x28\xb5\x2f\xfd"])
def test_what_joblib_packs_in_ways_that_are_not_read_is_named_and_not_cleared(front: bytes) -> None:
    found = judged(front + b"\0" * 64)
    assert found.outcome is Outcome.UNSUPPORTED
    assert found.container in ("lz4", "zfile", "zstd")


def test_a_packed_pickle_with_something_behind_it_is_not_cleared() -> None:
    packed = zlib.compress(b"\x80\x04N.")
    assert judged(packed).outcome is Outcome.CLEAN
    assert not judged(packed + b"behind").placeable
    assert not judged(zlib.compress(b"\x80\x04N." + b"junk")).placeable
