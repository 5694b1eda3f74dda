"""Digests of tensors, held against a second statement of their definition by numpy and torch."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.torch import save

from sdkeep.formats.look import look
from sdkeep.formats.source import BytesSource
from sdkeep.formats.tensor_digest import shape_of, tensor_digests

Tensors = dict[str, torch.Tensor]
UNET, AVERAGE = "model.diffusion_model.out.0.weight", "model_ema.diffusion_modelout0weight"


def digests(data: bytes, folder: Path = Path("/tmp")) -> dict[str, set[str]]:
    source = BytesSource(data, "x")
    found: dict[str, set[str]] = {}
    for digest in tensor_digests(source, look(source), folder):
        found.setdefault(str(digest.kind), set()).add(digest.value)
    return found


def as_torch(tensors: Tensors) -> bytes:
    out = io.BytesIO()
    torch.save({"state_dict": tensors}, out)
    return out.getvalue()


def expected(tensors: Tensors, to: torch.dtype | None = None) -> str:
    """The definition, said again."""
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
    lines = b""
    for name in sorted(tensors, key=str.encode):
        tensor = tensors[name]
        floats = tensor.is_floating_point() and to is not None
        cast = tensor.to(to) if floats and to else tensor
        raw = cast.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        form = "float" if floats else names[tensor.dtype]
        shape = ",".join(map(str, tensor.shape))
        lines += f"{name}\t{form}\t{shape}\t{hashlib.sha256(raw).hexdigest()}\n".encode()
    return hashlib.sha256(lines).hexdigest()


def some(dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensors:
    made = torch.Generator().manual_seed(seed)
    return {
        UNET: torch.randn(4, 3, generator=made).to(dtype),
        "cond.bias": torch.randn(5, generator=made).to(dtype),
        "cond.ids": torch.arange(3),
    }


@given(arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32, allow_nan=False)))
def test_every_digest_is_as_defined(numbers: np.ndarray) -> None:
    tensors = {"a.weight": torch.from_numpy(numbers.copy()), "a.ids": torch.arange(2)}
    found = digests(save(tensors))
    assert found["tensors"] == found["core"] == {expected(tensors)}
    assert found["half"] == {expected(tensors, torch.float16)}
    assert found["brain"] == {expected(tensors, torch.bfloat16)}


def test_metadata_order_and_container_do_not_matter() -> None:
    tensors = some()
    turned = dict(reversed(tensors.items()))
    plain = digests(save(tensors))
    assert plain == digests(save(turned, {"title": "x"})) == digests(as_torch(tensors))


@pytest.mark.parametrize(("dtype", "kind"), [(torch.float16, "half"), (torch.bfloat16, "brain")])
def test_a_narrow_twin_shares_the_digest_of_its_width_alone(dtype: torch.dtype, kind: str) -> None:
    wide, narrow = digests(save(some())), digests(save(some(dtype)))
    assert wide[kind] == narrow[kind]
    assert {one for one in wide if wide[one] & narrow[one]} == {kind}


@pytest.mark.parametrize("keeps", ["trained", "averaged"])
def test_a_pruned_twin_shares_its_core_whichever_weights_it_kept(keeps: str) -> None:
    average = torch.full((4, 3), 0.25)
    full = some() | {AVERAGE: average, "model_ema.decay": torch.tensor(0.9999)}
    pruned = some() if keeps == "trained" else some() | {UNET: average}
    one, other = digests(save(full)), digests(save(pruned))
    assert one["core"] & other["core"]
    assert one["half"] & other["half"]
    assert not one["tensors"] & other["tensors"]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one | {UNET: one[UNET] + 1},
        lambda one: one | {UNET: one[UNET].reshape(3, 4)},
        lambda one: {name + "x": value for name, value in one.items()},
        lambda one: {name: value for name, value in one.items() if name != UNET},
    ],
    ids=["number", "shape", "name", "missing"],
)
def test_any_difference_shows(change: object) -> None:
    assert callable(change)
    one, other = digests(save(some())), digests(save(change(some())))
    assert not any(one[kind] & other[kind] for kind in one)


def test_twins_share_names_and_dimensions() -> None:
    shapes = {
        shape_of(look(BytesSource(data, "x")))
        for data in (save(some()), save(some(torch.float16)), as_torch(some()), save(some() | {AVERAGE: torch.ones(1)}))
    }
    assert len(shapes) == 1
    assert shape_of(look(BytesSource(b"nothing here", "x"))) == ""
