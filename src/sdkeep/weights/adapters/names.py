"""The layers of a checkpoint under every name that adapters call them by.

The numbering of diffusers' blocks is read off the keys: a level of the UNet ends with its down- or upsampler. So models
of any depth and width, tiny ones included, need no table of their own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sdkeep.weights.adapters.values import Shape, Slot

_NUMBERED = re.compile(r"(input|output)_blocks\.(\d+)\.(\d+)(?:\.(.+))?$")
_BLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)$")
_THIRDS = ("q_proj", "k_proj", "v_proj")


@dataclass(frozen=True, slots=True)
class Network:
    """Where a network's keys begin, what adapters call the network, and whose layout its keys follow."""

    root: str
    towers: tuple[str, ...]
    layout: str


@dataclass(frozen=True, slots=True)
class Table:
    """The data file: prefixes by falling length, networks, and renamed layers by layout."""

    prefixes: tuple[tuple[str, str], ...]
    networks: tuple[Network, ...]
    unet_outside: Mapping[str, str]
    unet_residual: Mapping[str, str]
    openclip_outside: Mapping[str, str]
    openclip_block: Mapping[str, str]
    compounds: frozenset[str]


@cache
def table() -> Table:
    """The names as data."""
    raw = tomllib.loads(files("sdkeep.weights.adapters").joinpath("targets.toml").read_text("utf-8"))
    return Table(
        tuple(sorted(raw["prefixes"].items(), key=lambda pair: -len(pair[0]))),
        tuple(Network(one["root"], tuple(one["towers"]), one["layout"]) for one in raw["network"]),
        raw["unet"]["outside"],
        raw["unet"]["residual"],
        raw["openclip"]["outside"],
        raw["openclip"]["block"],
        frozenset(raw["compounds"]["words"]),
    )


@dataclass(frozen=True, slots=True)
class Layer:
    """A parameter of the checkpoint.

    `module` is its layer as the checkpoint writes it below the network's root, `diffusers` as diffusers and PEFT
    write it (equal for Hugging Face's CLIP), `parameter` is `weight` or `bias`.
    """

    network: Network
    module: str
    diffusers: str
    parameter: str
    slot: Slot


def layers(keys: Mapping[str, Shape]) -> Iterator[Layer]:
    """Every parameter that an adapter could mean, of all networks in a checkpoint."""
    for network in table().networks:
        inside = {key[len(network.root) :]: shape for key, shape in keys.items() if key.startswith(network.root)}
        if not inside:
            continue
        if network.layout == "unet":
            yield from _unet(network, inside)
        elif network.layout == "openclip":
            yield from _openclip(network, inside)
        else:
            yield from _clip(network, inside)


def split(target: str) -> tuple[str, str]:
    """A layer as an adapter writes it: the network it belongs to (empty when not told) and its folded name."""
    name, tower = target.replace(".processor.", ".").replace(".", "_"), ""
    if target.startswith(("text_encoder:", "unet:")):
        return target.partition(":")[0], name
    while True:
        found = next(((text, net) for text, net in table().prefixes if name.startswith(text)), None)
        if found is None:
            break
        tower = tower or found[1]
        name = name[len(found[0]) :]
    if not tower:
        tower = "first" if name.startswith("text_model_") else "unet"
    return tower, name


def _parameter(key: str) -> tuple[str, str] | None:
    """The layer and the parameter of a key; None for what is neither a weight nor a bias."""
    module, _, parameter = key.rpartition(".")
    return (module, parameter) if parameter in ("weight", "bias") else None


def _unet(network: Network, inside: Mapping[str, Shape]) -> Iterator[Layer]:
    names = _unet_names(inside)
    for key, shape in inside.items():
        found = _parameter(key)
        if found:
            module, parameter = found
            yield Layer(network, module, names.get(module, module), parameter, Slot(network.root + key, shape))


def _unet_names(inside: Iterable[str]) -> Mapping[str, str]:
    """diffusers' name of each layer of the UNet."""
    modules = dict.fromkeys(found[0] for key in inside if (found := _parameter(key)))
    places = {**_levels("input", "down", modules), **_levels("output", "up", modules)}
    names: dict[str, str] = {}
    outside = table().unet_outside
    for module in modules:
        matched = _NUMBERED.match(module)
        root = matched[0][: matched.end(3)] if matched else ""
        if module in outside:
            names[module] = outside[module]
        elif root in places:
            names[module] = _renamed(places[root], module[len(root) + 1 :])
        else:
            short = next((one for one in outside if module.startswith(f"{one}.")), None)
            if short:
                names[module] = _renamed(outside[short], module[len(short) + 1 :])
    return names


def _renamed(place: str, rest: str) -> str:
    if "samplers" in place:
        return place
    return f"{place}.{table().unet_residual.get(rest, rest)}" if rest else place


def _levels(side: str, word: str, modules: Iterable[str]) -> dict[str, str]:
    """`input_blocks.4.1` -> `down_blocks.1.attentions.0` and so on, for one side of the UNet."""
    blocks: dict[int, dict[int, set[str]]] = {}
    for module in modules:
        matched = _NUMBERED.match(module)
        if matched and matched[1] == side and (side, matched[2]) != ("input", "0"):
            blocks.setdefault(int(matched[2]), {}).setdefault(int(matched[3]), set()).add(matched[4] or "")
    places: dict[str, str] = {}
    level = turn = 0
    for number, subs in sorted(blocks.items()):
        ended = False
        for sub, rests in sorted(subs.items()):
            here = f"{side}_blocks.{number}.{sub}"
            if rests & {"op", "conv"}:  # the level's sampler
                places[here] = f"{word}_blocks.{level}.{word}samplers.0.conv"
                ended = True
            elif rests & table().unet_residual.keys():
                places[here] = f"{word}_blocks.{level}.resnets.{turn}"
            else:
                places[here] = f"{word}_blocks.{level}.attentions.{turn}"
        level, turn = (level + 1, 0) if ended else (level, turn + 1)
    return places


def _clip(network: Network, inside: Mapping[str, Shape]) -> Iterator[Layer]:
    for key, shape in inside.items():
        found = _parameter(key)
        if found:
            module, parameter = found
            full = module if module.startswith("text_model.") else f"text_model.{module}"  # NAI's files leave it out
            yield Layer(network, module, full, parameter, Slot(network.root + key, shape))


def _openclip(network: Network, inside: Mapping[str, Shape]) -> Iterator[Layer]:
    outside, block = table().openclip_outside, table().openclip_block
    for key, shape in inside.items():
        root, full = network.root, network.root + key
        matched = _BLOCK.match(key)
        if key in ("text_projection", "positional_embedding"):
            turned = key == "text_projection"
            yield Layer(network, key, outside[key], "weight", Slot(full, shape, transposed=turned))
        elif matched and matched[2] in ("attn.in_proj_weight", "attn.in_proj_bias"):
            parameter = matched[2].rpartition("_")[2]
            third = shape[0] // 3
            yield Layer(network, f"{key.rpartition('_')[0]}", "", parameter, Slot(full, shape))
            for place, name in enumerate(_THIRDS):
                slot = Slot(full, shape, (place * third, (place + 1) * third))
                diffusers = f"text_model.encoder.layers.{matched[1]}.self_attn.{name}"
                yield Layer(network, diffusers, diffusers, parameter, slot)
        elif found := _parameter(key):
            module, parameter = found
            inner = _BLOCK.match(module)
            name = outside.get(module, "")
            if inner:
                name = f"text_model.encoder.layers.{inner[1]}.{block.get(inner[2], inner[2])}"
            yield Layer(network, module, name, parameter, Slot(root + key, shape))
