"""What a pickle holds besides tensors comes out as JSON: everything once, nothing endless, nothing that can run."""

from __future__ import annotations

import argparse
import collections
import json
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.leftovers import leftovers, write_leftovers
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.ground.errors import WouldOverwrite
from tests.makers.looking import seen
from tests.makers.torchfiles import saved


def left(value: object, protocol: int = 4) -> object:
    return leftovers(read_pickle(pickle.dumps(value, protocol)).root)


def test_tensors_go_and_everything_else_stays() -> None:
    value = {
        "state_dict": {"a": torch.ones(2), "deep": {"b": torch.ones(1)}}, "epoch": 3, "loss": float("nan"),
        "hyper_parameters": {"lr": 1e-4, "betas": (0.9, 0.999), "tags": {"x"}, "raw": b"\0\1", "none": None},
        "optimizer_states": [{"state": {0: {"step": 7, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}],
        "mixed": [1, torch.ones(1)], 7: "seven", "dtype": torch.float16, "args": argparse.Namespace(width=8),
        "ordered": collections.OrderedDict(a=1), "empty": {}, "big": 1 << 4000,
    }  # fmt: skip
    contents = seen(saved(value))
    assert leftovers(contents.root) == {
        "epoch": 3, "loss": "nan",
        "hyper_parameters": {
            "lr": 1e-4, "betas": [0.9, 0.999], "tags": ["x"], "raw": {"<bytes>": "AAE="}, "none": None,
        },
        "optimizer_states": [{"state": {"0": {"step": 7}}, "param_groups": [{"lr": 0.1}]}],
        "mixed": [1, "<tensor>"], "7": "seven", "dtype": "<name torch.float16>",
        "args": {"<made by>": "argparse.Namespace", "state": {"width": 8}},
        "ordered": {"a": 1}, "empty": {}, "big": "<integer of 4,001 bits>",
    }  # fmt: skip


def test_a_call_is_words() -> None:
    root = read_pickle(b"cos\nsystem\n(S'id'\ntR.").root
    assert leftovers(root) == {"<made by>": "os.system", "arguments": ["id"]}


OPCODES = {
    "a storage": (b"(X\x07\0\0\0storageK\x01tQ.", "<storage>"),
    "an extension": (b"\x82\x07.", "<extension code 7>"),
    "a call of a result": (b"cos\nsystem\n)R)R.", {"<made by>": "<a call>"}),
    "a long blob": (b"B" + (70_000).to_bytes(4, "little") + bytes(70_000) + b".", {"<bytes>": "70,000 of them"}),
    "odd keys": (b"}(cos\npath\nK\x01G?\xf8\0\0\0\0\0\0K\x02NK\x03)K\x04u.",
                 {"os.path": 1, "1.5": 2, "None": 3, "<TupleNode>": 4}),
    "an object of tensors": (
        b"ccopyreg\n_reconstructor\n(cacme\nNet\nc__builtin__\nobject\nNtR}X\x01\0\0\0a"
        b"ctorch._utils\n_rebuild_tensor_v2\n)Rsb.", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OPCODES)
def test_whatever_opcodes_build_becomes_words(case: str) -> None:
    data, expected = OPCODES[case]
    assert leftovers(read_pickle(data).root) == expected


def test_a_value_within_itself_is_cut() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert left(loop) == {"again": "<cut>"}


def test_a_doubling_bomb_is_cut() -> None:
    value: list[object] = [1]
    for _ in range(50):
        value = [value, value]
    assert len(json.dumps(left(value))) < 4_000_000


def test_bare_tensors_leave_nothing() -> None:
    assert leftovers(seen(saved({"a": torch.ones(1)})).root) is None


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(PLAIN, st.sampled_from([0, 1, 2, 4]))
def test_plain_data_come_through_as_json_has_them(value: object, protocol: int) -> None:
    assert left(value, protocol) == json.loads(json.dumps(value))


def test_it_is_written_whole_and_over_nothing(tmp_path: Path) -> None:
    root, out = read_pickle(pickle.dumps({"a": "é"})).root, tmp_path / "x.extras.json"
    write_leftovers(root, out)
    assert json.loads(out.read_text()) == {"a": "é"}
    with pytest.raises(WouldOverwrite):
        write_leftovers(root, out)


def test_text_that_is_none_is_written_all_the_same(tmp_path: Path) -> None:
    raw = "a\ud800".encode("utf-8", "surrogatepass")
    word = b"\x8c" + bytes([len(raw)]) + raw
    root = read_pickle(b"\x80\x04}(" + word * 2 + b"K\x01" + word * 2 + b"\x93u.").root
    write_leftovers(root, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == {"a?": "a?", "1": "<name a?.a?>"}
