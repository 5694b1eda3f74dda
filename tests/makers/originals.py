"""CompVis' and Stability's original latent-diffusion code, as the package stable-diffusion-sdkit carries it."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.makers.ldmkeys import Weights

UNET, VAE = "model.diffusion_model.", "first_stage_model."
LARGE = {"model_channels": 64, "channel_mult": (1, 2, 2), "num_head_channels": 64, "use_linear_in_transformer": True}
SHAPES: Mapping[str, dict[str, Any]] = {
    "sd1": {"model_channels": 32, "channel_mult": (1, 2, 4), "num_heads": 8, "attention_resolutions": (1, 2)},
    "sd2": {**LARGE, "attention_resolutions": (1, 2)},
    "sdxl": {**LARGE, "attention_resolutions": (2, 4)},
    "sdxl-refiner": {**LARGE, "attention_resolutions": (2, 4)},
}


@contextlib.contextmanager
def stand_ins() -> Iterator[None]:
    """Empty modules for what the original imports only to look at its type, or for other models."""
    configurations = types.ModuleType("omegaconf.listconfig")
    configurations.ListConfig = tuple  # type: ignore[attr-defined]
    empty = {word: types.ModuleType(word) for word in ("omegaconf", "open_clip")}
    with pytest.MonkeyPatch.context() as patch:
        for word, module in {**empty, "omegaconf.listconfig": configurations}.items():
            patch.setitem(sys.modules, word, module)
        yield


def ldm(name: str) -> types.ModuleType:
    """A module of `ldm`."""
    with stand_ins(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"ldm.{name}")


def below(weights: Weights, prefix: str) -> Weights:
    """The weights of a part, by their names in it."""
    return {key.removeprefix(prefix): weight for key, weight in weights.items() if key.startswith(prefix)}


@stand_ins()
def original_unet(family: str, weights: Weights, context: int, channels: int = 4) -> nn.Module:
    """The UNet; Stability's additions for SDXL (size conditions, depths by level) are made of its parts."""
    attention = ldm("modules.attention")
    network = ldm("modules.diffusionmodules.openaimodel").UNetModel(
        image_size=16,
        in_channels=channels,
        out_channels=4,
        num_res_blocks=2,
        use_spatial_transformer=True,
        context_dim=context,
        legacy=False,
        **SHAPES[family],
    )
    for name, module in network.named_modules():
        if isinstance(module, attention.SpatialTransformer):
            width, heads = module.in_channels, module.transformer_blocks[0].attn1.heads
            stem = f"{name}.transformer_blocks."
            depth = sum(key.startswith(stem) and key.endswith("norm1.weight") for key in weights)
            module.transformer_blocks = nn.ModuleList(
                attention.BasicTransformerBlock(width, heads, width // heads, context_dim=context, checkpoint=False)
                for _ in range(depth)
            )
    if "label_emb.0.0.weight" in weights:
        steps, labels = weights["label_emb.0.0.weight"].shape
        network.num_classes = "sequential"
        network.label_emb = nn.Sequential(nn.Sequential(nn.Linear(labels, steps), nn.SiLU(), nn.Linear(steps, steps)))
    network.load_state_dict(weights, strict=True)
    return network.eval()


def original_half(part: str, weights: Weights) -> nn.Module:
    """The autoencoder's `encoder` or `decoder`."""
    made = getattr(ldm("modules.diffusionmodules.model"), part.capitalize())(
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
    made.load_state_dict(below(weights, f"{VAE}{part}."), strict=True)
    return made.eval()


class _Block(nn.Module):
    """A block as OpenCLIP's own code builds it, on `nn.MultiheadAttention`."""

    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, hidden), "c_proj": nn.Linear(hidden, width)})

    def forward(self, x: Tensor, attn_mask: Tensor) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, attn_mask=attn_mask, need_weights=False)[0]
        return x + self.mlp["c_proj"](nn.functional.gelu(self.mlp["c_fc"](self.ln_2(x))))


class OpenClipByTorch(nn.Module):
    """OpenCLIP's text tower of torch's own parts, under its keys; what `FrozenOpenCLIPEmbedder` of `ldm` works on."""

    def __init__(self, weights: Weights, heads: int) -> None:
        super().__init__()
        vocab, width = weights["token_embedding.weight"].shape
        length, hidden = len(weights["positional_embedding"]), len(weights["transformer.resblocks.0.mlp.c_fc.weight"])
        layers = sum(key.endswith(".ln_1.weight") for key in weights)
        self.token_embedding = nn.Embedding(vocab, width)
        self.positional_embedding = nn.Parameter(torch.empty(length, width))
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(_Block(width, hidden, heads) for _ in range(layers))
        self.transformer.grad_checkpointing = False  # type: ignore[assignment]
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(weights["text_projection"].shape))
        self.register_buffer("attn_mask", torch.full((length, length), float("-inf")).triu(1), persistent=False)
        self.load_state_dict(weights, strict=True)
        self.eval()

    @torch.no_grad()
    def states(self, tokens: Tensor, left_out: int) -> Tensor:
        """What `ldm` makes of tokens with the last `left_out` blocks left out, behind the last norm."""
        embedder = ldm("modules.encoders.modules").FrozenOpenCLIPEmbedder
        forward = embedder.text_transformer_forward
        frozen = types.SimpleNamespace(model=self, layer_idx=left_out)
        frozen.text_transformer_forward = lambda x, attn_mask: forward(frozen, x, attn_mask)
        return embedder.encode_with_transformer(frozen, tokens)

    @torch.no_grad()
    def pooled(self, tokens: Tensor) -> Tensor:
        """The state at the end token, projected."""
        return self.states(tokens, 0)[range(len(tokens)), tokens.argmax(dim=-1)] @ self.text_projection


class Original:
    """As much of `LatentDiffusion` as its samplers use. `parameterization` is `eps` or `v`."""

    num_timesteps = 1000
    device = torch.device("cpu")

    def __init__(self, unet: nn.Module, parameterization: str = "eps") -> None:
        util = ldm("modules.diffusionmodules.util")
        self.unet, self.parameterization = unet, parameterization
        self.betas = torch.tensor(util.make_beta_schedule("linear", 1000, linear_start=0.00085, linear_end=0.012))
        self.alphas_cumprod = torch.cumprod(1 - self.betas, dim=0).float()
        self.alphas_cumprod_prev = torch.cat([torch.ones(1), self.alphas_cumprod[:-1]])

    def apply_model(self, x: Tensor, steps: Tensor, context: Tensor) -> Tensor:
        return self.unet(x, steps, context)

    def _shares(self, steps: Tensor) -> tuple[Tensor, Tensor]:
        alpha = self.alphas_cumprod[steps][:, None, None, None]
        return alpha.sqrt(), (1 - alpha).sqrt()

    def predict_eps_from_z_and_v(self, x: Tensor, steps: Tensor, v: Tensor) -> Tensor:
        signal, noise = self._shares(steps)
        return signal * v + noise * x

    def predict_start_from_z_and_v(self, x: Tensor, steps: Tensor, v: Tensor) -> Tensor:
        signal, noise = self._shares(steps)
        return signal * x - noise * v

    @torch.no_grad()
    def sampled(self, sampler: str, steps: int, noise: Tensor, texts: tuple[Tensor, Tensor], cfg: float) -> dict:
        """Every latent on the way (`x_inter`) and what each was seen as (`pred_x0`), by `ddim` or `plms`."""
        kind = getattr(ldm(f"models.diffusion.{sampler}"), f"{sampler.upper()}Sampler")
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return kind(self).sample(
                steps, len(noise), tuple(noise.shape[1:]), texts[0], x_T=noise, log_every_t=1, verbose=False,
                unconditional_guidance_scale=cfg, unconditional_conditioning=texts[1],
            )[1]  # fmt: skip
