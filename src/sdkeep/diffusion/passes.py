"""One pass of sampling in latent space: from noise, or from a picture's latents, with or without a mask.

Source of the conventions: AUTOMATIC1111 `modules/sd_samplers_kdiffusion.py`, `sd_samplers_timesteps.py`,
`sd_samplers_common.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from sdkeep.diffusion.knobs import Knobs, without_penultimate
from sdkeep.diffusion.networks.config import Prediction
from sdkeep.diffusion.sampling.denoiser import ConsistencyGuess, Guess, as_noise
from sdkeep.diffusion.sampling.extra import ConsistencyLevels
from sdkeep.diffusion.sampling.levels import Levels
from sdkeep.diffusion.sampling.noise import PictureNoise, brownian
from sdkeep.diffusion.sampling.registry import Chosen
from sdkeep.diffusion.sampling.run import Denoise, Noise, Run, Seen
from sdkeep.diffusion.sampling.stepping import Predicted, Walk, timesteps_for

Network = Callable[[Tensor, Tensor], Tensor]
"""`(x, timestep) -> answer` under guidance; x of variance 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """What of a picture may change: `free` (b or 1, 1, h, w) is 1 there and 0 where `original` (b, c, h, w) stays."""

    free: Tensor
    original: Tensor

    def blended(self, latents: Tensor) -> Tensor:
        """`latents` where they may change, the original elsewhere."""
        return latents * self.free + self.original * (1 - self.free)


_ALMOST_ALL = 0.999


def steps_run(steps: int, strength: float) -> int:
    """How many steps a picture's change by `strength` takes: one more than its share of all."""
    return int(min(strength, _ALMOST_ALL) * steps) + 1


def _unseen(_seen: Seen) -> None:
    """Nobody looks."""


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """What a pass needs: the guided network, what it was trained on, the sampler, the noise of its pictures."""

    network: Network
    levels: Levels
    prediction: Prediction
    chosen: Chosen
    steps: int
    noise: PictureNoise
    knobs: Knobs = field(default_factory=Knobs)
    large: bool = False
    last_uncond: Callable[[], Tensor | None] = field(default=lambda: None)
    seen: Callable[[Seen], None] = field(default=_unseen)

    def from_noise(self) -> Tensor:
        """Latents (b, c, h, w) out of nothing but noise."""
        x = self.noise.first()
        if self.chosen.sampler.stepped is not None:
            return self._stepped(x, timesteps_for(self.steps), None, partial=False)
        sigmas = self.sigmas(self.steps)
        return self._levelled(self.knobs.begun(x, sigmas[0]), sigmas, sigmas, None)

    def from_latents(
        self,
        latents: Tensor,
        strength: float,
        mask: Mask | None = None,
        *,
        exact: bool = False,
        multiplier: float = 1.0,
    ) -> Tensor:
        """Latents changed by noise of `strength` (0 to 1) and sampled back.

        A strength of s runs the last s of the steps; `exact` runs as many steps as were asked for, of a longer
        schedule. The noise to begin with is scaled by `multiplier`.
        """
        if exact:
            total = int(self.steps / min(strength, _ALMOST_ALL)) if strength > 0 else 0
            kept = self.steps - 1
        else:
            total, kept = self.steps, steps_run(self.steps, strength) - 1
        noise = self.noise.first() * multiplier
        if total <= 0:
            return latents
        if self.chosen.sampler.stepped is not None:
            times = timesteps_for(total)
            kept = min(kept, len(times) - 1)
            alpha = self.levels.alphas_cumprod[times[kept]]
            x = latents * alpha.sqrt() + noise * (1 - alpha).sqrt()
            x = x + noise * self.knobs.extra_noise * alpha.sqrt()
            return self._ended(self._stepped(x, times[:kept], mask, partial=True), mask)
        sigmas = self.sigmas(total)
        part = sigmas[max(total - kept - 1, 0) :]
        x = latents + noise * (part[0] + self.knobs.extra_noise)
        return self._ended(self._levelled(x, part, sigmas, mask), mask)

    @staticmethod
    def _ended(latents: Tensor, mask: Mask | None) -> Tensor:
        return mask.blended(latents) if mask else latents

    def sigmas(self, steps: int) -> Tensor:
        """The levels of a run: the schedule's, or the sampler's own."""
        sampler, schedule = self.chosen.sampler, self.chosen.schedule.schedule
        if sampler.name == "LCM":
            return ConsistencyLevels(self.levels.alphas_cumprod).schedule(steps)
        if schedule is None:
            raise ValueError("a schedule is chosen before a pass")
        drops = sampler.drops_penultimate or self.knobs.drops_penultimate
        bent = self.knobs.bent(schedule, large=self.large)
        sigmas = bent(self.knobs.within(self.levels), steps + drops)
        return without_penultimate(sigmas) if drops else sigmas

    def _run(self, noise: Noise) -> Run:
        knobs = self.knobs
        eta = self.chosen.sampler.eta if knobs.eta is None else knobs.eta
        return Run(noise, self.seen, eta, knobs.s_noise, knobs.churn, knobs.tmin, knobs.tmax)

    def _levelled(self, x: Tensor, sigmas: Tensor, whole: Tensor, mask: Mask | None) -> Tensor:
        sampler = self.chosen.sampler.levelled
        if sampler is None or len(sigmas) < 2:
            return x
        noise: Noise = self.noise.along
        if self.chosen.sampler.brownian:
            seeds = self.noise.seeds
            noise = brownian(self.noise.shape, whole, seeds.seeds, seeds.rng)
        return sampler(_blending(self._guess(), mask), x, sigmas, self._run(noise))

    def _guess(self) -> Denoise:
        if self.chosen.sampler.name == "LCM":
            return ConsistencyGuess(self.network, ConsistencyLevels(self.levels.alphas_cumprod), self.prediction)
        return Guess(self.network, self.levels, self.prediction)

    def _stepped(self, x: Tensor, times: Tensor, mask: Mask | None, *, partial: bool) -> Tensor:
        sampler = self.chosen.sampler.stepped
        if sampler is None or len(times) == 0:
            return x
        alphas = self.levels.alphas_cumprod

        def predict(latents: Tensor, timestep: Tensor) -> Predicted:
            latents = mask.blended(latents) if mask else latents
            alpha = alphas[int(timestep)]
            noise = as_noise(latents, self.network(latents, timestep), alpha, self.prediction)
            uncond = self.last_uncond()
            return Predicted(noise, noise if uncond is None else as_noise(latents, uncond, alpha, self.prediction))

        return sampler(predict, x, Walk(times, alphas, partial), self._run(self.noise.along))


def _blending(guess: Denoise, mask: Mask | None) -> Denoise:
    """Guesses in which what must not change is the original."""
    if mask is None:
        return guess
    return lambda x, sigma: mask.blended(guess(x, sigma))
