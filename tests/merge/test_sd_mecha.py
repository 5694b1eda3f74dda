"""Parity with sd-mecha, where the two know the same method: on small models of each family, and by its recipes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

sd_mecha = pytest.importorskip("sd_mecha")

from sd_mecha.extensions.builtin.merge_methods import (
    add_cosine_a,
    clamp,
    geometric_sum,
    model_stock,
    n_average,
    slerp,
    ties_sum,
    top_k_tensor_sum,
    weighted_sum,
)

from sdkeep.merge.blocks import Compat, Weighting
from sdkeep.merge.calculating import Manner
from sdkeep.merge.draft import Draft
from sdkeep.merge.mecha import from_mecha
from sdkeep.merge.methods import elementwise, linear, sparse, whole
from sdkeep.merge.parents import opened
from sdkeep.merge.plan import block_map, plan
from sdkeep.merge.recipe import Output, Parent
from sdkeep.merge.run import run
from tests.makers import checkpoints
from tests.merge.conftest import merge_files

del add_cosine_a
ALPHA = torch.tensor(0.3)


def draw(count: int, *shape: int) -> list[torch.Tensor]:
    made = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=made) for _ in range(count)]


class OfKey(dict[str, torch.Tensor]):
    """What its methods take for a model: a dictionary of one tensor."""


FORMULAS: dict[str, tuple[Callable[..., torch.Tensor], Callable[..., torch.Tensor], int]] = {
    "slerp": (lambda a, b: whole.slerp(a, b, alpha=0.3), lambda a, b: slerp.__wrapped__(a, b, ALPHA), 2),
    "geometric": (
        lambda a, b: whole.geometric(a, b, alpha=0.3), lambda a, b: geometric_sum.__wrapped__(a, b, ALPHA), 2,
    ),
    "clamp": (elementwise.clamp, clamp.__wrapped__, 3),
    "ties": (
        lambda *m: sparse.ties_delta(*m, density=0.4, votes=1.0), lambda *m: ties_sum.__wrapped__(*m, k=0.4), 3,
    ),
    "model stock": (whole.stock_delta, model_stock.__wrapped__, 3),
    "top k": (
        lambda a, b: sparse.top_k(a, b, alpha=0.4, beta=0.3),
        lambda a, b: top_k_tensor_sum.__wrapped__(a, b, width=0.4, offset=0.3), 2,
    ),
    "weighted sum": (
        lambda a, b: linear.weighted_sum(a, b, alpha=0.3),
        lambda a, b: weighted_sum.__wrapped__({"k": a}, {"k": b}, ALPHA, key="k"), 2,
    ),
    "average": (linear.average, lambda *m: n_average.__wrapped__(*({"k": one} for one in m), key="k"), 4),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_the_same_numbers(name: str) -> None:
    ours, theirs, count = FORMULAS[name]
    expected = theirs(*draw(count, 24, 30))
    torch.testing.assert_close(ours(*draw(count, 24, 30)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "config"), [("sd1", "sd1-ldm"), ("sdxl", "sdxl-sgm")])
def test_the_same_file_by_whole_merge(tmp_path: Path, family: str, config: str) -> None:
    files = [checkpoints.write(tmp_path / f"{n}.safetensors", checkpoints.tensors(family, seed=n)) for n in range(3)]
    known = set(sd_mecha.extensions.model_configs.resolve(config).keys())
    models = [sd_mecha.model(path, config) for path in files]
    theirs = sd_mecha.merge(
        sd_mecha.add_difference(*models, alpha=0.5), output_dtype=torch.float16, threads=0, check_finite_output=False
    )
    ours = checkpoints.read(merge_files(files, "add-difference", tmp_path / "o.safetensors", {"alpha": 0.5}).path)
    shared = [key for key in theirs if key in known and ours[key].dtype is torch.float16]
    assert len(shared) > 10
    for key in shared:
        torch.testing.assert_close(ours[key], theirs[key], rtol=2e-3, atol=1e-4)


def merged(draft: Draft, files: list[Path], out: Path) -> dict[str, torch.Tensor]:
    with opened([(path.name, path) for path in files]) as parents:
        recipe = draft.recipe(
            [Parent(path.name, "0" * 64) for path in files], block_map(parents[0], draft.output.compat)
        )
        return checkpoints.read(run(plan(recipe, dict(enumerate(parents))), out, Manner(2)).path)


MECHA = """version 0.1.0
model "0.safetensors" model_config="sd1-ldm" merge_space="weight"
model "1.safetensors" model_config="sd1-ldm" merge_space="weight"
model "2.safetensors" model_config="sd1-ldm" merge_space="weight"
# a comment
merge "subtract" &1 &2
dict BASE=0.25 IN00=1 OUT11=0
literal &4 model_config="sd1-supermerger_blocks" merge_space="param"
merge "add_difference" &0 &3 alpha=0.5
merge "weighted_sum" &6 &1 alpha=&5
"""


def test_a_recipe_of_sd_mecha_is_followed(tmp_path: Path) -> None:
    files = [checkpoints.write(tmp_path / f"{n}.safetensors", checkpoints.tensors(seed=n)) for n in range(3)]
    draft = from_mecha(MECHA, "mix.mecha")
    assert draft.output == Output(compat=Compat.SD_MECHA)
    result = merged(draft, files, tmp_path / "o.safetensors")
    a, b, c = (checkpoints.read(path) for path in files)
    first = {key: (a[key].float() + 0.5 * (b[key].float() - c[key].float())) for key in a if a[key].is_floating_point()}
    assert torch.equal(
        result["model.diffusion_model.input_blocks.0.0.weight"], b["model.diffusion_model.input_blocks.0.0.weight"]
    )
    out = "model.diffusion_model.out.0.bias"
    assert torch.equal(result[out], first[out].half())
    time = "model.diffusion_model.time_embed.0.weight"  # sd-mecha counts it to the base
    torch.testing.assert_close(result[time], (0.75 * first[time] + 0.25 * b[time].float()).half(), rtol=2e-3, atol=1e-4)


def test_what_sd_mecha_writes_is_read(tmp_path: Path) -> None:
    files = [checkpoints.write(tmp_path / f"{n}.safetensors", checkpoints.tensors(seed=n)) for n in range(2)]
    graph = sd_mecha.weighted_sum(*(sd_mecha.model(path, "sd1-ldm") for path in files), alpha=0.3)
    draft = from_mecha(sd_mecha.serialize(graph, finalize=False), "mix.mecha")
    assert draft.steps[-1].method == "weighted-sum"
    assert list(draft.models.values()) == [str(path) for path in files]
    ours = merge_files(files, "weighted-sum", tmp_path / "ours.safetensors", {"alpha": Weighting(0.3)}).path
    result = merged(draft, files, tmp_path / "theirs.safetensors")
    assert all(torch.equal(result[key], value) for key, value in checkpoints.read(ours).items())
