"""What samplers ask of a network, beside k-diffusion's wrappers and literal statements."""

from __future__ import annotations

import importlib
import warnings

import pytest
import torch

from sdkeep.diffusion.networks.config import Prediction
from sdkeep.diffusion.sampling.denoiser import ConsistencyGuess, Guess, as_noise
from sdkeep.diffusion.sampling.extra import ConsistencyLevels
from sdkeep.diffusion.sampling.levels import EdmLevels, Levels, scaled_linear
from tests.makers.oracles import k_diffusion_sampling

SHAPE = (2, 4, 5, 5)
SIGMAS = (0.03, 0.7, 3.3, 14.6)
ALPHAS = scaled_linear()


def network(x, timestep):
    """Something that depends on both."""
    return torch.sin(x * 1.3) + timestep.view(-1, *[1] * (x.ndim - 1) if timestep.ndim else []) / 700


class LatentDiffusion(torch.nn.Module):
    """As much of CompVis' model as the wrappers use."""

    alphas_cumprod = ALPHAS

    def apply_model(self, x, timestep, cond):
        return network(x, timestep)


def noisy(sigma):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(8)) * sigma


def k_diffusion_external():
    k_diffusion_sampling()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("k_diffusion.external")


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize(
    ("wrapper", "prediction"), [("CompVisDenoiser", Prediction.EPSILON), ("CompVisVDenoiser", Prediction.V)]
)
def test_a_guess_is_that_of_k_diffusions_wrapper(wrapper, prediction, sigma):
    theirs = getattr(k_diffusion_external(), wrapper)(LatentDiffusion())
    wanted = theirs(noisy(sigma), torch.full((SHAPE[0],), sigma), cond=None)
    ours = Guess(network, Levels(ALPHAS), prediction)(noisy(sigma), torch.tensor(sigma))
    assert torch.allclose(ours, wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("sigma", [0.002, 0.5, 80.0])
def test_an_edm_guess_is_the_papers_preconditioning(sigma):
    """Karras et al. 2022, table 1."""
    level, data = torch.tensor(sigma), 0.5
    c_skip, c_out = data**2 / (sigma**2 + data**2), sigma * data / (sigma**2 + data**2) ** 0.5
    c_in, c_noise = 1 / (sigma**2 + data**2) ** 0.5, level.log() / 4
    wanted = c_skip * noisy(sigma) + c_out * network(c_in * noisy(sigma), c_noise)
    ours = Guess(network, EdmLevels.between(), Prediction.EDM)(noisy(sigma), level)
    assert torch.allclose(ours, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_a_consistency_guess_asks_at_one_of_fifty_timesteps_and_keeps_the_boundary(sigma):
    asked = []

    def listening(x, timestep):
        asked.append(float(timestep))
        return network(x, timestep)

    ours = ConsistencyGuess(listening, ConsistencyLevels(ALPHAS))(noisy(sigma), torch.tensor(sigma))
    own = ((1 - ALPHAS) / ALPHAS).sqrt()
    nearest = min(range(19, 1000, 20), key=lambda t: abs(float(own[t].log()) - float(torch.tensor(sigma).log())))
    assert asked == [nearest]
    x = noisy(sigma)
    clean = x - sigma * network(x / (1 + sigma**2) ** 0.5, torch.tensor(float(nearest)))
    scaled = 10 * nearest
    wanted = scaled / (scaled**2 + 0.25) ** 0.5 * clean + 0.25 / (scaled**2 + 0.25) * x
    assert torch.allclose(ours, wanted, rtol=1e-5, atol=1e-5)


def test_velocity_is_noise_less_signal():
    """Salimans and Ho 2022: v = sqrt(alpha) noise - sqrt(1 - alpha) clean."""
    clean, noise, alpha = noisy(1.0), noisy(0.3).flip(0), torch.tensor(0.36)
    x = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
    assert torch.allclose(as_noise(x, velocity, alpha, Prediction.V), noise, atol=1e-6)
    assert torch.equal(as_noise(x, noise, alpha, Prediction.EPSILON), noise)
