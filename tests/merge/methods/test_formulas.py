"""Every formula against a second statement of it, in numpy and double precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.merge.methods import elementwise, linear, smoothing, sparse, whole
from sdkeep.merge.methods.method import Method
from sdkeep.merge.methods.registry import METHODS, find

Array = np.ndarray


def draw(*shape: int, seed: int = 0, count: int = 3) -> list[torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=made) for _ in range(count)]


def wide(tensors: list[torch.Tensor]) -> list[Array]:
    return [one.numpy().astype(np.float64) for one in tensors]


def clones(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    return [one.clone() for one in tensors]


def cosine(p: Array, q: Array, axis: int) -> Array:
    lengths = np.linalg.norm(p, axis=axis) * np.linalg.norm(q, axis=axis)
    return (p * q).sum(axis) / np.maximum(lengths, 1e-8)


def _train(a: Array, b: Array, c: Array, m: float) -> Array:
    near, far = np.abs(b - c), np.abs(b - a)
    return a + 1.8 * m * np.sign(b - c) * near * far / (near + far)


def _similarity(a: Array, b: Array, c: Array, m: float, n: float) -> Array:
    alike = n * (a * b / np.maximum(abs(a), abs(b)) ** 2 + 1) / 2
    return (1 - alike) * (a + m * (b - c)) + alike * ((1 - m / 2) * a + m / 2 * b)


def _smooth(t: float) -> float:
    return 3 * t**2 - 2 * t**3


def _unsmooth(t: float) -> float:
    """The other way round, found by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _smooth(middle) < t else (low, middle)
    return low


LINEAR: dict[str, tuple[Callable[..., torch.Tensor], Callable[..., Array], int, dict[str, float]]] = {
    "weighted-sum": (linear.weighted_sum, lambda a, b: 0.7 * a + 0.3 * b, 2, {"alpha": 0.3}),
    "sigmoid": (linear.sigmoid, lambda a, b: (1 - _smooth(0.3)) * a + _smooth(0.3) * b, 2, {"alpha": 0.3}),
    "inverse-sigmoid": (linear.inverse_sigmoid, lambda a, b: a + _unsmooth(0.3) * (b - a), 2, {"alpha": 0.3}),
    "difference": (linear.difference, lambda a, b: a - b, 2, {}),
    "add": (linear.add, lambda a, d: a + 1.5 * d, 2, {"alpha": 1.5}),
    "scale": (linear.scale, lambda d: -2 * d, 1, {"alpha": -2.0}),
    "add-difference": (linear.add_difference, lambda a, b, c: a + 0.8 * b - 0.8 * c, 3, {"alpha": 0.8}),
    "train-difference": (elementwise.train_difference, lambda a, b, c: _train(a, b, c, 0.8), 3, {"alpha": 0.8}),
    "triple-sum": (linear.triple_sum, lambda a, b, c: 0.5 * a + 0.2 * b + 0.3 * c, 3, {"alpha": 0.2, "beta": 0.3}),
    "sum-twice": (
        linear.sum_twice, lambda a, b, c: 0.4 * a * 0.75 + 0.6 * b * 0.75 + 0.25 * c, 3, {"alpha": 0.6, "beta": 0.25},
    ),
    "average": (linear.average, lambda *m: np.mean(m, axis=0), 3, {}),
    "similarity-add": (
        elementwise.similarity_add, lambda a, b, c: _similarity(a, b, c, 0.8, 0.4), 3, {"alpha": 0.8, "beta": 0.4},
    ),
    "clamp": (elementwise.clamp, lambda a, b, c: np.clip(a, np.minimum(b, c), np.maximum(b, c)), 3, {}),
    "geometric": (
        whole.geometric,
        lambda a, b: np.real(np.power(a.astype(complex), 0.7) * np.power(b.astype(complex), 0.3)), 2, {"alpha": 0.3},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
def test_an_element_wise_formula_is_what_numpy_says(name: str) -> None:
    formula, reference, count, numbers = LINEAR[name]
    tensors = draw(40, 30, count=count)
    expected = reference(*wide(tensors))
    np.testing.assert_allclose(formula(*clones(tensors), **numbers).numpy(), expected, rtol=2e-5, atol=2e-6)


def test_equal_models_give_no_train_difference() -> None:
    a, b, _ = draw(8, 8)
    result = elementwise.train_difference(a.clone(), a.clone(), a.clone(), alpha=1.0)
    assert torch.equal(result, a)
    assert torch.equal(elementwise.train_difference(a.clone(), b.clone(), b.clone(), alpha=1.0), a)


def test_slerp_keeps_to_the_arc() -> None:
    tensors = draw(20, 30, count=2)
    a, b = wide(tensors)
    angle = np.arccos((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))
    arc = np.sin(0.7 * angle) * a / np.linalg.norm(a) + np.sin(0.3 * angle) * b / np.linalg.norm(b)
    expected = arc / np.sin(angle) * (0.7 * np.linalg.norm(a) + 0.3 * np.linalg.norm(b))
    np.testing.assert_allclose(whole.slerp(*clones(tensors), alpha=0.3).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("other", [1.0, -1.0, 0.0])
def test_slerp_of_parallel_tensors_is_the_weighted_sum(other: float) -> None:
    (a,) = draw(5, 5, count=1)
    result = whole.slerp(a.clone(), a * other, alpha=0.25)
    np.testing.assert_allclose(result.numpy(), (0.75 + 0.25 * other) * a.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.5), (0.5, 0.0), (0.6, 0.7), (1.0, 0.0)])
def test_a_tensor_sum_takes_rows(alpha: float, beta: float) -> None:
    a, b, _ = draw(20, 3)
    rows = np.arange(20)
    first, last = int(20 * beta), int(20 * (alpha + beta))
    taken = (rows >= first) & (rows < last) if alpha + beta <= 1 else ~((rows >= last - 20) & (rows < first))
    expected = np.where(taken[:, None], b.numpy(), a.numpy())
    assert np.array_equal(whole.tensor_sum(a.clone(), b.clone(), alpha=alpha, beta=beta).numpy(), expected)


@pytest.mark.parametrize("shape", [(7,), (6, 5), (5, 4, 3, 3), (4, 2, 1, 1), (1,)])
def test_smoothing_is_what_scipy_does(shape: tuple[int, ...]) -> None:
    (tensor,) = draw(*shape, count=1)
    expected = scipy.ndimage.gaussian_filter(scipy.ndimage.median_filter(tensor.numpy(), size=3), sigma=1)
    np.testing.assert_allclose(smoothing.smoothed(tensor).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_smooth_add_adds_the_smoothed_difference() -> None:
    tensors = draw(6, 5)
    a, b, c = (one.numpy() for one in tensors)
    smooth = scipy.ndimage.gaussian_filter(scipy.ndimage.median_filter(b - c, size=3), sigma=1)
    np.testing.assert_allclose(
        whole.smooth_add(*clones(tensors), alpha=0.7).numpy(), a + 0.7 * smooth, rtol=1e-4, atol=1e-6
    )


def test_cosine_a_and_b_blend_by_likeness_of_columns() -> None:
    tensors = draw(30, 8, count=2)
    a, b = wide(tensors)
    low, high, alpha = -0.5, 0.6, 0.1
    columns = cosine(a, b, 0)
    na, nb = a / np.linalg.norm(a, axis=0), b / np.linalg.norm(b, axis=0)
    for formula, overall in (
        (whole.cosine_a, (na * nb).sum() / np.linalg.norm(na) / np.linalg.norm(nb)),
        (whole.cosine_b, (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)),
    ):
        k = np.clip(((columns + overall) / 2 - low) / (high - low) - alpha, 0, 1)
        result = formula(*clones(tensors), alpha=alpha, low=low, high=high).numpy()
        np.testing.assert_allclose(result, (1 - k) * b + k * a, rtol=1e-4, atol=1e-5)


def test_extract_keeps_what_differences_share() -> None:
    tensors = draw(10, 12)
    a, b, c = wide(tensors)
    p, q = b - a, c - a
    d = (((cosine(p, q, -1) + 1) / 2) ** 2.0)[:, None]
    expected = a + (0.6 * p + 0.4 * q) * (0.8 * d + 0.2 * (1 - d))
    result = whole.extract(*clones(tensors), alpha=0.4, beta=0.2, gamma=2.0).numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_model_stock_trusts_fine_tunes_as_far_as_they_agree() -> None:
    tensors = draw(10, 12)
    base, *models = wide(tensors)
    p, q = (model - base for model in models)
    c = cosine(p, q, -1)[:, None]
    np.testing.assert_allclose(
        whole.model_stock(*clones(tensors)).numpy(), base + 2 * c / (1 + c) * (p + q) / 2, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_crossover_takes_slow_changes_of_one_and_fast_ones_of_the_other(beta: float) -> None:
    tensors = draw(6, 11)
    a, b, c = wide(tensors)
    order = np.argsort(c.ravel(), kind="stable")
    slow, fast = np.fft.rfft(a.ravel()[order]), np.fft.rfft(b.ravel()[order])
    ramp = np.arange(slow.size) / slow.size
    cut = np.clip((ramp - 0.4) / beta + 0.5, 0, 1) if beta else (ramp >= 0.4).astype(float)
    expected = np.empty(a.size)
    expected[order] = np.fft.irfft((1 - cut) * slow + cut * fast, a.size)
    result = whole.crossover(*clones(tensors), alpha=0.4, beta=beta).numpy()
    np.testing.assert_allclose(result, expected.reshape(a.shape), rtol=1e-4, atol=1e-5)


def test_rotating_undoes_a_rotation() -> None:
    (a,) = draw(30, 8, count=1)
    turn, _ = torch.linalg.qr(draw(8, 8, seed=5, count=1)[0])
    np.testing.assert_allclose(whole.rotate(a.clone(), a @ turn, alpha=0.0).numpy(), (a @ turn).numpy(), atol=1e-4)


@pytest.mark.parametrize("shape", [(8, 30), (4, 3, 3, 3), (9, 5, 1, 1)])
def test_rotating_all_the_way_is_the_other_model(shape: tuple[int, ...]) -> None:
    a, b, _ = draw(*shape)
    np.testing.assert_allclose(whole.rotate(a.clone(), b.clone(), alpha=1.0).numpy(), b.numpy(), rtol=1e-4, atol=1e-4)


def _ties(base: Array, models: list[Array], density: float, by_number: bool) -> Array:
    kept = []
    for model in models:
        delta = model - base
        place = max(int((1 - density) * delta.size), 1)
        threshold = np.sort(np.abs(delta).ravel())[place - 1]
        kept.append(np.where(np.abs(delta) >= threshold, delta, 0))
    signs = np.sign(sum(np.sign(one) for one in kept) if by_number else sum(kept))
    result = np.zeros_like(base)
    for index in np.ndindex(base.shape):
        agreeing = [one[index] for one in kept if one[index] and np.sign(one[index]) == signs[index]]
        result[index] = np.mean(agreeing) if agreeing else 0
    return base + result


@pytest.mark.parametrize("votes", [0.0, 1.0])
@pytest.mark.parametrize("density", [1.0, 0.4])
def test_ties_trims_elects_and_averages(density: float, votes: float) -> None:
    tensors = draw(9, 7, count=4)
    base, *models = wide(tensors)
    result = sparse.ties(*clones(tensors), alpha=1.0, density=density, votes=votes).numpy()
    np.testing.assert_allclose(result, _ties(base, models, density, bool(votes)), rtol=1e-4, atol=1e-5)


def test_dare_drops_by_its_seed_and_makes_up_for_it() -> None:
    base, model, _ = draw(200, 200)
    result = sparse.dare(base.clone(), model.clone(), alpha=1.0, density=0.25, seed=7)
    delta = (result - base).numpy()
    kept = np.abs(delta) > 1e-9
    assert abs(kept.mean() - 0.25) < 0.01
    np.testing.assert_allclose(delta[kept], 4 * (model - base).numpy()[kept], rtol=1e-3, atol=1e-4)
    assert torch.equal(result, sparse.dare(base.clone(), model.clone(), alpha=1.0, density=0.25, seed=7))
    assert not torch.equal(result, sparse.dare(base.clone(), model.clone(), alpha=1.0, density=0.25, seed=8))


def test_della_keeps_large_differences_more_often() -> None:
    base, model, _ = draw(300, 300)
    result = sparse.della(base.clone(), model.clone(), alpha=1.0, density=0.5, epsilon=0.6, seed=3)
    kept = ((result - base).abs() > 1e-9).numpy().ravel()
    ranks = np.argsort(np.argsort(np.abs((model - base).numpy()).ravel()))
    low, high = kept[ranks < 30000], kept[ranks >= 60000]
    assert 0.25 < low.mean() < 0.36
    assert 0.64 < high.mean() < 0.75


@given(st.integers(1, 3), st.floats(0, 1), st.integers(0, 99))
def test_a_sum_of_a_model_with_itself_is_that_model(rank: int, alpha: float, seed: int) -> None:
    a = torch.randn((5,) * rank, generator=torch.Generator().manual_seed(seed))
    for name in ("weighted-sum", "sigmoid", "inverse-sigmoid", "slerp"):
        result = find(name).formula(a.clone(), a.clone(), alpha=alpha)
        np.testing.assert_allclose(result.numpy(), a.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("shape", [(), (1,), (6,), (6, 4), (4, 3, 3, 3)])
def test_every_method_gives_a_finite_tensor_of_the_same_shape(method: Method, shape: tuple[int, ...]) -> None:
    count = method.most or max(method.least, 3)
    numbers: dict[str, float] = {one.name: one.default for one in method.parameters}
    numbers |= {"seed": 5} if method.seeded else {}
    numbers |= {"low": -0.1, "high": 0.9} if method.ranged else {}
    result = method.formula(*draw(*shape, count=count), **numbers)
    assert result.shape == shape
    assert bool(result.isfinite().all())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_says_what_it_is(method: Method) -> None:
    assert method.origin
    assert method.about
    assert method.statement
    assert all(one.least <= one.default <= one.most for one in method.parameters)


def test_element_wise_formulas_use_no_fused_operation() -> None:
    import inspect

    for module in (linear, elementwise):
        source = inspect.getsource(module).partition('"""')[2].partition('"""')[2]
        assert not any(word in source for word in ("lerp", "addcmul", "addcdiv", "alpha=alpha).add", "fma"))


PLAIN = [method for method in METHODS if method.is_plain]


@pytest.mark.parametrize("method", PLAIN, ids=lambda method: method.name)
@given(st.integers(0, 10**6))
def test_plain_formulas_give_numpy_and_torch_the_same_bits(method: Method, seed: int) -> None:
    tensors = draw(97, seed=seed, count=method.most or 3)
    chance = np.random.default_rng(seed)
    numbers = {one.name: float(chance.uniform(one.least, one.most)) for one in method.parameters}
    by_torch = method.formula(*clones(tensors), **numbers)
    by_numpy = method.formula(*(one.numpy().copy() for one in tensors), **numbers)  # type: ignore[arg-type]
    assert isinstance(by_numpy, np.ndarray)
    assert by_numpy.dtype == np.float32
    assert np.array_equal(by_numpy.view(np.uint32), by_torch.numpy().view(np.uint32))


def test_methods_that_need_torch_import_it_when_they_are_used() -> None:
    assert {method.name for method in METHODS if not method.is_plain} >= {"slerp", "ties", "clamp", "train-difference"}
    assert {method.name for method in PLAIN} >= {"weighted-sum", "add-difference", "average", "no-interpolation"}
    assert all(method.elementwise for method in PLAIN)
