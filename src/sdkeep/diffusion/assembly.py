"""Networks built from a configuration, checked against the keys of a file, and given its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import torch
from torch import nn

from sdkeep.diffusion.allocation import keep_freed_memory
from sdkeep.diffusion.entries import Entry
from sdkeep.diffusion.layerwise import bring_in_layers
from sdkeep.diffusion.networks.clip import Clip
from sdkeep.diffusion.networks.config import UNET, VAE, ClipConfig, ModelConfig, Shapes
from sdkeep.diffusion.networks.names import component_of, is_extra
from sdkeep.diffusion.networks.openclip import OpenClip
from sdkeep.diffusion.networks.unet import UNet
from sdkeep.diffusion.networks.vae import Vae
from sdkeep.ground.errors import FormatError, UsageError
from sdkeep.ground.text import one_line


class Memory(StrEnum):
    """What is kept where: all networks on the device, the one at work, or of that one the layer at work."""

    FULL = "full"
    PARTS = "parts"
    LAYERS = "layers"


@dataclass(frozen=True, slots=True)
class Keyed:
    """A network and where its keys are in a checkpoint. Its weights have shapes and no numbers until it is loaded."""

    prefix: str
    network: nn.Module


def build(config: ModelConfig) -> list[Keyed]:
    """The networks of a configuration, without weights."""
    with torch.device("meta"):
        found = [
            Keyed(tower.prefix, Clip(tower) if isinstance(tower, ClipConfig) else OpenClip(tower))
            for tower in config.text
        ]
        if config.unet:
            found.append(Keyed(UNET, UNet(config.unet)))
        if config.vae:
            found.append(Keyed(VAE, Vae(config.vae)))
    return found


_LONGEST = 2**24


def check_sizes(shapes: Shapes, path: Path) -> None:
    """Raise `FormatError` (rule `key-shape`), which names the key, for a weight of no size or of one beyond reason."""
    odd = sorted(
        key
        for key, shape in shapes.items()
        if component_of(key) and not all(0 < side < _LONGEST for side in shape or (0,))
    )
    if odd:
        raise _strict(path, odd, f"has the shape {list(shapes[odd[0]])}, as no weight has", "shape")


def keyed(config: ModelConfig, shapes: Shapes, path: Path) -> dict[str, Keyed]:
    """The networks by prefix, after every key of the file was found to be theirs, a known extra, or neither.

    Raises `FormatError` (rules `key-missing`, `key-shape`, `key-unknown`), which names the first such key.
    """
    networks = {part.prefix: part for part in build(config)}
    wanted = {
        part.prefix + name: tuple(weight.shape)
        for part in networks.values()
        for name, weight in part.network.named_parameters()
    }
    absent = sorted(wanted.keys() - shapes.keys())
    if absent:
        raise _strict(path, absent, "is not in it", "missing")
    other = sorted(key for key, shape in wanted.items() if not _alike(shape, shapes[key]))
    if other:
        found, needed = list(shapes[other[0]]), list(wanted[other[0]])
        raise _strict(path, other, f"has the shape {found} where {needed} is needed", "shape")
    unknown = sorted(key for key in shapes.keys() - wanted.keys() if not is_extra(key))
    if unknown:
        raise _strict(path, unknown, "belongs to no network of this family", "unknown")
    return networks


def _strict(path: Path, keys: list[str], what: str, rule: str) -> FormatError:
    more = f", and so with {len(keys) - 1:,} more" if len(keys) > 1 else ""
    why = f"`{one_line(keys[0])}` {what}{more}"
    return FormatError(f"the weights of `{path}` do not fit", why, f"sdkeep show '{path}'", rule=f"key-{rule}")


def _alike(wanted: tuple[int, ...], found: tuple[int, ...]) -> bool:
    """Whether shapes are the same but for the 1x1 of a convolution that was saved as a linear layer, or the reverse."""
    return wanted == found or (wanted[:2] == found[:2] and set(wanted[2:] + found[2:]) == {1})


def load(part: Keyed, entries: Mapping[str, Entry], device: torch.device, dtype: torch.dtype, memory: Memory) -> None:
    """Give a network its weights.

    In their own format where they lie in the file when `memory` is `LAYERS`, else as `dtype` on `device`; a weight that
    is so already stays a view of the file.
    """
    if device.type == "cpu":
        keep_freed_memory()
    weights = {}
    for name, wanted in part.network.named_parameters():
        weight = entries[part.prefix + name].load().view(wanted.shape)
        weights[name] = weight if memory is Memory.LAYERS else weight.to(device, dtype)
    part.network.load_state_dict(weights, strict=True, assign=True)
    part.network.eval().requires_grad_(False)
    if memory is Memory.LAYERS:
        bring_in_layers(part.network, device, dtype)


def suitable_dtype(device: torch.device, stored: str) -> torch.dtype:
    """The format to work in: half precision where the processor is fast at it and the file holds no more, else float32.

    Graphics processors work in half precision whatever the file holds, as the WebUIs do.
    """
    if device.type != "cpu":
        return torch.bfloat16 if stored == "BF16" and device.type == "cuda" else torch.float16
    if stored == "BF16" and _processor_has("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        return torch.bfloat16
    if stored == "F16" and _processor_has("_is_amx_fp16_supported"):
        return torch.float16
    return torch.float64 if stored == "F64" else torch.float32


def _processor_has(*questions: str) -> bool:
    """Whether torch says yes to one of these; which of them it can be asked depends on its version."""
    return any(bool(getattr(torch.cpu, question, bool)()) for question in questions)


def torch_device(name: str) -> torch.device:
    """The device of that name, which must be there; `UsageError` otherwise."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind = name.partition(":")[0]
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise _no_device(name, there) from error
    if not there.get(kind, False) or (kind == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        raise _no_device(name, there)
    return device


def _no_device(name: str, there: Mapping[str, bool]) -> UsageError:
    names = ", ".join(f"`{kind}`" for kind, yes in there.items() if yes)
    return UsageError(f"there is no device `{one_line(name)}` here", f"torch finds {names}", "pass `--device cpu`")
