"""From a job to pictures: text to picture, picture to picture, inpainting, hires fix, refiner.

Source of the conventions: AUTOMATIC1111 1.10 `modules/processing.py`. Every picture is decoded by itself and handed out
as soon as it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum

import torch
from PIL import Image
from torch import Tensor

from sdkeep.diffusion.beside import for_noise, for_picture
from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.conditioning import Embedding, Reader, TextOptions
from sdkeep.diffusion.estimate import check_memory, free_memory
from sdkeep.diffusion.guidance import Guide, Scales, negative, scheduled
from sdkeep.diffusion.hires import Target, enlarged, target
from sdkeep.diffusion.inpainting import Prepared, prepared
from sdkeep.diffusion.jobs import Hires, Job, MaskedContent, ResizeMode, Start, checked
from sdkeep.diffusion.mending import check_latents, check_prediction, decoded, explained
from sdkeep.diffusion.networks.config import Variant
from sdkeep.diffusion.networks.layers import set_tiling
from sdkeep.diffusion.passes import Mask, Pass, steps_run
from sdkeep.diffusion.pictures import to_picture, to_pixels
from sdkeep.diffusion.prompt.networks import ExtraNetwork, take_networks
from sdkeep.diffusion.prompt.schedule import Steps
from sdkeep.diffusion.relay import Relay
from sdkeep.diffusion.sampling.noise import PictureNoise, Seeds
from sdkeep.diffusion.sampling.registry import Chosen, choose
from sdkeep.diffusion.sampling.run import Seen
from sdkeep.diffusion.upscaling import LATENT_MODES, Enlarge, Upscaler, upscaler
from sdkeep.ground.errors import UsageError
from sdkeep.ground.events import Stop
from sdkeep.ground.kinds import Family

Adapt = Callable[[tuple[ExtraNetwork, ...]], AbstractContextManager[object]]
"""Within its context the networks that a prompt names have been applied to the model's weights."""


class Stage(StrEnum):
    """Which of a job's passes is at work."""

    FIRST = "first"
    HIRES = "hires"


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A step as it is seen from outside: `step` (from 0) of `steps` for the pictures `places` of the job.

    `latents` (b, c, h, w) are what the pictures would be without the noise that is left; see `preview.rough`. Some
    samplers take a step more or fewer than `steps`.
    """

    places: range
    stage: Stage
    step: int
    steps: int
    latents: Tensor


Watch = Callable[[Watched], None]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A picture, and what of its making the job does not say.

    `place` counts from 0 within the job. `networks` are all that the prompts named, `embeddings` the names of those
    that were found in them. `variant` is what the checkpoint is given beside the latent.
    """

    picture: Image.Image
    place: int
    seed: int
    variation_seed: int
    networks: tuple[ExtraNetwork, ...] = ()
    embeddings: tuple[str, ...] = ()
    variant: Variant = Variant.PLAIN


def _nothing_to_apply(networks: tuple[ExtraNetwork, ...]) -> AbstractContextManager[object]:
    if networks:
        one = networks[0]
        raise UsageError(
            f"`<{one.kind}:{one.name}>` cannot be applied here", "no adapters were given", "leave it out of the prompt"
        )
    return nullcontext()


def _left_alone(_networks: tuple[ExtraNetwork, ...]) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True, slots=True, eq=False)
class Refiner:
    """The model that takes over, with what of the prompt's networks and embeddings fits it."""

    model: Model
    embeddings: Mapping[str, Embedding] = field(default_factory=dict)
    adapt: Adapt = _left_alone


def _unwatched(_watched: Watched) -> None:
    """Nobody looks."""


@dataclass(slots=True, eq=False)
class _Adapting:
    """Which networks are applied at the moment; changing them makes the reader forget what it read."""

    adapt: Adapt
    reader: Reader
    stack: ExitStack = field(default_factory=ExitStack)
    now: tuple[ExtraNetwork, ...] | None = None

    def use(self, networks: tuple[ExtraNetwork, ...]) -> None:
        """Apply these and no others."""
        if networks != self.now:
            self.leave()
            self.stack.enter_context(self.adapt(networks))
            self.now = networks

    def leave(self) -> None:
        """Apply none."""
        self.now = None
        self.stack.close()
        self.reader.forget()


@dataclass(frozen=True, slots=True)
class _Texts:
    """The prompts of a pass, without the networks that they name."""

    prompt: str
    negative: str
    networks: tuple[ExtraNetwork, ...]

    @classmethod
    def of(cls, prompt: str, negative_prompt: str) -> _Texts:
        text, networks = take_networks(prompt)
        return cls(text, negative_prompt, networks)


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """One batch of a job at work. `begun` holds what a picture to begin from was made into."""

    job: Job
    places: range
    adapting: _Adapting
    watch: Watch
    stop: Stop
    begun: Prepared | None
    refining: _Adapting | None = None

    @property
    def seeds(self) -> Seeds:
        job = self.job
        return Seeds(
            tuple(job.seed_of(place) for place in self.places),
            tuple(job.variation_seed_of(place) for place in self.places),
            job.variation,
            (job.resize_from[1], job.resize_from[0]),
            job.ensd,
            job.rng,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Leg:
    """What makes one pass of a batch: its stage, texts, sampler, and `size` (height, width) as SDXL is told it."""

    stage: Stage
    texts: _Texts
    chosen: Chosen
    steps: int
    before: int
    cfg: float
    size: tuple[int, int]

    @property
    def calls(self) -> Steps:
        """How often the network is asked, by which prompts that change on the way are timed."""
        return Steps(self.steps * calls_of(self.chosen), self.before)


def calls_of(chosen: Chosen) -> int:
    """How many calls of the network AUTOMATIC1111 counts for a step: two for samplers of second order."""
    return 2 if chosen.sampler.calls == 2 else 1


@dataclass(slots=True, eq=False)
class Pipeline:
    """Makes pictures with one model.

    `embeddings` are by the name that a prompt uses. `adapt` is called around a job with the networks that its prompt
    names. `refiner` takes over where a job says so; `upscalers` are networks by name, beside those built in. `free`
    says how many bytes of memory can be had on a device.
    """

    model: Model
    embeddings: Mapping[str, Embedding] = field(default_factory=dict)
    adapt: Adapt = _nothing_to_apply
    refiner: Refiner | None = None
    upscalers: Mapping[str, Enlarge] = field(default_factory=dict)
    free: Callable[[torch.device], int | None] = free_memory

    @property
    def factor(self) -> int:
        """How many pixels a latent stands for, along a side."""
        return self.model.vae.config.factor

    def run(self, job: Job, *, watch: Watch = _unwatched, stop: Stop | None = None) -> Iterator[Made]:
        """The job's pictures, each as soon as it is done.

        Raises `Stopped` at the next step when `stop` is asked; `UsageError` for a job that cannot be done, before
        anything is computed; `FormatError` (rule `nan-picture`) when no picture comes of the weights.
        """
        self._check(checked(job, self.factor))
        options = TextOptions(job.clip_skip, job.emphasis, job.backtrack)
        begun = prepared(job.start, job.size) if job.start else None
        adapting = _Adapting(self.adapt, Reader(self.model, options, self.embeddings))
        refining = None
        if self.refiner and job.refine_at is not None:
            refining = _Adapting(self.refiner.adapt, Reader(self.refiner.model, options, self.refiner.embeddings))
        tiled = [self.model.unet, self.model.vae, *([refining.reader.model.unet] if refining else [])]
        try:
            for network in tiled:
                set_tiling(network, job.tiling)
            for first in range(0, job.count, job.batch):
                places = range(first, min(first + job.batch, job.count))
                work = _Work(job, places, adapting, watch, stop or Stop(), begun, refining)
                yield from self._batch(work)
        finally:
            adapting.leave()
            if refining:
                refining.leave()
            for network in tiled:
                set_tiling(network, False)

    def _check(self, job: Job) -> None:
        check_prediction(self.model, job)
        if job.refine_at is not None and self.refiner is None:
            raise UsageError("there is no refiner to hand over to", "none was named", "name one with `--refiner REF`")
        if job.hires:
            upscaler(job.hires.upscaler, self.upscalers)
        room = self.free(self.model.device)
        check_memory(self.model, job, job.size, room)
        if job.hires:
            check_memory(self.model, job, target(job.size, job.hires, self.model.vae.config.factor).size, room)

    def _batch(self, work: _Work) -> Iterator[Made]:
        job = work.job
        with explained(self.model, job.size):
            latents = self._sampled(work)
        for place, latent in zip(work.places, latents, strict=True):
            work.stop.check()
            with explained(self.model, job.size):
                picture = to_picture(decoded(self.model, latent[None], job.vae_tile // self.factor)[0])
            yield Made(
                work.begun.finished(picture) if work.begun else picture,
                place,
                job.seed_of(place),
                job.variation_seed_of(place),
                _named(job),
                tuple(sorted(work.adapting.reader.used)),
                self.model.config.variant,
            )

    def _sampled(self, work: _Work) -> Tensor:
        """Finished latents of a batch."""
        job = work.job
        chosen = choose(job.sampler, job.schedule)
        texts = _Texts.of(job.prompt, job.negative)
        leg = _Leg(Stage.FIRST, texts, chosen, job.steps, 0, job.cfg, (job.size[1], job.size[0]))
        if job.start and work.begun:
            return self._from_picture(work, leg, job.start, work.begun)
        noise = self._noise(work, job.size[1] // self.factor, job.size[0] // self.factor)
        beside = for_noise(self.model, noise.shape)
        latents = self._pass(work, leg, noise, beside).from_noise()
        if job.hires:
            latents = self._hires(work, leg, latents, job.hires)
        check_latents(self.model, latents)
        return latents

    def _from_picture(self, work: _Work, leg: _Leg, start: Start, begun: Prepared) -> Tensor:
        model, job = self.model, work.job
        tile = job.vae_tile // self.factor
        height, width = leg.size[0] // self.factor, leg.size[1] // self.factor
        pixels = to_pixels(begun.picture)
        original = model.to_latents(pixels, tile=tile).cpu()
        if start.resize is ResizeMode.LATENT:
            original = _BILINEAR.latents(original, height, width)
        noise = self._noise(work, height, width)
        original = original.expand(len(work.places), -1, -1, -1)
        mask = _mask(begun, start, original, noise)
        original = mask.original if mask else original
        beside = for_picture(model, pixels, begun.covered(), start.mask_weight, (height, width))
        made = self._pass(work, leg, noise, beside)
        latents = made.from_latents(original, start.denoising, mask, multiplier=start.noise_multiplier)
        check_latents(model, latents)
        return latents

    def _hires(self, work: _Work, leg: _Leg, latents: Tensor, hires: Hires) -> Tensor:
        job = work.job
        check_latents(self.model, latents)
        goal: Target = target(job.size, hires, self.factor)
        latents = enlarged(
            self.model, latents, goal, upscaler(hires.upscaler, self.upscalers), job.vae_tile // self.factor
        )
        texts = _Texts.of(hires.prompt or job.prompt, hires.negative or job.negative)
        second = _Leg(
            Stage.HIRES,
            texts,
            choose(hires.sampler or job.sampler, hires.schedule or job.schedule),
            hires.steps or job.steps,
            leg.calls.count,
            job.cfg if hires.cfg is None else hires.cfg,
            (goal.size[1], goal.size[0]),
        )
        noise = self._noise(work, latents.shape[-2], latents.shape[-1])
        made = self._pass(work, second, noise, for_noise(self.model, noise.shape))
        return made.from_latents(latents, hires.denoising, exact=True)

    def _noise(self, work: _Work, height: int, width: int) -> PictureNoise:
        return PictureNoise((self.model.vae.config.latent, height, width), work.seeds)

    def _pass(self, work: _Work, leg: _Leg, noise: PictureNoise, beside: Tensor | None) -> Pass:
        job, model = work.job, self.model
        steps = steps_run(job.steps, job.start.denoising) if job.start else leg.steps
        calls = steps * calls_of(leg.chosen)
        work.adapting.use(leg.texts.networks)
        guide = _guide(work.adapting.reader, leg, work, calls, beside)
        network: Guide | Relay = guide
        if work.refining and job.refine_at is not None and (leg.stage is Stage.HIRES or not job.hires):
            work.refining.use(leg.texts.networks)
            second = _guide(work.refining.reader, leg, work, calls, None)
            network = Relay(guide, second, job.refine_at, model.levels, calls if job.refine_by_steps else 0)

        def seen(step: Seen) -> None:
            work.watch(Watched(work.places, leg.stage, step.step, steps, step.denoised))
            work.stop.check()

        def answer(x: Tensor, timestep: Tensor) -> Tensor:
            said = network(x, timestep)
            check_latents(network.turn.model, said)  # a sampler of adaptive steps would go on for ever
            return said

        return Pass(
            answer,
            model.levels,
            model.config.prediction,
            leg.chosen,
            leg.steps,
            noise,
            job.knobs,
            large=model.config.family is Family.SDXL,
            last_uncond=lambda: network.last_uncond,
            seen=seen,
        )


_BILINEAR = Upscaler("Latent", latent=LATENT_MODES["Latent"])


def _mask(begun: Prepared, start: Start, original: Tensor, noise: PictureNoise) -> Mask | None:
    """What may change, and what stays; the masked part itself becomes noise or nothing where that is asked."""
    free = begun.free(*original.shape[-2:])
    if free is None or start.inpaint is None:
        return None
    free = free.to(original)
    match start.inpaint.content:
        case MaskedContent.NOISE:
            fresh = PictureNoise(noise.shape, noise.seeds).first().to(original)
            original = original * (1 - free) + fresh * free
        case MaskedContent.NOTHING:
            original = original * (1 - free)
    return Mask(free, original)


def _guide(reader: Reader, leg: _Leg, work: _Work, calls: int, beside: Tensor | None) -> Guide:
    """The guide of a batch of which all pictures have the same prompts."""
    job, count = work.job, len(work.places)
    plus_plus = leg.chosen.sampler.name == "DDIM CFG++"
    return Guide(
        reader.model,
        [scheduled(reader, leg.texts.prompt, leg.calls)] * count,
        [negative(reader, leg.texts.negative, leg.calls)] * count,
        Scales(leg.cfg / 12.5 if plus_plus else leg.cfg, job.image_cfg),
        leg.size,
        beside.expand(count, -1, -1, -1) if beside is not None else None,
        low_memory=reader.model.spares_memory,
        keeps_uncond=plus_plus,
        muting=job.muting,
        padding=reader.read([""])[0].context if job.pads else None,
        total=calls,
    )


def _named(job: Job) -> tuple[ExtraNetwork, ...]:
    """Every network that the prompts name, once."""
    found = take_networks(job.prompt)[1]
    if job.hires and job.hires.prompt:
        found += take_networks(job.hires.prompt)[1]
    return tuple(dict.fromkeys(found))
