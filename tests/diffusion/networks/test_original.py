"""Our networks against the original latent-diffusion code, which loads the same file's keys as they are."""

from __future__ import annotations

import sys
import types
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from sdkeep.diffusion.checkpoint import Model, open_checkpoint
from tests.makers.ldmkeys import Weights
from tests.makers.tinymodels import save, tiny

pytest.importorskip("ldm", reason="the package stable-diffusion-sdkit carries the original code")

CLOSE = 1e-5
UNET = "model.diffusion_model."


@pytest.fixture(autouse=True)
def _configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The original asks whether its arguments came out of an OmegaConf file."""
    module = types.ModuleType("omegaconf.listconfig")
    module.ListConfig = tuple  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
    monkeypatch.setitem(sys.modules, "omegaconf.listconfig", module)


def below(weights: Weights, prefix: str) -> Weights:
    return {key.removeprefix(prefix): weight for key, weight in weights.items() if key.startswith(prefix)}


def opened(tmp_path: Path, family: str) -> tuple[Weights, Model]:
    weights = tiny(family).weights()
    return weights, open_checkpoint(save(tmp_path / "tiny.safetensors", weights))


LARGE = {"model_channels": 64, "channel_mult": (1, 2, 2), "num_head_channels": 64, "use_linear_in_transformer": True}
SHAPES = {
    "sd1": {"model_channels": 32, "channel_mult": (1, 2, 4), "num_heads": 8, "attention_resolutions": (1, 2)},
    "sd2": {**LARGE, "attention_resolutions": (1, 2)},
    "sdxl": {**LARGE, "attention_resolutions": (2, 4)},
    "sdxl-refiner": {**LARGE, "attention_resolutions": (2, 4)},
}


def original_unet(family: str, weights: Weights, context: int) -> nn.Module:
    """The original UNet; Stability's additions for SDXL (size conditions, depths by level) are made of its parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ldm.modules.attention import BasicTransformerBlock, SpatialTransformer
        from ldm.modules.diffusionmodules.openaimodel import UNetModel

    network = UNetModel(
        image_size=16,
        in_channels=4,
        out_channels=4,
        num_res_blocks=2,
        use_spatial_transformer=True,
        context_dim=context,
        legacy=False,
        **SHAPES[family],
    )
    for name, module in network.named_modules():
        if isinstance(module, SpatialTransformer):
            width, heads = module.in_channels, module.transformer_blocks[0].attn1.heads
            stem = f"{name}.transformer_blocks."
            depth = sum(key.startswith(stem) and key.endswith("norm1.weight") for key in weights)
            module.transformer_blocks = nn.ModuleList(
                BasicTransformerBlock(width, heads, width // heads, context_dim=context, checkpoint=False)
                for _ in range(depth)
            )
    if "label_emb.0.0.weight" in weights:
        steps, labels = weights["label_emb.0.0.weight"].shape
        network.num_classes = "sequential"
        network.label_emb = nn.Sequential(nn.Sequential(nn.Linear(labels, steps), nn.SiLU(), nn.Linear(steps, steps)))
    network.load_state_dict(weights, strict=True)
    return network.eval()


@pytest.mark.parametrize("family", SHAPES)
def test_the_original_unet_loads_the_file_and_predicts_the_same(tmp_path: Path, family: str) -> None:
    weights, ours = opened(tmp_path, family)
    config = ours.unet.config
    original = original_unet(family, below(weights, UNET), config.context)
    x, steps = torch.randn(2, 4, 16, 16), torch.tensor([1.0, 601.0])
    context = torch.randn(2, 77, config.context)
    labels = torch.randn(2, config.labels) if config.labels else None
    with torch.no_grad():
        theirs = original(x, steps, [context] * 4, labels)
    found = ours.predict(x, steps, context, labels)
    assert float((found - theirs).abs().max() / theirs.abs().max()) < CLOSE


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_the_original_autoencoder_loads_the_file_and_gives_the_same(tmp_path: Path, part: str) -> None:
    from ldm.modules.diffusionmodules.model import Decoder, Encoder

    weights, ours = opened(tmp_path, "sd1")
    made = {"encoder": Encoder, "decoder": Decoder}[part](
        ch=32,
        out_ch=3,
        ch_mult=(1, 2, 2),
        num_res_blocks=2,
        attn_resolutions=[],
        in_channels=3,
        resolution=32,
        z_channels=4,
        double_z=True,
    )
    made.load_state_dict(below(weights, f"first_stage_model.{part}."), strict=True)
    x = torch.randn(1, 3, 32, 32) if part == "encoder" else torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        theirs, found = made.eval()(x), getattr(ours.vae, part)(x)
    assert float((found - theirs).abs().max() / theirs.abs().max()) < CLOSE
