"""Noise beside published numbers and beside torchsde."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdkeep.diffusion.sampling.brownian import Path
from sdkeep.diffusion.sampling.noise import PictureNoise, Rng, Seeds, brownian, draw, slerp
from sdkeep.diffusion.sampling.philox import Philox
from sdkeep.diffusion.sampling.schedules import karras_between

SHAPE = (4, 6, 8)


def test_philox_draws_the_published_numbers():
    published = [
        [-0.92466259, -0.42534415, -2.6438457, 0.14518388],
        [-0.12086647, -0.57972564, -0.62285122, -0.32838709],
        [-1.07454231, -0.36314407, -1.67105067, 2.26550497],
    ]
    assert Philox(0).normal((3, 4)) == pytest.approx(np.array(published), abs=5e-7)


def test_philox_moves_on_with_every_call():
    stream = Philox(7)
    first, second = stream.normal((5,)), stream.normal((5,))
    assert not np.allclose(first, second)
    assert np.array_equal(Philox(7).normal((5,)), first)


def test_philox_is_normal():
    numbers = Philox(123456789012345).normal((200_000,))
    assert abs(float(numbers.mean())) < 0.01
    assert abs(float(numbers.std()) - 1) < 0.01


@pytest.mark.filterwarnings("ignore:Should have")
@given(
    seed=st.integers(0, 2**40),
    ends=st.tuples(st.floats(0.01, 1), st.floats(2, 20)),
    asked=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8),
)
@settings(deadline=None, max_examples=60)
def test_a_brownian_path_is_torchsdes(seed, ends, asked):
    torchsde = pytest.importorskip("torchsde")
    start, end = (float(torch.tensor(value)) for value in ends)
    theirs = torchsde.BrownianTree(start, torch.zeros(3), end, entropy=seed)
    ours = Path(start, end, seed, lambda own: torch.randn(3, generator=torch.Generator().manual_seed(own)))
    for first, second in asked:
        low, high = sorted(start + share * (end - start) for share in (first, second))
        assert torch.allclose(ours.between(low, high), theirs(low, high), atol=1e-6)


@pytest.mark.filterwarnings("ignore:Should have")
def test_brownian_noise_is_what_k_diffusion_would_draw():
    from tests.makers.oracles import k_diffusion_sampling

    sigmas = karras_between(6, 0.03, 14.6)
    x = torch.zeros(2, *SHAPE)
    theirs = k_diffusion_sampling().BrownianTreeNoiseSampler(x, sigmas[-2], sigmas[0], seed=[3, 4])
    ours = brownian(SHAPE, sigmas, (3, 4), Rng.CPU)
    for first, second in itertools.pairwise(sigmas):
        assert torch.allclose(ours(first, second), theirs(first, second), atol=1e-5)


def test_a_path_answers_the_same_in_any_order():
    def path():
        return Path(0.0, 10.0, 5, lambda own: draw(Rng.NV, own, SHAPE))

    forwards, backwards = path(), path()
    asked = [(0.5, 1.5), (1.5, 3.0), (3.0, 9.25)]
    first = [forwards.between(*pair) for pair in asked]
    second = [backwards.between(*pair) for pair in reversed(asked)][::-1]
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)
    assert torch.allclose(path().between(0.5, 9.25), sum(first), atol=1e-5)


def test_a_picture_does_not_depend_on_its_company():
    alone = PictureNoise(SHAPE, Seeds((11,), rng=Rng.NV))
    together = PictureNoise(SHAPE, Seeds((10, 11, 12), rng=Rng.NV))
    assert torch.equal(alone.first()[0], together.first()[1])
    assert torch.equal(alone.more()[0], together.more()[1])


def test_the_processors_noise_is_torchs():
    assert torch.equal(draw(Rng.CPU, 42, SHAPE), torch.randn(SHAPE, generator=torch.Generator().manual_seed(42)))


def test_a_seed_offset_changes_the_noise_on_the_way_and_not_the_start():
    plain, shifted = (PictureNoise(SHAPE, Seeds((5,), delta=delta)) for delta in (0, 31337))
    assert torch.equal(plain.first(), shifted.first())
    assert not torch.equal(plain.more(), shifted.more())
    other = PictureNoise(SHAPE, Seeds((5 + 31337,)))
    other_first = other.first()
    again = PictureNoise(SHAPE, Seeds((5,), delta=31337))
    again.first()
    assert torch.equal(again.more(), other_first)


def test_variation_goes_from_one_seed_to_the_other():
    def at(strength):
        return PictureNoise(SHAPE, Seeds((1,), (2,), strength)).first()[0]

    assert torch.equal(at(0.0), draw(Rng.CPU, 1, SHAPE))
    assert torch.allclose(at(1.0), draw(Rng.CPU, 2, SHAPE), atol=1e-5)
    half = at(0.5)
    assert 0.8 < float(half.std()) < 1.2


def test_a_composition_made_for_another_size_keeps_its_middle():
    small = draw(Rng.CPU, 9, (4, 4, 4))
    noise = PictureNoise((4, 8, 12), Seeds((9,), resize_from=(32, 32))).first()[0]
    assert torch.equal(noise[:, 2:6, 4:8], small)
    large = draw(Rng.CPU, 9, (4, 16, 16))
    cut = PictureNoise((4, 8, 12), Seeds((9,), resize_from=(128, 128))).first()[0]
    assert torch.equal(cut, large[:, 4:12, 2:14])


def test_slerp_of_parallel_rows_is_straight():
    low = torch.ones(2, 3, 4)
    assert torch.allclose(slerp(0.25, low, low), low)
