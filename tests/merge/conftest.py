"""Fixtures of merging: three small models that differ, and a way to merge files without the command line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import torch

from sdkeep.merge.blocks import Compat, Weighting
from sdkeep.merge.calculating import Manner
from sdkeep.merge.parents import opened
from sdkeep.merge.plan import Allowances, plan
from sdkeep.merge.recipe import Model, Output, Parent, Recipe, Step, checked
from sdkeep.merge.run import Merged, run
from tests.makers import checkpoints

Numbers = Mapping[str, float | Weighting]
MergeFiles = Callable[..., Merged]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def trio(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Three SD1 checkpoints in fp16."""
    a, b, c = (
        checkpoints.write(tmp_path / f"{name}.safetensors", checkpoints.tensors(seed=seed))
        for seed, name in enumerate("abc")
    )
    return a, b, c


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def recipe_of(
    files: Sequence[Path], method: str, numbers: Numbers | None = None, output: Output | None = None
) -> Recipe:
    """One method over files."""
    parents = tuple(Parent(path.name, sha256(path)) for path in files)
    models = len(files) - (output is not None and output.vae is not None)
    given = {
        name: value if isinstance(value, Weighting) else Weighting(value) for name, value in (numbers or {}).items()
    }
    steps = (*map(Model, range(models)), Step(method, tuple(range(models)), given))
    return checked(Recipe(parents, steps, output or Output()))


def merge_files(
    files: Sequence[Path], method: str, out: Path, numbers: Numbers | None = None, *,
    output: Output | None = None, manner: Manner | None = None, missing: bool = False,
) -> Merged:  # fmt: skip
    """Merge files with one method."""
    recipe = recipe_of(files, method, numbers, output)
    with opened([(path.name, path) for path in files]) as parents:
        planned = plan(recipe, dict(enumerate(parents)), Allowances(missing))
        return run(planned, out, manner or Manner(threads=2))


def webui(precision: str = "", vae: int | None = None, discard: str = "") -> Output:
    """Output as AUTOMATIC1111 writes it."""
    return Output(precision, vae, discard=discard, compat=Compat.A1111)
