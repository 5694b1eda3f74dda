"""Our networks against diffusers' and transformers' with the same random weights, by way of a single file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdkeep.diffusion.checkpoint import Model, open_checkpoint
from sdkeep.diffusion.networks.config import Variant
from sdkeep.diffusion.networks.unet import size_embedding
from tests.makers.tinymodels import VOCAB, Tiny, save, tiny

FAMILIES = ("sd1", "sd2", "sdxl", "sdxl-refiner")
CLOSE = 1e-5


def apart(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, as a share of the largest number."""
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tiny, Model]:
    """A family by others, and as opened by us."""
    theirs = tiny(request.param)
    path = save(tmp_path_factory.mktemp("parity") / "tiny.safetensors", theirs.weights())
    return theirs, open_checkpoint(path)


def denoised_by_both(theirs: Tiny, ours: Model, height: int = 16, width: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    config = ours.unet.config
    x = torch.randn(2, config.channels_in, height, width, generator=generator)
    steps = torch.tensor([3.0, 977.0])
    context = torch.randn(2, 77, config.context, generator=generator)
    labels, extra = None, {}
    if config.labels:
        sizes = torch.randint(0, 1024, (2, ours.config.size_conditions), generator=generator).float()
        pooled = torch.randn(2, 96, generator=generator)
        labels = torch.cat([pooled, size_embedding(sizes)], dim=1)
        extra = {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}
    with torch.no_grad():
        return ours.predict(x, steps, context, labels), theirs.unet(x, steps, context, **extra).sample


def test_the_unet_predicts_what_diffusers_predicts(pair: tuple[Tiny, Model]) -> None:
    assert apart(*denoised_by_both(*pair)) < CLOSE


def test_a_picture_that_is_no_square_is_denoised_alike(pair: tuple[Tiny, Model]) -> None:
    assert apart(*denoised_by_both(*pair, height=8, width=24)) < CLOSE


def test_the_autoencoder_encodes_what_diffusers_encodes(pair: tuple[Tiny, Model]) -> None:
    theirs, ours = pair
    pixels = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.no_grad():
        expected, found = theirs.vae.encode(pixels).latent_dist, ours.vae.encode(pixels)
    assert apart(found.mean, expected.mean) < CLOSE
    assert apart(found.std, expected.std) < CLOSE


def test_the_autoencoder_decodes_what_diffusers_decodes(pair: tuple[Tiny, Model]) -> None:
    theirs, ours = pair
    latents = torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert apart(ours.vae.decode(latents), theirs.vae.decode(latents).sample) < CLOSE


def tokens() -> Tensor:
    """Two prompts, begun, ended and padded with end tokens."""
    words = torch.randint(0, VOCAB - 2, (2, 77), generator=torch.Generator().manual_seed(4))
    words[:, 0] = VOCAB - 2
    words[0, 20:] = VOCAB - 1
    words[1, 40:] = VOCAB - 1
    return words


def test_every_hidden_state_of_the_text_towers_is_that_of_transformers(pair: tuple[Tiny, Model]) -> None:
    theirs, ours = pair
    for tower, reference in zip(ours.text, theirs.text, strict=True):
        with torch.no_grad():
            expected, found = reference(tokens(), output_hidden_states=True), tower(tokens())
        assert len(found.hidden) == len(expected.hidden_states)
        for state, wanted in zip(found.hidden, expected.hidden_states, strict=True):
            assert apart(state, wanted) < CLOSE
        assert apart(found.last, expected.last_hidden_state) < CLOSE
        pooled = expected.text_embeds if "text_embeds" in expected else expected.pooler_output
        assert apart(found.pooled, pooled) < CLOSE


def test_vectors_of_an_embedding_take_the_place_of_tokens(pair: tuple[Tiny, Model]) -> None:
    tower = pair[1].text[0]
    vectors = tower.embed(tokens())
    assert torch.equal(tower(tokens(), vectors).last, tower(tokens()).last)
    vectors = vectors.clone()
    vectors[:, 5] += 1
    assert not torch.equal(tower(tokens(), vectors).last, tower(tokens()).last)


@pytest.mark.parametrize(("channels", "variant"), [(9, Variant.INPAINTING), (8, Variant.PIX2PIX)])
def test_unets_with_more_inputs_predict_what_diffusers_predicts(
    tmp_path: Path, channels: int, variant: Variant
) -> None:
    theirs = tiny("sd1", channels=channels)
    ours = open_checkpoint(save(tmp_path / "more.safetensors", theirs.weights()))
    assert ours.config.variant is variant
    assert apart(*denoised_by_both(theirs, ours)) < CLOSE


def test_pixels_come_back_from_scaled_latents(pair: tuple[Tiny, Model]) -> None:
    theirs, ours = pair
    scale = 0.13025 if theirs.family.startswith("sdxl") else 0.18215
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        assert apart(ours.to_pixels(latents), theirs.vae.decode(latents / scale).sample) < CLOSE
        pixels = torch.rand(1, 3, 32, 32) * 2 - 1
        posterior = theirs.vae.encode(pixels).latent_dist
        assert apart(ours.to_latents(pixels), posterior.mean * scale) < CLOSE
        wanted = (posterior.mean + posterior.std * latents) * scale
        assert apart(ours.to_latents(pixels, latents), wanted) < CLOSE
