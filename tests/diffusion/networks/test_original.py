"""Our networks against the original latent-diffusion code, which loads the same file's keys as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdkeep.diffusion.checkpoint import Model, open_checkpoint
from tests.makers.ldmkeys import Weights
from tests.makers.originals import SHAPES, UNET, OpenClipByTorch, below, original_half, original_unet
from tests.makers.tinymodels import VOCAB, save, tiny

CLOSE = 1e-5
TOWERS = {
    "sd2": "cond_stage_model.model.",
    "sdxl": "conditioner.embedders.1.model.",
    "sdxl-refiner": "conditioner.embedders.0.model.",
}


def opened(tmp_path: Path, family: str, channels: int = 4) -> tuple[Weights, Model]:
    weights = tiny(family, channels=channels).weights()
    return weights, open_checkpoint(save(tmp_path / "tiny.safetensors", weights))


def apart(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize(("family", "channels"), [*((family, 4) for family in SHAPES), ("sd1", 9), ("sd1", 8)])
def test_the_original_unet_loads_the_file_and_predicts_the_same(tmp_path: Path, family: str, channels: int) -> None:
    weights, ours = opened(tmp_path, family, channels)
    config = ours.unet.config
    original = original_unet(family, below(weights, UNET), config.context, channels)
    x, steps = torch.randn(2, channels, 16, 16), torch.tensor([1.0, 601.0])
    context = torch.randn(2, 77, config.context)
    labels = torch.randn(2, config.labels) if config.labels else None
    with torch.no_grad():
        theirs = original(x, steps, [context] * 4, labels)
    assert apart(ours.predict(x, steps, context, labels), theirs) < CLOSE


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_the_original_autoencoder_loads_the_file_and_gives_the_same(tmp_path: Path, part: str) -> None:
    weights, ours = opened(tmp_path, "sd1")
    x = torch.randn(1, 3, 32, 32) if part == "encoder" else torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        assert apart(getattr(ours.vae, part)(x), original_half(part, weights)(x)) < CLOSE


@pytest.mark.parametrize("family", TOWERS)
def test_the_original_text_tower_loads_the_file_and_reads_the_same(tmp_path: Path, family: str) -> None:
    weights, ours = opened(tmp_path, family)
    tower = ours.text[-1]
    original = OpenClipByTorch(below(weights, TOWERS[family]), tower.config.heads)
    words = torch.randint(0, VOCAB - 1, (2, 77))
    words[0, 9:], words[1, 70:] = 0, 0
    words[0, 8], words[1, 69] = VOCAB - 1, VOCAB - 1
    with torch.no_grad():
        found = tower(words)
        for left_out in (0, 1):
            assert apart(tower.final_norm(found.hidden[-1 - left_out]), original.states(words, left_out)) < CLOSE
        assert apart(found.pooled, original.pooled(words)) < CLOSE
