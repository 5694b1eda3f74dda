"""Train the sample model that sdkeep ships: Stable Diffusion in small, in SD 1.x's own keys, on handwritten digits.

    python scripts/train_sample_model.py [--out FOLDER] [--hurry]
    python scripts/train_sample_model.py --adapters [--out FOLDER] [--hurry]

The data are the 1,797 pictures of 8x8 that scikit-learn carries (UCI ML, public), drawn at 32x32. The recipe is that
of the large ones: an autoencoder; then a denoiser and a text tower on its latents, with one prompt in ten left empty
for classifier-free guidance. Everything is seeded; a run takes about ten minutes on two cores. `--hurry` trains a few
steps, to see that the script works. `--adapters` trains, on the model in the folder, what comes with it
(`train_sample_adapters.py`).
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import train_sample_adapters as adapters
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from sdkeep.diffusion.checkpoint import Opening, open_checkpoint
from sdkeep.diffusion.networks.clip import Clip
from sdkeep.diffusion.networks.config import ClipConfig, UNetConfig, VaeConfig
from sdkeep.diffusion.networks.unet import UNet
from sdkeep.diffusion.networks.vae import Vae
from sdkeep.diffusion.prompt.tokenizer import END, START, encode
from sdkeep.diffusion.sampling.levels import scaled_linear

SIDE = 32
SCALE = 0.18215
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PROMPTS = ("a photo of a {}", "{}", "a handwritten digit {}", "the number {}", "a picture of the digit {}")
TOWER = "cond_stage_model.transformer.text_model."
CLIP = ClipConfig(TOWER, width=64, hidden=256, layers=2, heads=1)
UNET = UNetConfig(
    width=64, mults=(1, 1), res_blocks=(2, 2), depths=(1,) * 4, depth_middle=1, depths_out=(1,) * 6, context=64
)
VAE = VaeConfig(width=32, mults=(1, 1, 2, 2), res_blocks=1)


@dataclass(frozen=True)
class Data:
    """Pictures (n, 3, 32, 32) between -1 and 1, and what digit each is."""

    pictures: Tensor
    digits: Tensor


def digits_data(seed: int = 0, copies: int = 4) -> Data:
    """Digits drawn at 24x24 inside 32x32, each a few times at slightly other places; white on black."""
    bunch = load_digits()
    small = torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 16  # (n, 1, 8, 8)
    large = functional.interpolate(small, size=(24, 24), mode="bicubic", align_corners=False).clamp(0, 1)
    generator = torch.Generator().manual_seed(seed)
    placed = []
    for _ in range(copies):
        shifts = torch.randint(2, 7, (len(large), 2), generator=generator)
        canvas = torch.zeros(len(large), 1, SIDE, SIDE)
        for place, (top, left) in enumerate(shifts.tolist()):
            canvas[place, :, top : top + 24, left : left + 24] = large[place]
        placed.append(canvas)
    pictures = torch.cat(placed).repeat(1, 3, 1, 1) * 2 - 1
    return Data(pictures, torch.tensor(np.tile(bunch.target, copies)))


def tokens_of(prompts: list[str]) -> Tensor:
    """(n, 77): start, the words, end, and ends up to the full length."""
    rows = [[START, *encode(prompt)[:75], END] for prompt in prompts]
    return torch.tensor([row + [END] * (77 - len(row)) for row in rows])


def vocabulary() -> list[int]:
    """Every token that a prompt of the training can hold; all others keep a vector of zeros."""
    texts = [form.format(word) for form in PROMPTS for word in WORDS] + ["of or in on with an is and 0123456789, ."]
    return sorted({token for text in texts for token in encode(text)} | {START, END})


def train_vae(data: Data, steps: int, seed: int) -> Vae:
    """The autoencoder: squared error, and a hint of the Gaussian."""
    torch.manual_seed(seed)
    vae = Vae(VAE)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=2e-3, weight_decay=0.0, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        _warm(optimizer, 2e-3, step, steps)
        batch = data.pictures[torch.randint(len(data.pictures), (16,), generator=generator)]
        posterior = vae.encode(batch)
        latents = posterior.sample(torch.randn(posterior.mean.shape, generator=generator))
        divergence = 0.5 * (posterior.mean**2 + posterior.std**2 - 1 - 2 * posterior.std.log()).mean()
        loss = functional.mse_loss(vae.decode(latents), batch) + 1e-4 * divergence
        _step(optimizer, loss, vae)
        if step % 50 == 0 or step == steps - 1:
            _say(f"autoencoder {step}: {float(loss):.4f}")
    vae.requires_grad_(False)
    with torch.no_grad():
        means = torch.cat([vae.encode(part).mean for part in data.pictures[:1024].split(64)])
    _fold_scale(vae, float(means.std()))
    return vae


def _fold_scale(vae: Vae, deviation: float) -> None:
    """Let latents have deviation 1 / 0.18215, so that SD's constant makes it 1."""
    factor = 1 / (SCALE * deviation)
    latent = VAE.latent
    vae.quant_conv.weight.data[:latent] *= factor
    vae.quant_conv.bias.data[:latent] *= factor
    vae.quant_conv.bias.data[latent:] += 2 * np.log(factor)
    vae.post_quant_conv.weight.data /= factor


def _warm(optimizer: torch.optim.Optimizer, rate: float, step: int, steps: int) -> None:
    """A short warm-up, then a cosine down to a twentieth."""
    share = min(1.0, (step + 1) / 50) * (0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * step / steps)))
    for group in optimizer.param_groups:
        group["lr"] = rate * share


def _step(optimizer: torch.optim.Optimizer, loss: Tensor, *networks: nn.Module) -> None:
    optimizer.zero_grad()
    loss.backward()
    for network in networks:
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()


@dataclass
class Trained:
    """The three networks."""

    text: Clip
    unet: UNet
    vae: Vae


def new_text_tower(seed: int) -> Clip:
    """A tower whose vectors are random for the words in use, zero for the rest, and stay as they are."""
    torch.manual_seed(seed)
    text = Clip(CLIP)
    table = text.embeddings.token_embedding
    used = vocabulary()
    vectors = torch.zeros_like(table.weight)
    vectors[used] = torch.randn(len(used), CLIP.width) * 0.5
    table.weight.data = vectors
    table.requires_grad_(False)
    nn.init.normal_(text.embeddings.position_embedding.weight, std=0.02)
    return text


@torch.no_grad()
def latents_of(vae: Vae, data: Data) -> Tensor:
    """(n, 4, 4, 4) scaled latents."""
    return torch.cat([vae.encode(part).mean for part in data.pictures.split(128)]) * SCALE


def train_denoiser(
    trained: Trained, latents: Tensor, digits: Tensor, steps: int, seed: int, rate: float = 1.5e-3
) -> None:
    """Predict the noise; the text tower learns along. The networks end as the running mean of the last weights."""
    alphas = scaled_linear()
    generator = torch.Generator().manual_seed(seed)
    networks = nn.ModuleList([trained.unet, trained.text])
    mean = copy.deepcopy(networks).requires_grad_(False)
    wanted = [parameter for parameter in networks.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(wanted, lr=rate, weight_decay=1e-2, fused=True)
    all_prompts = ["", *(form.format(word) for word in WORDS for form in PROMPTS)]
    all_tokens = tokens_of(all_prompts)
    for step in range(steps):
        _warm(optimizer, rate, step, steps)
        chosen = torch.randint(len(latents), (64,), generator=generator)
        form = torch.randint(len(PROMPTS), (64,), generator=generator)
        empty = torch.rand(64, generator=generator) < 0.1
        prompt = torch.where(empty, torch.zeros(64, dtype=torch.long), 1 + digits[chosen] * len(PROMPTS) + form)
        distinct, back = torch.unique(prompt, return_inverse=True)
        context = trained.text(all_tokens[distinct]).last[back]
        times = torch.randint(1000, (64,), generator=generator)
        noise = torch.randn(latents[chosen].shape, generator=generator)
        share = alphas[times][:, None, None, None]
        noisy = share.sqrt() * latents[chosen] + (1 - share).sqrt() * noise
        loss = functional.mse_loss(trained.unet(noisy, times, context), noise)
        _step(optimizer, loss, networks)
        with torch.no_grad():
            keep = min(0.995, (step + 1) / (step + 10))
            for slow, fast in zip(mean.parameters(), networks.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        if step % 100 == 0 or step == steps - 1:
            _say(f"denoiser {step}: {float(loss):.4f}")
    networks.load_state_dict(mean.state_dict())


_BEGUN = time.monotonic()


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGUN:7.1f} s  {text}", flush=True)


def checkpoint(trained: Trained) -> dict[str, Tensor]:
    """All weights in half precision under SD 1.x's keys."""
    named = {
        **{f"model.diffusion_model.{key}": value for key, value in trained.unet.state_dict().items()},
        **{f"first_stage_model.{key}": value for key, value in trained.vae.state_dict().items()},
        **{TOWER + key: value for key, value in trained.text.state_dict().items()},
    }
    tensors = {key: value.detach().half().contiguous() for key, value in named.items()}
    tensors[TOWER + "embeddings.position_ids"] = torch.arange(77)[None]
    return tensors


METADATA = {
    "format": "pt",
    "modelspec.sai_model_spec": "1.0.1",
    "modelspec.architecture": "stable-diffusion-v1",
    "modelspec.title": "sdkeep digits",
    "modelspec.author": "the sdkeep authors",
    "modelspec.description": "Stable Diffusion in small: handwritten digits of 32x32, by words. A sample, and a test.",
    "modelspec.license": "Apache-2.0",
    "modelspec.resolution": "32x32",
    "modelspec.prediction_type": "epsilon",
}


def train_adapters(folder: Path, steps: int) -> None:
    """LoRAs, an embedding and a hypernetwork for the model in the folder, beside it."""
    model = open_checkpoint(folder / "digits.safetensors", Opening(dtype=torch.float32))
    data = digits_data(copies=2)

    def lesson(
        words: Sequence[str], digits: Sequence[int] = range(10), change: adapters.Change = adapters.unchanged
    ) -> adapters.Lesson:
        """`words[i]` asks for `digits[i]`, changed."""
        kept = torch.isin(data.digits, torch.tensor(digits))
        pictures = change(data.pictures[kept])
        latents = torch.cat([model.to_latents(part) for part in pictures.split(128)])
        places = torch.tensor([digits.index(digit) for digit in data.digits[kept].tolist()])
        return adapters.Lesson(model, latents, places, words, PROMPTS, tokens_of, _say)

    _say("slanted, a LoRA")
    leaning = lesson(WORDS, change=adapters.slanted)
    adapters.train_lora(leaning, adapters.lora_layers(model), folder / "slanted.safetensors", steps, 21)
    low, high = WORDS[:5], WORDS[5:]
    for name, words in (("lower", (low[-1], *low[:-1], *high)), ("upper", (*low, high[-1], *high[:-1]))):
        _say(f"{name}, a LoRA")
        layers = adapters.reading_layers(model)
        adapters.train_lora(lesson(words), layers, folder / f"{name}.safetensors", steps * 5 // 9, 25)
    _say("lucky, an embedding")
    adapters.train_embedding(lesson(("seven",), (7,)), folder / "lucky.safetensors", steps * 2 // 3, "seven")
    _say("next, a hypernetwork")
    adapters.train_hypernetwork(lesson((WORDS[-1], *WORDS[:-1])), folder / "next.safetensors", steps)
    _say("written")


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("src/sdkeep/demo/models"))
    parser.add_argument("--hurry", action="store_true")
    parser.add_argument("--adapters", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.adapters:
        train_adapters(options.out, 4 if options.hurry else 450)
        return
    data = digits_data()
    vae = train_vae(data, 4 if options.hurry else 320, seed=1)
    latents = latents_of(vae, data)
    torch.manual_seed(2)
    trained = Trained(new_text_tower(3), UNet(UNET), vae)
    _say(f"{sum(parameter.numel() for parameter in trained.unet.parameters()):,} weights in the denoiser")
    train_denoiser(trained, latents, data.digits, 4 if options.hurry else 1300, seed=4)
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(checkpoint(trained), options.out / "digits.safetensors", METADATA)
    _say(f"written {options.out / 'digits.safetensors'}")


if __name__ == "__main__":
    main()
