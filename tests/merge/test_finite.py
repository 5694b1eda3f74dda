"""Infinities and NaN in a model, found before it is merged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sdkeep.ground.events import Stop, Stopped, silent
from sdkeep.merge import finite
from sdkeep.merge.finite import not_finite, refused
from sdkeep.merge.parents import opened

FORMATS = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz, "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
}  # fmt: skip


def looked(path: Path) -> tuple[str, ...]:
    with opened([(path.name, path)]) as (parent,):
        return not_finite(parent, silent, Stop())


@pytest.mark.parametrize("code", FORMATS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_one_bad_number_names_its_tensor_in_every_format(tmp_path: Path, code: str, bad: float) -> None:
    dtype = FORMATS[code]
    largest = torch.finfo(dtype).max
    tensors = {
        f"t{place}": torch.full((3, 5), largest * (-1) ** place, dtype=torch.float64).to(dtype) for place in range(4)
    }
    save_file(tensors, tmp_path / "good.safetensors")
    assert looked(tmp_path / "good.safetensors") == ()
    broken = tensors["t2"].double()
    broken[1, 3] = bad
    tensors["t2"] = broken.to(dtype)
    expected = ("t2",) if not bool(tensors["t2"].double().isfinite().all()) else ()
    save_file(tensors, tmp_path / "bad.safetensors")
    assert looked(tmp_path / "bad.safetensors") == expected
    assert expected or code.endswith("FNUZ") or (code == "F8_E4M3" and bad == bad)


def test_pieces_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite, "_PIECE", 16)
    tensors = {f"t{place}": torch.zeros(7, dtype=torch.float16) for place in range(9)}
    tensors["t4"][6] = float("nan")
    tensors["t7"][0] = float("inf")
    save_file(tensors, tmp_path / "m.safetensors")
    assert looked(tmp_path / "m.safetensors") == ("t4", "t7")


def test_integers_are_no_weights(tmp_path: Path) -> None:
    save_file({"a": torch.full((4,), -1, dtype=torch.int64), "b": torch.zeros(0)}, tmp_path / "m.safetensors")
    assert looked(tmp_path / "m.safetensors") == ()


def test_looking_can_be_stopped(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(4)}, tmp_path / "m.safetensors")
    stop = Stop()
    stop.ask()
    with opened([("m", tmp_path / "m.safetensors")]) as (parent,), pytest.raises(Stopped):
        not_finite(parent, silent, stop)


def test_a_refusal_names_models_and_counts_tensors() -> None:
    error = refused(["a", "b", "a"], ["x", "y", "z"])
    assert error.what == "`a` and `b` holds numbers that are not finite"
    assert error.why.startswith("in `x` and 2 more tensors")
