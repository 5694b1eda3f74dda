"""Whole pictures against the original code: its text towers, UNet, samplers and autoencoder from end to end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sdkeep.diffusion.jobs import Job
from sdkeep.diffusion.pictures import to_picture
from sdkeep.diffusion.pipeline import Pipeline, Watched
from sdkeep.diffusion.prompt.tokenizer import END
from sdkeep.diffusion.sampling.noise import Rng, draw
from tests.diffusion.conftest import Paired
from tests.makers.originals import UNET, VAE, OpenClipByTorch, Original, below, original_half, original_unet
from tests.makers.tinypipelines import tokens

STEPS, CFG, PROMPT, NEGATIVE = 6, 5.0, "a photo of a castle", "blurry, ugly"
CLOSE = 2e-5


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("family", "prediction", "sampler"),
    [("sd1", "eps", "DDIM"), ("sd1", "eps", "PLMS"), ("sd2", "eps", "DDIM"), ("sd2", "v", "DDIM")],
)
def test_a_prompt_becomes_the_picture_that_the_original_code_makes(
    paired: Callable[..., Paired], family: str, prediction: str, sampler: str
) -> None:
    """AUTOMATIC1111 leaves out the last of the original's steps, from timestep 1 to 0.

    The original's PLMS knows no velocity.
    """
    theirs, model = paired(family, prediction="v" if prediction == "v" else "")
    weights = theirs.weights()
    noise = draw(Rng.CPU, 3, (4, 8, 12))[None]

    def read(prompt: str) -> Tensor:
        if family == "sd1":
            with torch.no_grad():
                return theirs.text[0](tokens(prompt, END)).last_hidden_state
        tower = OpenClipByTorch(below(weights, "cond_stage_model.model."), model.text[0].config.heads)
        return tower.states(tokens(prompt, 0), 1)

    unet = original_unet(family, below(weights, UNET), model.unet.config.context)
    original = Original(lambda x, steps, context: unet(x, steps, [context] * 4), prediction)
    way = original.sampled(sampler.lower(), STEPS, noise, (read(PROMPT), read(NEGATIVE)), CFG)

    seen: list[Watched] = []
    job = Job(PROMPT, NEGATIVE, (48, 32), sampler, steps=STEPS, cfg=CFG, seed=3, rng=Rng.CPU)
    (made,) = Pipeline(model).run(job, watch=seen.append)
    wanted = way["pred_x0"][-2]
    assert seen[-1].latents.shape == wanted.shape
    assert float((seen[-1].latents - wanted).abs().max() / wanted.abs().max()) < CLOSE

    around = torch.nn.Conv2d(4, 4, 1)
    around.load_state_dict(below(weights, VAE + "post_quant_conv."))
    with torch.no_grad():
        pixels = original_half("decoder", weights)(around(way["x_inter"][-2] / 0.18215))
    apart = np.asarray(made.picture, dtype=int) - np.asarray(to_picture(pixels[0]), dtype=int)
    assert np.abs(apart).max() <= 1
