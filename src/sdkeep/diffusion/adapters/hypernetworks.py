"""Hypernetworks: small networks that bend what the UNet's attention makes its keys and values of.

Source of the architecture: AUTOMATIC1111 `modules/hypernetworks/hypernetwork.py`. For a context x of a width that it
was trained for, keys are made of x + m k(x) and values of x + m v(x), with k and v stacks of linear layers and m the
multiplier. Dropout and the way that weights were first drawn mean nothing once it is trained.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules import activation

from sdkeep.diffusion.adapters.opened import Opened
from sdkeep.diffusion.networks.config import ModelConfig
from sdkeep.ground.errors import FormatError
from sdkeep.ground.kinds import Family
from sdkeep.weights.adapters.fitting import Asked, Fit, wrong_family

_KEY = re.compile(r"(\d+)\.([01])\.(linear.+)")
"""As `formats.convert` names what a pickle holds under an integer, here of any width."""
_LAYER = re.compile(r"linear\.(\d+)\.(weight|bias)")
_OLD = re.compile(r"linear([12])\.(weight|bias)")
"""Before layers could be chosen there were two, `linear1` and `linear2`."""


class _Function(Protocol):
    def __call__(self, x: Tensor, /) -> Tensor: ...


def activations() -> dict[str, Callable[[], nn.Module]]:
    """Every function by its name in a file: torch's activations in lower case, and AUTOMATIC1111's `swish`."""
    found: dict[str, Callable[[], nn.Module]] = {
        name.lower(): kind
        for name, kind in inspect.getmembers(activation, inspect.isclass)
        if kind.__module__ == activation.__name__ and issubclass(kind, nn.Module) and _takes_nothing(kind)
    }
    return {**found, "linear": nn.Identity, "swish": nn.Hardswish}


def _takes_nothing(kind: type[nn.Module]) -> bool:
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = inspect.signature(kind).parameters.values()
    return all(parameter.default is not parameter.empty for parameter in needed if parameter.kind not in several)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One linear layer, the function behind it, and the norm behind that; either may be missing."""

    weight: Tensor
    bias: Tensor
    function: _Function | None = None
    norm: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """From [..., in] to [..., out]."""
        x = nn.functional.linear(x, self.weight, self.bias)
        if self.function:
            x = self.function(x)
        return nn.functional.layer_norm(x, x.shape[-1:], *self.norm) if self.norm else x


@dataclass(frozen=True, slots=True, eq=False)
class Hypernetwork:
    """The stacks for keys and for values, by the width of the context they bend; float32, on the processor."""

    name: str
    halves: Mapping[int, tuple[tuple[Layer, ...], tuple[Layer, ...]]]

    def bent(self, x: Tensor, half: int, multiplier: float) -> Tensor:
        """A context [b, m, width] for keys (half 0) or values (1); one of a width unknown to it stays."""
        stacks = self.halves.get(x.shape[-1])
        if stacks is None or not multiplier:
            return x
        y = x.float()
        for layer in stacks[half]:
            y = layer(y)
        return (x.float() + y * multiplier).to(x.dtype)

    def to(self, device: torch.device) -> Hypernetwork:
        """The same on a device."""
        return Hypernetwork(
            self.name,
            {width: (_moved(keys, device), _moved(values, device)) for width, (keys, values) in self.halves.items()},
        )


def _moved(layers: tuple[Layer, ...], device: torch.device) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            layer.weight.to(device),
            layer.bias.to(device),
            layer.function,
            (layer.norm[0].to(device), layer.norm[1].to(device)) if layer.norm else None,
        )
        for layer in layers
    )


def context_transform(active: Sequence[tuple[Hypernetwork, float]]) -> Callable[[Tensor], tuple[Tensor, Tensor]] | None:
    """For `UNet.set_context_transform`: several hypernetworks one after another, each with its multiplier.

    None for none.
    """
    working = [(one, multiplier) for one, multiplier in active if multiplier]
    if not working:
        return None

    def transform(context: Tensor) -> tuple[Tensor, Tensor]:
        keys = values = context
        for one, multiplier in working:
            keys, values = one.bent(keys, 0, multiplier), one.bent(values, 1, multiplier)
        return keys, values

    return transform


def load_hypernetwork(path: Path, name: str = "") -> Hypernetwork:
    """The hypernetwork in AUTOMATIC1111's `.pt`, or in the safetensors file that sdkeep makes of one.

    Raises `FormatError` for anything else and for a function that torch does not have.
    """
    with Opened(path, name) as file:
        facts = file.facts
        function = facts.get("activation_func", "linear")
        if function not in {*activations(), "None", "null"}:
            why = f"its layers use the function `{function}`, which torch does not have"
            raise FormatError(f"`{file.name}` cannot be used", why, "get another file", rule="unknown-activation")
        last = facts.get("activate_output", "true").lower() != "false"
        widths: dict[int, tuple[dict[str, Tensor], dict[str, Tensor]]] = {}
        for key in file.shapes:
            width, half, inner = _part(file, key)
            widths.setdefault(width, ({}, {}))[half][inner] = file.tensor(key).float()
        make = activations().get(function, nn.Identity)
        act = None if make is nn.Identity else make().eval()
        stacks = {
            width: (_stack(file, width, keys, act, last), _stack(file, width, values, act, last))
            for width, (keys, values) in widths.items()
        }
        return Hypernetwork(file.name, stacks)


def _part(file: Opened, key: str) -> tuple[int, int, str]:
    matched = _KEY.fullmatch(key)
    if matched:
        return int(matched[1]), int(matched[2]), matched[3]
    raise FormatError(
        f"`{file.name}` is no hypernetwork",
        f"its structure is that of: {file.identity.kind}",
        f"sdkeep show '{file.path}'",
        rule="not-a-hypernetwork",
    )


def _stack(
    file: Opened, width: int, tensors: Mapping[str, Tensor], function: _Function | None, last: bool
) -> tuple[Layer, ...]:
    """The layers in order; numbers between them belonged to functions and dropout, which have no weights."""
    places: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        matched = _LAYER.fullmatch(key)
        old = _OLD.fullmatch(key)
        if not matched and not old:
            raise _broken(file, width, f"`{key}` belongs to no layer")
        place, kind = (int(matched[1]), matched[2]) if matched else (int(old[1]) - 1, old[2]) if old else (0, "")
        places.setdefault(place, {})[kind] = tensor
    ordered = [places[place] for place in sorted(places)]
    if any({"weight", "bias"} != one.keys() for one in ordered):
        raise _broken(file, width, "a layer lacks its weight or its bias")
    linear = [place for place, one in enumerate(ordered) if one["weight"].ndim == 2]
    layers: list[Layer] = []
    for number, place in enumerate(linear):
        after = ordered[place + 1] if place + 1 < len(ordered) and place + 1 not in linear else None
        acts = number < len(linear) - 1 or last
        norm = (after["weight"], after["bias"]) if after else None
        layers.append(Layer(ordered[place]["weight"], ordered[place]["bias"], function if acts else None, norm))
    _check_widths(file, width, layers)
    return tuple(layers)


def _check_widths(file: Opened, width: int, layers: Sequence[Layer]) -> None:
    here = width
    for layer in layers:
        out, into = layer.weight.shape
        norm = layer.norm[0].shape[0] if layer.norm else out
        if into != here or len(layer.bias) != out or norm != out:
            raise _broken(file, width, f"a layer takes {into} numbers where {here} come in")
        here = out
    if here != width or not layers:
        raise _broken(file, width, f"{here} numbers come out of it")


def _broken(file: Opened, width: int, why: str) -> FormatError:
    return FormatError(
        f"the hypernetwork `{file.name}` is damaged for contexts of width {width}", why, "download the file again"
    )


def check_hypernetwork(one: Hypernetwork, config: ModelConfig, *, strict: bool = False) -> tuple[str, ...]:
    """Warnings for widths of which the UNet has no context; `WrongFamily` where that is so of all, or of the text's.

    With `strict` a warning is `PartialMatch`.
    """
    unet = config.unet
    here = {unet.context, *(unet.width * mult for mult in unet.mults)} if unet else set[int]()
    made_for = next((family for width, family in _BY_CONTEXT.items() if width in one.halves), Family.UNKNOWN)
    asked = Asked(one.name, "hypernetwork", made_for)
    lost = sorted(one.halves.keys() - here)
    text = unet is not None and unet.context in one.halves
    if lost and (not text or len(lost) == len(one.halves)):
        widths = ", ".join(map(str, sorted(one.halves)))
        why = f"it bends contexts of the widths {widths}, and the text here has {unet.context if unet else 'none'}"
        raise wrong_family(asked, config.family, why)
    fit = Fit(one.name, len(one.halves) - len(lost), tuple(map(str, lost)))
    if strict:
        fit.check_whole()
    return fit.told()


_BY_CONTEXT = {768: Family.SD1, 1024: Family.SD2, 2048: Family.SDXL}
