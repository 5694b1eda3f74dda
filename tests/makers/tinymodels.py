"""The networks of each family at tiny width by diffusers and transformers, with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tests.makers import ldmkeys
from tests.makers.ldmkeys import Weights

VOCAB = 99
"""Tokens of the tiny towers; the last is the end token, as in CLIP."""


@dataclass(frozen=True, slots=True)
class Tiny:
    """A family's networks by others; `text` are its towers in order."""

    family: str
    unet: nn.Module
    vae: nn.Module
    text: tuple[nn.Module, ...]

    def weights(self) -> Weights:
        """Everything under the keys of a single-file checkpoint."""
        if self.family == "sd1":
            towers = ldmkeys.clip(self.text[0].state_dict())
        elif self.family == "sd2":
            towers = ldmkeys.open_clip(self.text[0].state_dict())
        elif self.family == "sdxl":
            towers = ldmkeys.clip(self.text[0].state_dict(), "conditioner.embedders.0.transformer.")
            towers |= ldmkeys.open_clip(self.text[1].state_dict(), "conditioner.embedders.1.model.")
        else:
            towers = ldmkeys.open_clip(self.text[0].state_dict(), "conditioner.embedders.0.model.")
        found = ldmkeys.unet(self.unet.state_dict(), 2) | ldmkeys.vae(self.vae.state_dict(), 3) | towers
        return {key: weight.contiguous().clone() for key, weight in found.items()}


def tiny(family: str, *, channels: int = 4, seed: int = 0, vocab: int = VOCAB) -> Tiny:
    """The family's networks; `channels` are those that the UNet takes in."""
    torch.manual_seed(seed)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 64, 64),
        layers_per_block=2,
        latent_channels=4,
    )
    makers = {"sd1": _sd1, "sd2": _sd2, "sdxl": _sdxl, "sdxl-refiner": _refiner}
    unet, text = makers[family](channels, vocab)
    for network in (unet, vae, *text):
        _stir(network)
    return Tiny(family, unet.eval(), vae.eval(), tuple(tower.eval() for tower in text))


def save(path: Path, weights: Weights, metadata: dict[str, str] | None = None) -> Path:
    """A safetensors file of these weights."""
    save_file({key: weight.contiguous() for key, weight in weights.items()}, path, metadata)
    return path


def _stir(network: nn.Module) -> None:
    """Norms and biases begin at ones and zeros, which would hide a mix-up."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))


def _unet(**kind: object) -> UNet2DConditionModel:
    return UNet2DConditionModel(sample_size=16, layers_per_block=2, **kind)  # type: ignore[arg-type]


def _text(vocab: int, width: int, layers: int, act: str, projection: int = 0) -> nn.Module:
    config = CLIPTextConfig(
        vocab_size=vocab,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        max_position_embeddings=77,
        hidden_act=act,
        projection_dim=projection or width,
        eos_token_id=vocab - 1,
        bos_token_id=vocab - 2,
        pad_token_id=vocab - 1,
    )
    return CLIPTextModelWithProjection(config) if projection else CLIPTextModel(config)


def _sd1(channels: int, vocab: int) -> tuple[nn.Module, tuple[nn.Module, ...]]:
    kinds = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
    unet = _unet(
        in_channels=channels,
        block_out_channels=(32, 64, 128),
        down_block_types=kinds,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=64,
        attention_head_dim=8,
    )
    return unet, (_text(vocab, 64, 3, "quick_gelu"),)


def _sd2(channels: int, vocab: int) -> tuple[nn.Module, tuple[nn.Module, ...]]:
    unet = _unet(
        in_channels=channels,
        block_out_channels=(64, 128, 128),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=128,
        attention_head_dim=(1, 2, 2),
        use_linear_projection=True,
    )
    return unet, (_text(vocab, 128, 4, "gelu", 96),)


def _large(channels: int, context: int, labels: int, depths: tuple[int, ...]) -> nn.Module:
    return _unet(
        in_channels=channels,
        block_out_channels=(64, 128, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=context,
        attention_head_dim=(1, 2, 2),
        transformer_layers_per_block=depths,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=labels,
    )


def _sdxl(channels: int, vocab: int) -> tuple[nn.Module, tuple[nn.Module, ...]]:
    text = _text(vocab, 64, 3, "quick_gelu"), _text(vocab, 128, 4, "gelu", 96)
    return _large(channels, 192, 96 + 6 * 256, (1, 2, 3)), text


def _refiner(channels: int, vocab: int) -> tuple[nn.Module, tuple[nn.Module, ...]]:
    return _large(channels, 128, 96 + 5 * 256, (1, 4, 4)), (_text(vocab, 128, 4, "gelu", 96),)
