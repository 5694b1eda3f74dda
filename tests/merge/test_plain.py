"""Merges without torch: the same bytes, in less time than torch takes to be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sdkeep.ground.errors import FormatError
from sdkeep.merge import plain
from sdkeep.merge.calculating import Manner
from sdkeep.merge.jobs import jobs_of
from sdkeep.merge.methods.registry import METHODS
from sdkeep.merge.parents import opened
from sdkeep.merge.plan import plan
from sdkeep.merge.recipe import Output
from tests.makers import checkpoints
from tests.merge.conftest import merge_files, recipe_of, webui

Trio = tuple[Path, Path, Path]
UNET = "model.diffusion_model.input_blocks.5.0.in_layers.2.weight"
PLAIN = [one.name for one in METHODS if one.is_plain and one.name not in ("difference", "add", "scale")]


def stored(folder: Path, dtypes: tuple[torch.dtype, ...]) -> tuple[Path, ...]:
    """Checkpoints in these formats, with numbers of every size that a half can have."""
    found = []
    for seed, dtype in enumerate(dtypes):
        tensors = checkpoints.tensors(seed=seed)
        spread = torch.Generator().manual_seed(seed)
        for key, value in tensors.items():
            if value.is_floating_point() and key != "alphas_cumprod":
                scale = torch.exp2(torch.randint(-24, 3, value.shape, generator=spread))
                tensors[key] = (value.float() * scale).to(dtype)
        found.append(checkpoints.write(folder / f"{seed}-{str(dtype)[6:]}.safetensors", tensors))
    return tuple(found)


HALF, BRAIN, SINGLE = torch.float16, torch.bfloat16, torch.float32


@pytest.mark.parametrize("method", PLAIN)
@pytest.mark.parametrize(
    ("dtypes", "precision"),
    [
        ((HALF, HALF, HALF), ""), ((BRAIN, BRAIN, BRAIN), ""), ((SINGLE, SINGLE, SINGLE), ""),
        ((SINGLE, HALF, BRAIN), "fp16"), ((HALF, BRAIN, SINGLE), "bf16"), ((BRAIN, HALF, HALF), "fp32"),
    ],
)  # fmt: skip
def test_numpy_and_torch_write_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, dtypes: tuple[torch.dtype, ...], precision: str
) -> None:
    most = next(one.most for one in METHODS if one.name == method)
    files = stored(tmp_path, dtypes)[: most or 3]
    numbers = {"alpha": 0.3} if method not in ("average", "no-interpolation") else {}
    ours = merge_files(files, method, tmp_path / "numpy.safetensors", numbers, output=Output(precision)).path
    monkeypatch.setattr(plain, "MOST", 0)
    theirs = merge_files(files, method, tmp_path / "torch.safetensors", numbers, output=Output(precision)).path
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("dtype", [HALF, BRAIN, SINGLE])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_parent_that_is_not_finite_is_named_whichever_computes(
    tmp_path: Path, dtype: torch.dtype, bad: float
) -> None:
    a, b = stored(tmp_path, (dtype, dtype))
    broken = checkpoints.read(b)
    broken[UNET][1, 2, 0, 0] = bad
    checkpoints.write(b, broken)
    with pytest.raises(FormatError, match=f"`{b.name}` holds numbers that are not finite") as caught:
        merge_files((a, b), "weighted-sum", tmp_path / "o.safetensors", {"alpha": 0.5})
    assert UNET in caught.value.why
    assert not list(tmp_path.glob("*o.safetensors*"))


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
def test_what_the_merge_makes_too_large_is_told_and_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    large = checkpoints.tensors(seed=1)
    large = {key: value.float() if value.is_floating_point() else value for key, value in large.items()}
    large[UNET][0] = 3e38
    large[UNET][1] = 60000.0
    none = {key: value * 0 for key, value in large.items()}
    a = checkpoints.write(tmp_path / "a.safetensors", large)
    c = checkpoints.write(tmp_path / "c.safetensors", none)
    done = merge_files((a, a, c), "add-difference", tmp_path / "o.safetensors", output=Output(precision))
    assert done.overflowed == (UNET,)
    monkeypatch.setattr(plain, "MOST", 0)
    torch_too = merge_files((a, a, c), "add-difference", tmp_path / "t.safetensors", output=Output(precision))
    assert torch_too.overflowed == (UNET,)
    assert done.path.read_bytes() == torch_too.path.read_bytes()


@pytest.mark.parametrize(
    ("method", "manner", "output", "expected"),
    [
        ("weighted-sum", Manner(), Output(), True),
        ("weighted-sum", Manner(), Output("fp16"), True),
        ("weighted-sum", Manner(), Output("fp8"), False),
        ("weighted-sum", Manner(), webui(), False),
        ("weighted-sum", Manner(device="cuda"), Output(), False),
        ("weighted-sum", Manner(keep_non_finite=True), Output(), False),
        ("sigmoid", Manner(), Output("fp32"), True),
        ("slerp", Manner(), Output(), False),
    ],
)
def test_numpy_does_what_it_can_and_torch_the_rest(
    trio: Trio, method: str, manner: Manner, output: Output, expected: bool
) -> None:
    with opened([(path.name, path) for path in trio[:2]]) as parents:
        planned = plan(recipe_of(trio[:2], method, output=output), dict(enumerate(parents)))
        assert plain.is_plain(jobs_of(planned), manner) is expected


def test_large_merges_are_left_to_torch(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened([(path.name, path) for path in trio[:2]]) as parents:
        jobs = jobs_of(plan(recipe_of(trio[:2], "weighted-sum"), dict(enumerate(parents))))
        numbers = sum(getattr(job, "elements", 0) for job in jobs) * 2
        monkeypatch.setattr(plain, "MOST", numbers)
        assert plain.is_plain(jobs, Manner())
        monkeypatch.setattr(plain, "MOST", numbers - 1)
        assert not plain.is_plain(jobs, Manner())


WITHOUT = """
import sys
sys.modules["torch"] = None
from sdkeep.cli.app import run
assert run() == 0
"""


def test_a_weighted_sum_imports_no_torch(trio: Trio, tmp_path: Path) -> None:
    from sdkeep.merge.methods.method import Exactness

    home = {"SDKEEP_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    asked = ["merge", *map(str, trio[:2]), "--alpha", "0.3", "-o", str(tmp_path / "o.safetensors")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *asked], env=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = merge_files(trio[:2], "weighted-sum", tmp_path / "2.safetensors", {"alpha": 0.3})
    assert expected.exactness is Exactness.EVERYWHERE
    assert checkpoints.read(tmp_path / "o.safetensors").keys() == checkpoints.read(expected.path).keys()
