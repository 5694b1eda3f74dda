"""diffusers' pipelines around the tiny networks, given prompts as transformers' towers read our tokens."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from diffusers import (
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from torch import Tensor

from sdkeep.diffusion.prompt.tokenizer import END, START, encode
from tests.makers.tinymodels import Tiny

PIPELINES = {
    "text": StableDiffusionPipeline,
    "picture": StableDiffusionImg2ImgPipeline,
    "edit": StableDiffusionInstructPix2PixPipeline,
    "inpaint": StableDiffusionInpaintPipeline,
}


class MaskedEuler(EulerDiscreteScheduler):
    """Euler's steps by AUTOMATIC1111's rule for masks: in every guess, what must not change is the original."""

    free: Tensor
    original: Tensor

    def step(self, model_output, timestep, sample, **more):
        if self.step_index is None:
            self._init_step_index(timestep)
        sigma = self.sigmas[self.step_index]
        guess = torch.where(self.free > 0, sample - sigma * model_output, self.original)
        return super().step((sample - guess) / sigma, timestep, sample, **more)


@dataclass(frozen=True, slots=True)
class Read:
    """A prompt as the towers read it: states (1, 77, width), and SDXL's pooled ones (1, width)."""

    states: Tensor
    pooled: Tensor | None


def tokens(prompt: str, filling: int) -> Tensor:
    ids = [START, *encode(prompt), END]
    return torch.tensor([ids + [filling] * (77 - len(ids))])


@torch.no_grad()
def read(theirs: Tiny, prompt: str) -> Read:
    """As each family is trained: SD 1 the last state, SD 2 the last but one behind the norm, SDXL without the norm."""
    outs = []
    for place, tower in enumerate(theirs.text):
        is_open = theirs.family in ("sd2", "sdxl-refiner") or place == 1
        outs.append(tower(tokens(prompt, 0 if is_open else END), output_hidden_states=True))
    if theirs.family == "sd1":
        return Read(outs[0].last_hidden_state, None)
    if theirs.family == "sd2":
        tower = theirs.text[0]
        norm = getattr(tower, "text_model", tower).final_layer_norm
        return Read(norm(outs[0].hidden_states[-2]), None)
    states = torch.cat([out.hidden_states[-2] for out in outs], dim=-1)
    return Read(states, outs[-1].text_embeds)


def euler(prediction: str = "epsilon", kind: type[EulerDiscreteScheduler] = EulerDiscreteScheduler):
    """The steps of `Euler` with `Uniform`."""
    return kind(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="linspace",
        prediction_type=prediction,
    )


def pipeline(theirs: Tiny, kind: str = "text", prediction: str = "epsilon", scheduler=None):
    """A pipeline of diffusers that speaks latents."""
    if scheduler is None:
        scheduler = EDMEulerScheduler(sigma_schedule="karras") if prediction == "edm" else euler(prediction)
    parts = {"vae": theirs.vae, "unet": theirs.unet, "scheduler": scheduler}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if theirs.family == "sdxl":
            made = StableDiffusionXLPipeline(
                **parts,
                text_encoder=theirs.text[0],
                text_encoder_2=theirs.text[1],
                tokenizer=None,
                tokenizer_2=None,
                add_watermarker=False,
            )
        elif theirs.family == "sdxl-refiner":
            made = StableDiffusionXLImg2ImgPipeline(
                **parts,
                text_encoder=None,
                text_encoder_2=theirs.text[0],
                tokenizer=None,
                tokenizer_2=None,
                requires_aesthetics_score=True,
                add_watermarker=False,
            )
        else:
            made = PIPELINES[kind](
                **parts,
                text_encoder=theirs.text[0],
                tokenizer=None,
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
            )
    made.set_progress_bar_config(disable=True)
    return made
