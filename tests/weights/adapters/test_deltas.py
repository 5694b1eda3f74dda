"""Every formula against a second statement of it in numpy, index by index; and what must hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.weights.adapters.deltas import applied, cayley, delta, needs_weight, strength
from sdkeep.weights.adapters.values import Algorithm
from tests.makers.adapters import only

Arrays = dict[str, np.ndarray]
RNG = np.random.default_rng(7)


def numbers(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def plain(t: Arrays, w: np.ndarray) -> np.ndarray:
    return t["lora_up.weight"] @ t["lora_down.weight"] * (t["alpha"] / t["lora_down.weight"].shape[0])


def convolved(t: Arrays, w: np.ndarray) -> np.ndarray:
    up, down, made = t["lora_up.weight"], t["lora_down.weight"], np.zeros_like(w)
    for o, i, y, x in np.ndindex(w.shape):
        made[o, i, y, x] = sum(up[o, r, 0, 0] * down[r, i, y, x] for r in range(down.shape[0]))
    return made


def tucker(t: Arrays, w: np.ndarray) -> np.ndarray:
    up, mid, down, made = t["lora_up.weight"], t["lora_mid.weight"], t["lora_down.weight"], np.zeros_like(w)
    for o, i, y, x in np.ndindex(w.shape):
        pairs = product(range(2), repeat=2)
        made[o, i, y, x] = sum(up[o, m, 0, 0] * mid[m, n, y, x] * down[n, i, 0, 0] for m, n in pairs)
    return made


def upward(t: Arrays, w: np.ndarray) -> np.ndarray:
    up, down, made = t["lora_up.weight"], t["lora_down.weight"], np.zeros_like(w)
    for o, i, y, x in np.ndindex(w.shape):
        made[o, i, y, x] = sum(up[o, r, y, x] * down[r, i, 0, 0] for r in range(down.shape[0]))
    return made


def sparse(t: Arrays, w: np.ndarray) -> np.ndarray:
    made = t["lora_up.weight"] @ t["lora_down.weight"]
    for place, value in zip(t["bias_indices"].T.astype(int), t["bias_values"], strict=True):
        made[tuple(place)] += value
    return made


def hadamard(t: Arrays, w: np.ndarray) -> np.ndarray:
    made = np.zeros_like(w)
    for o, i in np.ndindex(w.shape):
        first = sum(t["hada_w1_a"][o, r] * t["hada_w1_b"][r, i] for r in range(2))
        made[o, i] = first * sum(t["hada_w2_a"][o, r] * t["hada_w2_b"][r, i] for r in range(2)) * t["alpha"] / 2
    return made


def cored(t: Arrays, w: np.ndarray) -> np.ndarray:
    made = np.ones_like(w)
    for half, (o, i, y, x) in product((1, 2), np.ndindex(w.shape)):
        core, left, right = t[f"hada_t{half}"], t[f"hada_w{half}_a"], t[f"hada_w{half}_b"]
        pairs = product(range(2), repeat=2)
        made[o, i, y, x] *= sum(core[m, n, y, x] * left[m, o] * right[n, i] for m, n in pairs)
    return made


def kronecker(t: Arrays, w: np.ndarray) -> np.ndarray:
    first = t["lokr_w1"] if "lokr_w1" in t else t["lokr_w1_a"] @ t["lokr_w1_b"]
    second = t["lokr_w2"] if "lokr_w2" in t else t["lokr_w2_a"] @ t["lokr_w2_b"]
    made, (a, b), (c, d) = np.zeros_like(w), first.shape, second.shape
    for i, j, k, m in product(range(a), range(b), range(c), range(d)):
        made[i * c + k, j * d + m] = first[i, j] * second[k, m]
    return made * (t["alpha"] / 2 if "alpha" in t else 1)


def kronecker_cored(t: Arrays, w: np.ndarray) -> np.ndarray:
    made = np.zeros_like(w)
    for i, j, k, z, y, x in product(range(2), range(2), range(2), range(3), range(3), range(3)):
        pairs = product(range(2), repeat=2)
        core = sum(t["lokr_t2"][m, n, y, x] * t["lokr_w2_a"][m, k] * t["lokr_w2_b"][n, z] for m, n in pairs)
        made[i * 2 + k, j * 3 + z, y, x] = t["lokr_w1"][i, j] * core
    return made


def generalised(t: Arrays, w: np.ndarray) -> np.ndarray:
    return (w @ t["a1.weight"] @ t["a2.weight"] + t["b1.weight"] @ t["b2.weight"]) * t["alpha"] / 2


def generalised_before(t: Arrays, w: np.ndarray) -> np.ndarray:
    return w @ t["a2.weight"] @ t["a1.weight"] + t["b2.weight"] @ t["b1.weight"]


def by_outputs(t: Arrays, w: np.ndarray) -> np.ndarray:
    return np.stack([row * v for row, v in zip(w, t["weight"], strict=True)])


def by_inputs(t: Arrays, w: np.ndarray) -> np.ndarray:
    return np.stack([w[:, i] * t["weight"][i] for i in range(w.shape[1])], axis=1)


def rotation(block: np.ndarray) -> np.ndarray:
    skew, eye = block - block.T, np.eye(len(block))
    return (eye + skew) @ np.linalg.inv(eye - skew)


def rotated(t: Arrays, w: np.ndarray) -> np.ndarray:
    size = t["oft_blocks"].shape[1]
    made = [rotation(b).T @ w[n * size : (n + 1) * size] for n, b in enumerate(t["oft_blocks"])]
    return np.concatenate(made) * t.get("rescale", np.ones((len(w), 1))) - w


def diagonal(t: Arrays, w: np.ndarray) -> np.ndarray:
    size = t["oft_diag"].shape[1]
    return np.concatenate([b.T @ w[n * size : (n + 1) * size] for n, b in enumerate(t["oft_diag"])]) - w


def butterfly(t: Arrays, w: np.ndarray) -> np.ndarray:
    turned = w.copy()
    for stage, blocks in enumerate(t["oft_blocks"]):
        size, rows = blocks.shape[-1], len(w)
        reach = 2**stage * (size // 2)
        order = [
            c * 2 * reach + g * reach + k for c in range(rows // (2 * reach)) for k in range(reach) for g in (0, 1)
        ]
        mixed = turned[order]
        for n, block in enumerate(blocks):
            mixed[n * size : (n + 1) * size] = rotation(block) @ mixed[n * size : (n + 1) * size]
        turned = turned.copy()
        turned[order] = mixed
    return turned - w


def decomposed_out(t: Arrays, w: np.ndarray) -> np.ndarray:
    v = w + t["lora_up.weight"] @ t["lora_down.weight"]
    return np.stack([row / np.linalg.norm(row) * g for row, g in zip(v, t["dora_scale"][:, 0], strict=True)]) - w


def decomposed_in(t: Arrays, w: np.ndarray) -> np.ndarray:
    v = w + t["lora_up.weight"] @ t["lora_down.weight"]
    columns = [v[:, i] / np.linalg.norm(v[:, i]) * g for i, g in enumerate(t["dora_scale"][0])]
    return np.stack(columns, axis=1) - w


def stored(t: Arrays, w: np.ndarray) -> np.ndarray:
    return t["diff"]


UP, DOWN = "lora_up.weight", "lora_down.weight"
W, K = (4, 6), (4, 6, 3, 3)
CASES: dict[str, tuple[Callable[[Arrays, np.ndarray], np.ndarray], tuple[int, ...], Arrays]] = {
    "lora": (plain, W, {UP: numbers(4, 2), DOWN: numbers(2, 6), "alpha": np.array(1.0)}),
    "locon": (convolved, K, {UP: numbers(4, 2, 1, 1), DOWN: numbers(2, 6, 3, 3)}),
    "locon-tucker": (
        tucker, K, {UP: numbers(4, 2, 1, 1), "lora_mid.weight": numbers(2, 2, 3, 3), DOWN: numbers(2, 6, 1, 1)}
    ),
    "locon-upward": (upward, K, {UP: numbers(4, 2, 3, 3), DOWN: numbers(2, 6, 1, 1)}),
    "lora-sparse": (
        sparse, W,
        {UP: numbers(4, 2), DOWN: numbers(2, 6), "bias_indices": np.array([[0, 3], [5, 1]]),
         "bias_values": numbers(2), "bias_size": np.array([4, 6])},
    ),
    "loha": (
        hadamard, W,
        {"hada_w1_a": numbers(4, 2), "hada_w1_b": numbers(2, 6), "hada_w2_a": numbers(4, 2),
         "hada_w2_b": numbers(2, 6), "alpha": np.array(3.0)},
    ),
    "loha-tucker": (
        cored, K,
        {"hada_w1_a": numbers(2, 4), "hada_w1_b": numbers(2, 6), "hada_w2_a": numbers(2, 4),
         "hada_w2_b": numbers(2, 6), "hada_t1": numbers(2, 2, 3, 3), "hada_t2": numbers(2, 2, 3, 3)},
    ),
    "lokr": (kronecker, W, {"lokr_w1": numbers(2, 2), "lokr_w2": numbers(2, 3)}),
    "lokr-second-split": (
        kronecker, W,
        {"lokr_w1": numbers(2, 2), "lokr_w2_a": numbers(2, 2), "lokr_w2_b": numbers(2, 3), "alpha": np.array(3.0)},
    ),
    "lokr-first-split": (
        kronecker, W,
        {"lokr_w1_a": numbers(2, 2), "lokr_w1_b": numbers(2, 2), "lokr_w2": numbers(2, 3), "alpha": np.array(3.0)},
    ),
    "lokr-both-split": (
        kronecker, W,
        {"lokr_w1_a": numbers(2, 2), "lokr_w1_b": numbers(2, 2), "lokr_w2_a": numbers(2, 2),
         "lokr_w2_b": numbers(2, 3), "alpha": np.array(3.0)},
    ),
    "lokr-tucker": (
        kronecker_cored, K,
        {"lokr_w1": numbers(2, 2), "lokr_w2_a": numbers(2, 2), "lokr_w2_b": numbers(2, 3),
         "lokr_t2": numbers(2, 2, 3, 3)},
    ),
    "glora": (
        generalised, W,
        {"a1.weight": numbers(6, 2), "a2.weight": numbers(2, 6), "b1.weight": numbers(4, 2),
         "b2.weight": numbers(2, 6), "alpha": np.array(1.0)},
    ),
    "glora-before-2": (
        generalised_before, W,
        {"a1.weight": numbers(2, 6), "a2.weight": numbers(6, 2), "b1.weight": numbers(2, 6),
         "b2.weight": numbers(4, 2)},
    ),
    "ia3-outputs": (by_outputs, W, {"weight": numbers(4), "on_input": np.array(0)}),
    "ia3-inputs": (by_inputs, W, {"weight": numbers(6), "on_input": np.array(1)}),
    "oft": (rotated, W, {"oft_blocks": numbers(2, 2, 2) * 0.3}),
    "oft-rescaled": (rotated, W, {"oft_blocks": numbers(2, 2, 2) * 0.3, "rescale": numbers(4, 1)}),
    "oft-diagonal": (diagonal, W, {"oft_diag": numbers(2, 2, 2)}),
    "boft": (butterfly, (8, 3), {"oft_blocks": numbers(2, 2, 4, 4) * 0.3}),
    "dora-outputs": (decomposed_out, W, {UP: numbers(4, 2), DOWN: numbers(2, 6), "dora_scale": numbers(4, 1)}),
    "dora-inputs": (decomposed_in, W, {UP: numbers(4, 2), DOWN: numbers(2, 6), "dora_scale": numbers(1, 6)}),
    "full": (stored, W, {"diff": numbers(4, 6)}),
}  # fmt: skip


def tensors(arrays: Arrays) -> dict[str, torch.Tensor]:
    return {f"lora_unet_x.{key}": torch.tensor(value) for key, value in arrays.items()}


@pytest.mark.parametrize("case", CASES)
def test_the_formula_says_the_same_twice(case: str) -> None:
    formula, shape, arrays = CASES[case]
    weight = numbers(*shape)
    part, found = only(tensors(arrays))
    made = delta(part, found, weight=torch.tensor(weight))
    np.testing.assert_allclose(made.numpy(), formula(arrays, weight), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_strength_zero_leaves_the_weight_alone_and_in_between_is_in_between(case: str) -> None:
    _, shape, arrays = CASES[case]
    weight = torch.tensor(numbers(*shape), dtype=torch.float32)
    part, found = only(tensors(arrays))
    assert torch.equal(applied(part, found, weight, 0.0), weight)
    whole = applied(part, found, weight, 1.0)
    torch.testing.assert_close(applied(part, found, weight, 0.25), weight + 0.25 * (whole - weight))
    torch.testing.assert_close(applied(part, found, weight, -1.0), weight - (whole - weight))


@pytest.mark.parametrize("case", CASES)
def test_only_what_depends_on_the_weight_asks_for_it(case: str) -> None:
    _, shape, arrays = CASES[case]
    part, found = only(tensors(arrays))
    some, other = (delta(part, found, weight=torch.tensor(numbers(*shape))) for _ in range(2))
    assert torch.equal(some, other) is not needs_weight(part)
    if needs_weight(part):
        with pytest.raises(ValueError, match="depends on the weight"):
            delta(part, found)
    else:
        torch.testing.assert_close(delta(part, found).reshape(shape), some)


@pytest.mark.parametrize(
    "case", [name for name in CASES if name.split("-")[0] not in ("dora", "glora", "ia3", "oft", "boft")]
)
def test_changes_that_ask_for_no_weight_add_up(case: str) -> None:
    _, shape, arrays = CASES[case]
    part, found = only(tensors(arrays))
    weight = torch.tensor(numbers(*shape), dtype=torch.float32)
    once = applied(part, found, applied(part, found, weight, 0.5), 0.75)
    torch.testing.assert_close(once, applied(part, found, weight, 1.25), rtol=1e-5, atol=1e-5)


@given(st.integers(1, 6), st.integers(0, 2**31))
def test_cayley_makes_orthogonal_matrices_of_anything(size: int, seed: int) -> None:
    made = cayley(torch.randn(3, size, size, generator=torch.Generator().manual_seed(seed)), 0.0)
    eye = torch.eye(size).expand(3, -1, -1)
    torch.testing.assert_close(made @ made.transpose(1, 2), eye, atol=1e-4, rtol=0)


def test_alpha_is_divided_by_the_rank_and_absent_alpha_means_one() -> None:
    part, found = only(
        {"lora_unet_x.lora_up.weight": torch.ones(4, 8), "lora_unet_x.lora_down.weight": torch.ones(8, 4)}
    )
    assert strength(part, found) == 1.0
    part, found = only(
        {
            "lora_unet_x.lora_up.weight": torch.ones(4, 8),
            "lora_unet_x.lora_down.weight": torch.ones(8, 4),
            "lora_unet_x.alpha": torch.tensor(2.0),
        }
    )
    assert strength(part, found) == 0.25


def test_a_scale_in_the_file_goes_before_alpha() -> None:
    state = {"lora_up.weight": torch.ones(4, 8), "lora_down.weight": torch.ones(8, 4)}
    state |= {"alpha": torch.tensor(2.0), "scale": torch.tensor(0.7)}
    part, found = only({f"lora_unet_x.{key}": value for key, value in state.items()})
    assert strength(part, found) == pytest.approx(0.7)


def test_alpha_of_two_whole_kronecker_factors_counts_for_nothing() -> None:
    state = {"lokr_w1": torch.ones(2, 2), "lokr_w2": torch.ones(2, 2), "alpha": torch.tensor(9.9e9)}
    part, found = only({f"lora_unet_x.{key}": value for key, value in state.items()})
    assert strength(part, found) == 1.0


def test_half_floats_are_computed_in_single_precision() -> None:
    up, down = torch.randn(4, 2).half(), torch.randn(2, 6).half()
    part, found = only({"lora_unet_x.lora_up.weight": up, "lora_unet_x.lora_down.weight": down})
    made = delta(part, found)
    assert made.dtype == torch.float32
    assert torch.equal(made, up.float() @ down.float())


def test_four_input_channels_fit_the_first_layer_of_an_inpainting_model() -> None:
    part, found = only({"lora_unet_conv_in.diff": torch.ones(2, 4, 3, 3)})
    made = applied(part, found, torch.zeros(2, 9, 3, 3))
    assert torch.equal(made[:, :4], torch.ones(2, 4, 3, 3))
    assert not made[:, 4:].any()


def test_a_change_of_another_size_is_refused() -> None:
    part, found = only({"lora_unet_x.diff": torch.ones(2, 4)})
    with pytest.raises(ValueError, match="fits no weight"):
        delta(part, found, weight=torch.ones(3, 3))


def test_blocks_of_four_dimensions_are_a_butterfly() -> None:
    assert only({"lora_unet_x.oft_blocks": torch.ones(2, 3, 4, 4)})[0].algorithm is Algorithm.BOFT
    assert only({"lora_unet_x.oft_blocks": torch.ones(3, 4, 4)})[0].algorithm is Algorithm.OFT
