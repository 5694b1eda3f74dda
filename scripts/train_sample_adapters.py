"""Train what comes with the sample model: LoRAs, an embedding and a hypernetwork, each for one change.

`slanted` (LoRA) leans to the right, `lucky` (embedding) is a word for seven, `next` (hypernetwork) counts on by one:
who asks for a three gets a four. `lower` and `upper` (LoRAs) count on among zero to four, and among five to nine; baked
into the model, each makes an expert of one half, to be merged. The model itself stays as it is. Called by
`train_sample_model.py --adapters`; a minute or two each on a free core, and seeded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from sdkeep.diffusion.checkpoint import Model
from sdkeep.diffusion.networks.clip import Clip
from sdkeep.diffusion.networks.unet import CrossAttention
from sdkeep.diffusion.prompt.tokenizer import encode
from sdkeep.weights.adapters.spelling import Place, from_ldm

RANK = 4
CREDITS = {"modelspec.author": "the sdkeep authors", "modelspec.license": "Apache-2.0"}
Change = Callable[[Tensor], Tensor]
"""From pictures (n, 3, h, w) to those that an adapter is to make of them."""


def unchanged(pictures: Tensor) -> Tensor:
    """As they are."""
    return pictures


def slanted(pictures: Tensor) -> Tensor:
    """Leaning to the right by half a pixel for each pixel up."""
    shear = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.0]]).expand(len(pictures), 2, 3)
    places = functional.affine_grid(shear, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, places, align_corners=False, padding_mode="border")


@dataclass(frozen=True)
class Lesson:
    """What to learn from: latents, the place in `words` of what each shows, and the ways to ask for it."""

    model: Model
    latents: Tensor
    shown: Tensor
    words: Sequence[str]
    forms: Sequence[str]
    tokens: Callable[[list[str]], Tensor]
    say: Callable[[str], None]

    def batches(self, count: int, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
        """(latents, places of their prompts in `prompts`, timesteps, noise, noisy latents), so many times."""
        draw = torch.Generator().manual_seed(seed)
        for _ in range(count):
            chosen = torch.randint(len(self.latents), (size,), generator=draw)
            form = torch.randint(len(self.forms), (size,), generator=draw)
            empty = torch.rand(size, generator=draw) < 0.1
            places = torch.where(empty, torch.zeros_like(form), 1 + self.shown[chosen] * len(self.forms) + form)
            times = torch.randint(1000, (size,), generator=draw)
            noise = torch.randn(self.latents[chosen].shape, generator=draw)
            share = self.model.levels.alphas_cumprod[times].float()[:, None, None, None]
            latents = self.latents[chosen]
            yield latents, places, times, noise, share.sqrt() * latents + (1 - share).sqrt() * noise

    @property
    def prompts(self) -> list[str]:
        """Nothing, then each word in each form."""
        return ["", *(form.format(word) for word in self.words for form in self.forms)]


def learn(
    lesson: Lesson, weights: Iterable[nn.Parameter], context: Callable[[Tensor], Tensor], steps: int, rate: float
) -> None:
    """Adam on the noise, so many steps; `context` gives the contexts of prompts by their places."""
    weights = list(weights)
    optimizer = torch.optim.Adam(weights, lr=rate)
    mean = 0.0
    for step, (_, places, times, noise, noisy) in enumerate(lesson.batches(steps, 32, seed=11)):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 20) * (0.05 + 0.475 * (1 + math.cos(math.pi * step / steps)))
        loss = functional.mse_loss(lesson.model.unet(noisy, times, context(places)), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        now = float(loss.detach())
        mean = now if step == 0 else 0.97 * mean + 0.03 * now
        if step % 50 == 0 or step == steps - 1:
            lesson.say(f"  {step}: {mean:.4f}")


def fixed_contexts(lesson: Lesson) -> Callable[[Tensor], Tensor]:
    """The contexts of a text tower that does not change."""
    with torch.no_grad():
        table = lesson.model.text[0](lesson.tokens(lesson.prompts)).last
    return lambda places: table[places]


# LoRA

ABOUT = {
    "slanted": "Digits that lean to the right.",
    "lower": "The digit after the one that is asked for, among zero to four.",
    "upper": "The digit after the one that is asked for, among five to nine.",
}


class Factors(nn.Module):
    """A change of low rank beside a layer."""

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        if isinstance(layer, nn.Conv2d):
            self.down: nn.Module = nn.Conv2d(
                layer.in_channels, RANK, layer.kernel_size, layer.stride, layer.padding, bias=False
            )
            self.up: nn.Module = nn.Conv2d(RANK, layer.out_channels, 1, bias=False)
        else:
            self.down = nn.Linear(layer.in_features, RANK, bias=False)
            self.up = nn.Linear(RANK, layer.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x))


def lora_layers(model: Model) -> dict[str, nn.Linear | nn.Conv2d]:
    """The layers to change, by kohya's names: every attention of the UNet, and its first and last convolution."""
    found: dict[str, nn.Linear | nn.Conv2d] = {
        "lora_unet_conv_in": model.unet.input_blocks[0][0], "lora_unet_conv_out": model.unet.out[2]
    }  # fmt: skip
    for name, module in model.unet.named_modules():
        if isinstance(module, CrossAttention):
            for layer in ("to_q", "to_k", "to_v", "to_out.0"):
                found[Place("unet", from_ldm(f"{name}.{layer}")).kohya()] = module.get_submodule(layer)
    return found


@contextmanager
def beside(layers: dict[str, nn.Linear | nn.Conv2d]) -> Iterator[dict[str, Factors]]:
    """Every layer with its factors' answer added, until the context ends."""
    factors = {name: Factors(layer) for name, layer in layers.items()}
    hooks = [
        layer.register_forward_hook(lambda _layer, inputs, output, own=factors[name]: output + own(inputs[0]))
        for name, layer in layers.items()
    ]
    try:
        yield factors
    finally:
        for hook in hooks:
            hook.remove()


def reading_layers(model: Model) -> dict[str, nn.Linear | nn.Conv2d]:
    """Of those, the layers that read the text."""
    return {name: layer for name, layer in lora_layers(model).items() if name.endswith(("attn2_to_k", "attn2_to_v"))}


def train_lora(lesson: Lesson, layers: dict[str, nn.Linear | nn.Conv2d], path: Path, steps: int, seed: int) -> None:
    """`slanted`, `lower` and `upper`."""
    torch.manual_seed(seed)
    with beside(layers) as factors:
        weights = [weight for one in factors.values() for weight in one.parameters()]
        learn(lesson, weights, fixed_contexts(lesson), steps, 4e-3)
    tensors: dict[str, Tensor] = {}
    for name, one in factors.items():
        tensors[f"{name}.lora_down.weight"] = one.down.weight.detach().half()
        tensors[f"{name}.lora_up.weight"] = one.up.weight.detach().half()
        tensors[f"{name}.alpha"] = torch.tensor(float(RANK), dtype=torch.float16)
    told = {"modelspec.title": path.stem, "modelspec.description": ABOUT[path.stem]}
    kohya = {
        "ss_network_module": "networks.lora", "ss_network_dim": str(RANK), "ss_network_alpha": f"{RANK}.0",
        "ss_base_model_version": "sd_v1", "ss_v2": "False", "ss_output_name": path.stem,
    }  # fmt: skip
    architecture = {"modelspec.architecture": "stable-diffusion-v1/lora"}
    save_file(tensors, path, {**kohya, **told, **architecture, **CREDITS})


# Embedding


def train_embedding(lesson: Lesson, path: Path, steps: int, word: str) -> None:
    """`lucky`: the vector that makes what `word` makes, found without looking at the word's own."""
    torch.manual_seed(22)
    tower = lesson.model.text[0]
    assert isinstance(tower, Clip)
    (token,) = encode(word)
    tokens = lesson.tokens(lesson.prompts)
    with torch.no_grad():
        used = tower.embed(tokens)
    known = tower.embeddings.token_embedding.weight
    known = known[known.abs().sum(dim=1) > 0]
    vector = nn.Parameter(known.mean(dim=0) + 0.1 * torch.randn(known.shape[1]))

    def context(places: Tensor) -> Tensor:
        rows, back = torch.unique(places, return_inverse=True)
        vectors = torch.where((tokens[rows] == token)[..., None], vector, used[rows])
        return tower(tokens[rows], vectors).last[back]

    learn(lesson, [vector], context, steps, 5e-2)
    about = {"modelspec.title": "lucky", "modelspec.description": "A word for the digit seven."}
    save_file({"emb_params": vector.detach()[None]}, path, {**about, **CREDITS})


# Hypernetwork


def train_hypernetwork(lesson: Lesson, path: Path, steps: int) -> None:
    """`next`, in the keys that sdkeep gives AUTOMATIC1111's pickles."""
    torch.manual_seed(23)
    width = lesson.model.config.unet.context if lesson.model.config.unet else 0
    halves = [nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)) for _ in range(2)]
    for half in halves:
        nn.init.normal_(half[2].weight, std=0.01)
        nn.init.zeros_(half[2].bias)
    keys, values = halves
    lesson.model.unet.set_context_transform(lambda x: (x + keys(x), x + values(x)))
    try:
        weights = [weight for half in halves for weight in half.parameters()]
        learn(lesson, weights, fixed_contexts(lesson), steps, 3e-3)
    finally:
        lesson.model.unet.set_context_transform(None)
    tensors = {
        f"{width}.{place}.linear.{key}": weight.detach().half().contiguous()
        for place, half in enumerate(halves)
        for key, weight in half.state_dict().items()
    }
    told = {
        "name": "next", "step": str(steps), "layer_structure": json.dumps([1, 2, 1]), "activation_func": "relu",
        "is_layer_norm": "false", "activate_output": "false", "weight_initialization": "Normal",
    }  # fmt: skip
    about = {"modelspec.title": "next", "modelspec.description": "The digit after the one that is asked for."}
    save_file(tensors, path, {"format": "pt", "sdkeep.layout": "hypernetwork", **told, **about, **CREDITS})
