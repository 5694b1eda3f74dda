"""A denoiser that is no network, whose answer is known, and noise that can be drawn twice."""

from __future__ import annotations

import torch


def gaussian(x, sigma):
    """The best guess for clean values of mean 1.5 and deviation 0.7, bent a little to be nonlinear."""
    variance = 0.7**2
    guess = (x * variance + 1.5 * sigma**2) / (variance + sigma**2)
    return guess + 0.05 * torch.sin(3 * guess)


class Rolled:
    """Noise by the count of calls: two samplers that ask equally often get the same."""

    def __init__(self, shape, seed=0):
        self.generator = torch.Generator().manual_seed(seed)
        self.shape = shape
        self.asked = []

    def __call__(self, sigma, following):
        self.asked.append((float(sigma), float(following)))
        return torch.randn(self.shape, generator=self.generator)
