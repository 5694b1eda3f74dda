from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.formats.cleanpt import write_clean_pt
from sdkeep.formats.convert import ConvertOptions, Written, plan, write_safetensors
from sdkeep.formats.look import look
from sdkeep.formats.pickled.values import EventKind, GlobalNode
from sdkeep.formats.source import BytesSource, FileSource
from sdkeep.ground.errors import CannotConvert, WouldOverwrite
from sdkeep.ground.events import Moved, Stop, Stopped
from sdkeep.ground.kinds import Precision
from tests.makers.torchfiles import DTYPES, pickled, sample, saved, storage, torch_zip
from tests.makers.torchfiles import mapping as pairs

T = torch.arange(6.0).reshape(2, 3)
HYPERNETWORK = {
    768: ({"linear.0.weight": T, "linear.0.bias": T[0]}, {"linear.0.weight": T * 2}),
    320: ({"linear.0.weight": T.half()}, {"linear.0.weight": T}),
    "step": 12_000, "name": "mine", "layer_structure": [1, 2.5, 1], "activation_func": "linear", "is_layer_norm": False,
    "weight_initialization": "Normal", "sd_checkpoint": "81761151", "sd_checkpoint_name": None, "activate_output": True,
    "dropout_structure": [0, 0.5, 0],
}  # fmt: skip


def clean(data: bytes, out: Path, options: ConvertOptions | None = None) -> Written:
    source = BytesSource(data, "sample")
    return write_clean_pt(source, plan(look(source), options), out)


def loaded(path: Path) -> object:
    return torch.load(path, weights_only=True)


def equal(one: object, two: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return one.dtype == two.dtype and one.shape == two.shape and bool((one.view(-1) == two.view(-1)).all())
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(equal(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return type(one) is type(two) and len(one) == len(two) and all(map(equal, one, two))
    return one == two and type(one) is type(two)


@pytest.mark.parametrize("value", [{"a": T, "b.c": T.half()}, [T, T * 2], T], ids=["state dict", "list", "bare"])
def test_a_layout_comes_back(value: object, tmp_path: Path) -> None:
    clean(saved(value), tmp_path / "o")
    assert equal(loaded(tmp_path / "o"), value)


def test_a_hypernetwork_comes_back_with_its_fields(tmp_path: Path) -> None:
    clean(saved(HYPERNETWORK), tmp_path / "o")
    assert equal(loaded(tmp_path / "o"), {key: value for key, value in HYPERNETWORK.items() if value is not None})


def test_a_hypernetwork_comes_back_from_its_safetensors(tmp_path: Path) -> None:
    source = BytesSource(saved(HYPERNETWORK))
    write_safetensors(source, plan(look(source)), tmp_path / "s")
    clean((tmp_path / "s").read_bytes(), tmp_path / "o")
    clean(saved(HYPERNETWORK), tmp_path / "p")
    assert (tmp_path / "o").read_bytes() == (tmp_path / "p").read_bytes()


def test_a_hypernetwork_field_that_makes_no_sense_is_left_out(tmp_path: Path) -> None:
    metadata = {"step": "many", "layer_structure": "{}", "dropout_structure": "[" * 100_000, "name": "x"}
    clean(saved({768: HYPERNETWORK[768]}), tmp_path / "o", ConvertOptions(metadata=metadata))
    assert set(loaded(tmp_path / "o")) == {768, "name"}  # type: ignore[call-overload]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_is_written_for_torch(dtype: torch.dtype, tmp_path: Path) -> None:
    value = sample(dtype, 3, 4)
    clean(saved({"a": value, "e": value[:0], "s": value[0, 0]}), tmp_path / "o")
    found = loaded(tmp_path / "o")
    assert isinstance(found, dict)
    assert found["a"].dtype is dtype
    assert found["a"].view(torch.uint8).tolist() == value.contiguous().view(torch.uint8).tolist()
    assert (found["e"].shape, found["s"].shape) == ((0, 4), ())


def test_nothing_but_tensors_is_named(tmp_path: Path) -> None:
    clean(saved(HYPERNETWORK | {"evil": torch.nn.ParameterDict({"x": T})}), tmp_path / "o")
    with FileSource(tmp_path / "o") as source:
        contents = look(source)
    events = [event for pickle in contents.pickles for event in pickle.reading.events]
    named = {e.target.dotted for e in events if e.kind is EventKind.IMPORT and isinstance(e.target, GlobalNode)}
    assert named <= {
        "collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch.FloatStorage", "torch.HalfStorage",
    }  # fmt: skip
    assert contents.flaws == ()


def test_the_archive_is_one_that_python_and_we_find_no_fault_with(tmp_path: Path) -> None:
    clean(saved({"a": T, "b": torch.zeros(0)}), tmp_path / "o")
    with zipfile.ZipFile(tmp_path / "o") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            f"archive/{name}" for name in ("data.pkl", "byteorder", "data/0", "data/1", "version")
        ]
    with FileSource(tmp_path / "o") as source:
        contents = look(source)
    assert contents.flaws == ()
    assert all(t.span and t.span.offset % 64 == 0 for t in contents.tensors)


def test_the_same_input_gives_the_same_file(tmp_path: Path) -> None:
    clean(saved({"a": T}), tmp_path / "o")
    clean(saved({"a": T}, legacy=True), tmp_path / "p")
    assert (tmp_path / "o").read_bytes() == (tmp_path / "p").read_bytes()


def test_precision_applies_and_overflow_is_named(tmp_path: Path) -> None:
    written = clean(saved({"a": torch.tensor([1e9]), "b": T}), tmp_path / "o", ConvertOptions(Precision.FP16))
    assert written.overflowed == ("a",)
    found = loaded(tmp_path / "o")
    assert isinstance(found, dict)
    assert found["b"].dtype is torch.float16


def test_a_dtype_that_torch_lacks_is_refused(tmp_path: Path) -> None:
    call = b"ctorch._utils\n_rebuild_tensor_v3\n(" + storage("0", "UntypedStorage", 16) + b"K\x00(K\x10t(K\x01t\x89}"
    data = torch_zip(pickled(pairs(a=call + b"ctorch\nfloat4_e2m1fn_x2\ntR")))
    with pytest.raises(CannotConvert):
        clean(data, tmp_path / "o")
    assert os.listdir(tmp_path) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "o").touch()
    with pytest.raises(WouldOverwrite):
        clean(saved({"a": T}), tmp_path / "o")


def test_a_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    stop, source = Stop(), BytesSource(saved({"a": torch.zeros(3 << 20)}))
    with pytest.raises(Stopped):
        write_clean_pt(
            source, plan(look(source)), tmp_path / "o", stop=stop,
            report=lambda event: stop.ask() if isinstance(event, Moved) else None,
        )  # fmt: skip
    assert os.listdir(tmp_path) == []


PLAIN = st.none() | st.booleans() | st.integers(-(1 << 62), 1 << 62) | st.floats(allow_nan=False) | st.text(max_size=5)


@settings(max_examples=40)
@given(st.lists(PLAIN | st.lists(PLAIN, max_size=3), max_size=4))
def test_any_plain_value_is_spelt_so_that_torch_reads_it(values: list[object]) -> None:
    from sdkeep.formats.cleanpt import _plain

    try:
        spelt = json.dumps(values)
    except UnicodeEncodeError:
        return
    try:
        data = torch_zip(b"\x80\x02" + _plain(json.loads(spelt)) + b".")
    except UnicodeEncodeError:
        return
    assert torch.load(io.BytesIO(data), weights_only=True) == values
