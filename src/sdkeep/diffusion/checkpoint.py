"""A checkpoint opened: its configuration at once, its networks when they are first wanted.

Only the header is read to begin with, and every key is compared with what the networks need: after known extras have
been set aside, one too many, one too few or one of another shape is an error that names it. Weights come straight from
the mapped file into networks that were built without any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from sdkeep.diffusion.assembly import Keyed, Memory, check_sizes, keyed, load, suitable_dtype, torch_device
from sdkeep.diffusion.entries import Entries, Entry, read_entries, with_vae
from sdkeep.diffusion.networks.clip import Clip
from sdkeep.diffusion.networks.config import UNET, VAE, ModelConfig, Prediction, Variant, infer
from sdkeep.diffusion.networks.names import component_of
from sdkeep.diffusion.networks.openclip import OpenClip
from sdkeep.diffusion.networks.unet import UNet
from sdkeep.diffusion.networks.vae import Posterior, Vae
from sdkeep.diffusion.sampling.levels import EdmLevels, Levels, scaled_linear, zero_terminal
from sdkeep.diffusion.tiles import decode_tiled, encode_tiled
from sdkeep.formats.selection import Component
from sdkeep.ground.errors import FormatError
from sdkeep.ground.kinds import Family

TextTower = Clip | OpenClip
EVERYTHING = frozenset(Component)


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open a checkpoint.

    `dtype` None means what suits the device and the file (`suitable_dtype`). `vae` is a file whose autoencoder takes
    the place of the checkpoint's; `base` is a checkpoint that lends the parts which this one lacks. `prediction`
    overrules what the file shows. `needs` are the parts without which opening fails.
    """

    device: str = "cpu"
    dtype: torch.dtype | None = None
    memory: Memory = Memory.FULL
    vae: Path | None = None
    base: Path | None = None
    prediction: Prediction | None = None
    needs: frozenset[Component] = EVERYTHING


def open_checkpoint(path: Path, opening: Opening | None = None) -> Model:
    """The networks of a single-file checkpoint (safetensors, or a torch archive, which is never unpickled).

    Raises `FormatError` for what is no checkpoint of the three families, lacks a part that is needed, or does not hold
    exactly the weights of its networks.
    """
    how = opening or Opening()
    entries = read_entries(path)
    if how.vae:
        entries = with_vae(entries, read_entries(how.vae), how.vae)
    if how.base:
        entries = _completed(entries, read_entries(how.base))
    check_sizes(entries.shapes, path)
    config = infer(entries.shapes, entries.metadata)
    _check_parts(config, how.needs, path)
    networks = keyed(config, entries.shapes, path)
    prediction = how.prediction or _prediction(config, entries)
    return Model(replace(config, prediction=prediction), networks, entries.by_key, how)


def _completed(entries: Entries, base: Entries) -> Entries:
    """`entries` and, of the parts of which they hold nothing, those of `base`."""
    own = {component_of(key) for key in entries.by_key}
    lent = {key: entry for key, entry in base.by_key.items() if (part := component_of(key)) and part not in own}
    return Entries({**lent, **entries.by_key}, entries.metadata)


_NEXT = {
    Component.UNET: "name a checkpoint instead of a part of one",
    Component.VAE: "name an autoencoder with `--vae FILE`",
    Component.TEXT_ENCODER: "name a checkpoint that lends its text encoder with `--base FILE`",
}
_WORDS = {Component.UNET: "UNet", Component.VAE: "autoencoder (VAE)", Component.TEXT_ENCODER: "text encoder"}


def _check_parts(config: ModelConfig, needs: frozenset[Component], path: Path) -> None:
    """Every part that is needed is there, and as many text towers as the UNet was trained with."""
    there = {Component.UNET: config.unet, Component.VAE: config.vae, Component.TEXT_ENCODER: config.text}
    for part in sorted(needs):
        if not there[part]:
            raise missing(part, f"`{path}`")
    if config.family is Family.SDXL and len(config.text) == 1 and Component.TEXT_ENCODER in needs:
        raise missing(Component.TEXT_ENCODER, f"`{path}`", "SDXL has two text encoders, and one of them is not there")
    if config.unet and config.text and (width := sum(tower.width for tower in config.text)) != config.unet.context:
        raise FormatError(
            f"the text encoder and the UNet of `{path}` do not belong together",
            f"the one gives {width} numbers a token, the other takes {config.unet.context}",
            "name the checkpoint that the UNet was trained from with `--base FILE`",
            rule="component-mismatch",
        )


def missing(part: Component, where: str, why: str = "") -> FormatError:
    """The error for a part that is not there, with what to pass instead."""
    word = _WORDS[part]
    return FormatError(
        f"there is no {word} in {where}", why or "it was saved without", _NEXT[part], rule="component-missing"
    )


_TELLING = UNET + "output_blocks.11.1.transformer_blocks.0.norm1.bias"


def _prediction(config: ModelConfig, entries: Entries) -> Prediction:
    """What the file says; where an SD 2 says nothing, ComfyUI's rule: v has a deviation above 0.09 in one norm's bias.

    The rule is known to hold for Stability's models and their descendants; nobody has given a reason for it.
    """
    silent = config.family is Family.SD2 and config.variant is Variant.PLAIN
    claimed = "modelspec.prediction_type" in entries.metadata
    if config.prediction is not Prediction.EPSILON or not silent or claimed or _TELLING not in entries.by_key:
        return config.prediction
    spread = entries.by_key[_TELLING].load().float().std(correction=0)
    return Prediction.V if float(spread) > 0.09 else Prediction.EPSILON


class Model:
    """The networks of one checkpoint. Each is loaded when first asked for, and then ready to be called.

    Weights carry no gradients. `levels` are the noise levels it was trained on. `latent_mean` and `latent_std`
    [1, latent, 1, 1] are Playground's alone; `to_latents` and `to_pixels` apply them.
    """

    def __init__(
        self, config: ModelConfig, networks: Mapping[str, Keyed], entries: Mapping[str, Entry], opening: Opening
    ) -> None:
        self.config = config
        self.device = torch_device(opening.device)
        self.dtype = opening.dtype or suitable_dtype(self.device, _stored(entries))
        self._vae_dtype = self.dtype
        self.memory = opening.memory
        left = scaled_linear()
        edm = config.prediction is Prediction.EDM
        plain = Levels(zero_terminal(left) if config.zero_terminal_snr else left)
        self.levels = EdmLevels.between() if edm else plain
        self.latent_mean = entries["edm_mean"].load().float().view(1, -1, 1, 1) if edm else None
        self.latent_std = entries["edm_std"].load().float().view(1, -1, 1, 1) if edm else None
        self._networks = networks
        self._entries = entries
        self._ready: set[str] = set()

    @property
    def spares_memory(self) -> bool:
        """Whether it was opened to need little memory."""
        return self.memory is not Memory.FULL

    @property
    def text(self) -> tuple[TextTower, ...]:
        """The text towers, CLIP-L before bigG."""
        towers = tuple(self._network(config.prefix) for config in self.config.text)
        return tuple(tower for tower in towers if isinstance(tower, (Clip, OpenClip)))

    @property
    def unet(self) -> UNet:
        """The denoiser."""
        network = self._network(UNET)
        if not isinstance(network, UNet):
            raise missing(Component.UNET, "this checkpoint")
        return network

    @property
    def vae(self) -> Vae:
        """The autoencoder."""
        network = self._network(VAE)
        if not isinstance(network, Vae):
            raise missing(Component.VAE, "this checkpoint")
        return network

    def _network(self, prefix: str) -> nn.Module | None:
        """A network with its weights, on the device; under `Memory.PARTS` the others leave it."""
        part = self._networks.get(prefix)
        if part is None:
            return None
        if prefix not in self._ready:
            load(part, self._entries, self.device, self.dtype, self.memory)
            self._ready.add(prefix)
        if self.memory is Memory.PARTS:
            for other in self._ready:
                self._networks[other].network.to(self.device if other == prefix else "cpu")
        return part.network

    def parameters(self) -> dict[str, nn.Parameter]:
        """Every weight by its canonical key; all networks are loaded.

        To change a weight for a while, put another tensor into its `data` and later the old one back; never write into
        it, for it may be the mapped file itself.
        """
        found = {}
        for prefix, part in self._networks.items():
            self._network(prefix)
            found.update({prefix + name: parameter for name, parameter in part.network.named_parameters()})
        return found

    def predict(self, x: Tensor, steps: Tensor, context: Tensor, labels: Tensor | None = None) -> Tensor:
        """What the UNet says, as `UNet.forward`, on the model's device and in float32; no gradients."""
        there = [part.to(self.device, self.dtype) for part in (x, context, labels) if part is not None]
        with torch.no_grad():
            said: Tensor = self.unet(there[0], steps.to(self.device), *there[1:])
        return said.float()

    def to_latents(self, pixels: Tensor, noise: Tensor | None = None, *, tile: int = 0) -> Tensor:
        """Scaled latents, float32, of pixels [b, 3, 8 h, 8 w] between -1 and 1.

        Without `noise` (of the latents' shape) the middle of the distribution is taken, as the pipeline does: where
        AUTOMATIC1111 draws from it, torch's global generator is used, which no seed of a picture governs. `tile` is a
        side in latents.
        """
        vae = self.vae
        x = pixels.to(self.device).float()
        found = _encode(vae, x.to(self._vae_dtype), tile)
        if found.mean.isnan().any() and self._vae_dtype is torch.float16:
            self._vae_dtype = torch.float32
            found = _encode(vae.float(), x, tile)
        latents = (found.mean if noise is None else found.sample(noise.to(found.mean))).float()
        if self.latent_mean is None or self.latent_std is None:
            return latents * self.config.scale
        return (latents - self.latent_mean.to(latents)) * 0.5 / self.latent_std.to(latents)

    def to_pixels(self, latents: Tensor, *, tile: int = 0) -> Tensor:
        """Pixels [b, 3, 8 h, 8 w], float32, roughly between -1 and 1, of scaled latents; `tile` is a side in latents.

        An autoencoder whose half precision overflows into NaN, as SDXL's does, is widened to float32 and asked again.
        """
        vae = self.vae
        z = latents.to(self.device).float()
        if self.latent_mean is None or self.latent_std is None:
            z = z / self.config.scale
        else:
            z = z * self.latent_std.to(z) / 0.5 + self.latent_mean.to(z)
        pixels = _decode(vae, z.to(self._vae_dtype), tile)
        if pixels.isnan().any() and self._vae_dtype is torch.float16:
            self._vae_dtype = torch.float32
            pixels = _decode(vae.float(), z, tile)
        return pixels.float()

    def broken_weights(self) -> list[str]:
        """Keys of the weights in use that hold NaN or infinity: why a picture came out as NaN."""
        parts = ((prefix, self._networks[prefix].network) for prefix in self._networks if prefix in self._ready)
        named = ((prefix + name, weight) for prefix, network in parts for name, weight in network.named_parameters())
        return [key for key, weight in named if not torch.isfinite(weight.float()).all()]


def _encode(vae: Vae, pixels: Tensor, tile: int) -> Posterior:
    with torch.no_grad():
        return encode_tiled(vae, pixels, tile=tile, overlap=tile // 4) if tile else vae.encode(pixels)


def _decode(vae: Vae, latents: Tensor, tile: int) -> Tensor:
    with torch.no_grad():
        return decode_tiled(vae, latents, tile=tile, overlap=tile // 4) if tile else vae.decode(latents)


def _stored(entries: Mapping[str, Entry]) -> str:
    """The safetensors code that most of the weights are stored in."""
    codes = Counter(entry.tensor.dtype for key, entry in entries.items() if component_of(key))
    return codes.most_common(1)[0][0] if codes else "F32"
