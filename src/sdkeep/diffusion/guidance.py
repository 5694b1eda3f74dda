"""Classifier-free guidance: the prompts of a step, asked together where they are equally long, and their answers.

Source of the conventions: AUTOMATIC1111 `modules/sd_samplers_cfg_denoiser.py`; Ho and Salimans 2022
(arXiv:2207.12598), Liu et al. 2022 (arXiv:2206.01714) for `AND`, Brooks et al. 2022 (arXiv:2211.09800) for two
scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.conditioning import Encoded, Reader, labels_of, silenced
from sdkeep.diffusion.networks.config import Variant
from sdkeep.diffusion.prompt.networks import split_and
from sdkeep.diffusion.prompt.schedule import Steps, schedule


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question about a picture of a batch: a context (m, c), SDXL's labels, channels (k, h, w) beside the latent."""

    picture: int
    context: Tensor
    labels: Tensor | None = None
    beside: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scheduled:
    """A prompt over time: what holds up to and including each step. `weight` is what `AND` gives it."""

    until: tuple[int, ...]
    encoded: tuple[Encoded, ...]
    weight: float = 1.0

    def at(self, step: int) -> Encoded:
        """What holds at a step, counted from 0."""
        return next(
            (one for until, one in zip(self.until, self.encoded, strict=True) if step <= until), self.encoded[-1]
        )


def scheduled(reader: Reader, prompt: str, steps: Steps) -> tuple[Scheduled, ...]:
    """Every part of a prompt that `AND` joins, over the steps of a pass."""
    parts = []
    for part in split_and(prompt):
        stretches = schedule(part.text, steps)
        encoded = reader.read([stretch.text for stretch in stretches])
        parts.append(Scheduled(tuple(stretch.until for stretch in stretches), encoded, part.weight))
    return tuple(parts)


def negative(reader: Reader, prompt: str, steps: Steps) -> Scheduled:
    """The negative prompt over the steps of a pass; `AND` has no meaning in it."""
    stretches = schedule(prompt, steps)
    encoded = reader.read([stretch.text for stretch in stretches])
    if prompt == "":
        encoded = tuple(silenced(reader.model, one) for one in encoded)
    return Scheduled(tuple(stretch.until for stretch in stretches), encoded)


@dataclass(frozen=True, slots=True)
class Scales:
    """How strongly to follow the prompt and, for instruct-pix2pix, the picture."""

    cfg: float = 7.0
    image_cfg: float = 1.5


@dataclass(frozen=True, slots=True)
class Muting:
    """When the negative prompt is left out, to save time or for its effect; never, unless said otherwise.

    It is below the level `sigma` on every second call of the network, or on `all` of them, and in the first share
    `early` of the way.
    """

    sigma: float = 0.0
    all: bool = False
    early: float = 0.0

    def mutes(self, step: int, total: int, sigma: float) -> bool:
        """Whether it is left out at a call, counted from 0, of `total`."""
        if self.early and step / total <= self.early:
            return True
        return sigma < self.sigma and (self.all or step % 2 == 1)


@dataclass(slots=True, eq=False)
class Guide:
    """Answers for a batch of pictures: what the network says under guidance, and what it says without the prompt.

    `positives` and `negatives` hold one entry a picture. `beside` (b, k, h, w) are the extra channels of inpainting
    and instruct-pix2pix networks. `keeps_uncond` asks for `last_uncond` even where guidance would not need it.
    `padding` (77, c) lengthens contexts that are shorter than others, which are asked apart without it. `calls` counts
    the questions, by which prompts that change on the way are timed; `total` is how many there will be.
    """

    model: Model
    positives: Sequence[tuple[Scheduled, ...]]
    negatives: Sequence[Scheduled]
    scales: Scales
    size: tuple[int, int]
    beside: Tensor | None = None
    low_memory: bool = False
    keeps_uncond: bool = False
    muting: Muting = field(default_factory=Muting)
    padding: Tensor | None = None
    total: int = 1
    calls: int = 0
    last_uncond: Tensor | None = field(default=None)

    def __call__(self, x: Tensor, timestep: Tensor) -> Tensor:
        """The guided answer for latents (b, c, h, w) at a timestep."""
        step, self.calls = self.calls, self.calls + 1
        parts = [(place, part) for place, several in enumerate(self.positives) for part in several]
        asked = stretched([self._asked(part.at(step), place) for place, part in parts])
        shares = [(place, part.weight) for place, part in parts]
        if self._follows_only_the_prompt(shares):
            return self._ask(x, timestep, asked)
        if self._mutes(step, timestep):
            return self._alone(self._ask(x, timestep, asked), shares)
        without = [self._asked(one.at(step), place, negative=True) for place, one in enumerate(self.negatives)]
        if self.model.config.variant is Variant.PIX2PIX:
            blind = [replace(one, beside=torch.zeros_like(x[0])) for one in without]
            answers = self._ask(x, timestep, [*asked, *without, *blind])
            said, uncond, unseen = answers.tensor_split([len(asked), len(asked) + len(x)])
            self.last_uncond = uncond
            return self._guided(said, shares, uncond) + (self.scales.image_cfg - 1) * (uncond - unseen)
        said, uncond = self._ask(x, timestep, [*asked, *without]).tensor_split([len(asked)])
        self.last_uncond = uncond
        return self._guided(said, shares, uncond)

    @property
    def turn(self) -> Guide:
        """Who answers: itself; see `relay.Relay`."""
        return self

    def _follows_only_the_prompt(self, shares: list[tuple[int, float]]) -> bool:
        """Whether the answers without the prompt would fall out of the sum, and nobody else wants them."""
        lone = [place for place, _ in shares] == list(range(len(self.negatives)))
        even = self.scales.cfg == 1.0 and all(weight == 1.0 for _, weight in shares)
        edits = self.model.config.variant is Variant.PIX2PIX
        return lone and even and not edits and not self.keeps_uncond

    def _mutes(self, step: int, timestep: Tensor) -> bool:
        edits = self.model.config.variant is Variant.PIX2PIX
        return not edits and self.muting.mutes(step, self.total, float(self.model.levels.sigma(timestep)))

    def _alone(self, said: Tensor, shares: list[tuple[int, float]]) -> Tensor:
        """The answer without the negative prompt's: the first part of each prompt stands in for it, at a scale of 1."""
        first = [next(at for at, (place, _) in enumerate(shares) if place == one) for one in range(len(self.negatives))]
        self.last_uncond = said[first]
        return self._guided(said, shares, self.last_uncond, 1.0)

    def _guided(
        self, said: Tensor, shares: list[tuple[int, float]], uncond: Tensor, cfg: float | None = None
    ) -> Tensor:
        """uncond + sum of weight * cfg * (said - uncond), picture by picture."""
        scale = self.scales.cfg if cfg is None else cfg
        total = uncond.clone()
        for answer, (place, weight) in zip(said, shares, strict=True):
            total[place] += (answer - uncond[place]) * (weight * scale)
        return total

    def _asked(self, encoded: Encoded, place: int, *, negative: bool = False) -> Asked:
        labels = labels_of(self.model, encoded, self.size, negative=negative)
        return Asked(place, encoded.context, labels, self.beside[place] if self.beside is not None else None)

    def _ask(self, x: Tensor, timestep: Tensor, asked: list[Asked]) -> Tensor:
        """Every answer, in order; contexts of equal length go in one batch, of at most three questions a picture."""
        if self.padding is not None:
            asked = lengthened(asked, self.padding)
        answers: dict[int, Tensor] = {}
        for length in sorted({len(one.context) for one in asked}):
            places = [place for place, one in enumerate(asked) if len(one.context) == length]
            width = 1 if self.low_memory else 3 * len(self.positives)
            for first in range(0, len(places), width):
                group = places[first : first + width]
                answers.update(zip(group, self._batch(x, timestep, [asked[place] for place in group]), strict=True))
        return torch.stack([answers[place] for place in range(len(asked))])

    def _batch(self, x: Tensor, timestep: Tensor, asked: list[Asked]) -> Tensor:
        latents = x[[one.picture for one in asked]]
        besides = [one.beside for one in asked if one.beside is not None]
        if besides:
            latents = torch.cat([latents, torch.stack(besides).to(latents)], dim=1)
        labels = [one.labels for one in asked if one.labels is not None]
        times = timestep.reshape(1).expand(len(asked))
        context = torch.stack([one.context for one in asked])
        answer = self.model.predict(latents, times, context, torch.stack(labels) if labels else None)
        return answer.to(x)


def stretched(asked: Sequence[Asked]) -> list[Asked]:
    """The parts that `AND` joins with contexts of one length: the last vector of shorter ones repeated."""
    longest = max(len(one.context) for one in asked)
    return [
        replace(one, context=torch.cat([one.context, one.context[-1:].expand(longest - len(one.context), -1)]))
        if len(one.context) < longest
        else one
        for one in asked
    ]


def lengthened(asked: Sequence[Asked], padding: Tensor) -> list[Asked]:
    """Questions with contexts of one length: chunks of nothing behind the shorter ones."""
    longest = max(len(one.context) for one in asked)
    return [
        replace(one, context=torch.cat([one.context, padding.repeat((longest - len(one.context)) // len(padding), 1)]))
        for one in asked
    ]
