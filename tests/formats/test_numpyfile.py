"""numpy arrays: numbers are tensors, objects are pickles, and every odd spelling counts as objects."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from sdkeep.audit.scan import scan
from sdkeep.formats.contents import Container
from sdkeep.formats.numpyfile import MAGIC
from sdkeep.formats.source import BytesSource
from sdkeep.ground.verdict import Outcome
from tests.makers.looking import Loaded, rules, seen
from tests.makers.torchfiles import EVIL


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version, allow_pickle=True)
    return out.getvalue()


def by_hand(header: str, data: bytes) -> bytes:
    words = header.encode() + b"\n"
    return MAGIC + b"\1\0" + len(words).to_bytes(2, "little") + words + data


def outcome(data: bytes) -> Outcome:
    return scan(BytesSource(data, "x.npy")).outcome


ARRAYS = {
    "row": np.arange(6.0), "half": np.ones((2, 3), np.float16), "none": np.zeros((0, 4)), "flags": np.array([True]),
    "big-endian": np.arange(4, dtype=">i4"), "scalar": np.array(2.5),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("case", ARRAYS)
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)], ids=str)
def test_an_array_of_numbers_is_a_tensor(case: str, version: tuple[int, int], loaded: Loaded) -> None:
    data = npy(ARRAYS[case], version)
    contents = seen(data)
    assert (contents.container, contents.flaws, contents.pickles) == (Container.NUMPY, (), ())
    assert outcome(data) is Outcome.CLEAN
    assert np.array_equal(loaded(data)["tensor"].numpy(), ARRAYS[case].astype(ARRAYS[case].dtype.newbyteorder("=")))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
def test_the_arrays_of_an_npz_are_tensors(save: object, loaded: Loaded, tmp_path: Path) -> None:
    out = io.BytesIO()
    save(out, **ARRAYS)  # type: ignore[operator]
    assert outcome(out.getvalue()) is Outcome.CLEAN
    tensors = loaded(out.getvalue())
    assert set(tensors) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert np.array_equal(tensors[name].numpy(), array.astype(array.dtype.newbyteorder("="))), name


def test_records_and_texts_are_known_to_hold_no_pickle_and_are_no_tensor() -> None:
    record = np.zeros(3, [("O", "<f4"), ("name", "<U8"), ("sub", "<i2", (2,))])
    for array in (record, np.array(["a", "b"]), np.array(["2020-01-01"], "M8[D]")):
        contents = seen(npy(array))
        assert (contents.flaws, contents.pickles, contents.tensors) == ((), (), ())
        assert outcome(npy(array)) is Outcome.UNSUPPORTED


def test_the_pickle_of_an_array_of_objects_is_judged() -> None:
    assert outcome(npy(np.array([{"a": 1}], object))) is Outcome.CLEAN  # a list of values
    assert outcome(by_hand("{'descr': '|O', 'fortran_order': False, 'shape': (), }", pickle.dumps(1))) is Outcome.CLEAN
    assert outcome(by_hand("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", EVIL)) is Outcome.DANGEROUS


@pytest.mark.parametrize(
    "header",
    [
        r"{'descr': '\x4f', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': 'object', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': 'i4,O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', 'O')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', [('b', '|O')])], 'fortran_order': False, 'shape': (1,), }",
        "{'shape': (1,), 'fortran_order': False, 'descr': 'O'}",
        "{'descr': '<f4', 'descr': 'O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4' '' 'O', 'fortran_order': False, 'shape': (1,), }",
    ],
)  # fmt: skip
def test_however_objects_are_spelt_their_pickle_is_read(header: str) -> None:
    assert outcome(by_hand(header, EVIL)) is Outcome.DANGEROUS
    assert outcome(by_hand(header, b"\0" * 64)) in (Outcome.MALFORMED, Outcome.INCONCLUSIVE)


def test_an_odd_header_over_a_plain_pickle_is_not_cleared() -> None:
    assert outcome(by_hand(r"{'descr': '\x4f', 'shape': (1,), }", pickle.dumps([1]))) is Outcome.INCONCLUSIVE


def test_a_pickle_behind_the_numbers_is_not_passed_over() -> None:
    assert rules(seen(npy(np.arange(3.0)) + EVIL)) == {"trailing-bytes"}
    assert outcome(npy(np.arange(3.0)) + EVIL) is Outcome.MALFORMED


def test_an_array_cut_short_is_malformed() -> None:
    assert outcome(npy(np.arange(30.0))[:-8]) is Outcome.MALFORMED


@pytest.mark.parametrize(
    "data", [MAGIC, MAGIC + b"\1\0\xff\xff{", MAGIC + b"\1\0\x02\0{}"], ids=["short", "cut", "empty"]
)
def test_a_header_that_cannot_be_read_is_never_clean(data: bytes) -> None:
    assert not outcome(data).placeable
    assert "array-unreadable" in rules(seen(data))


def test_an_odd_array_in_an_npz_is_judged_by_its_pickle() -> None:
    from tests.makers.zips import Rec, make_zip

    odd = by_hand(r"{'descr': '\x4f', 'fortran_order': False, 'shape': (1,), }", EVIL)
    assert outcome(make_zip([Rec("a.npy", npy(np.arange(3.0))), Rec("b.npy", odd)])) is Outcome.DANGEROUS
