"""One name for a layer whoever wrote it: diffusers', with dots; and from there to each way of writing it.

Works on names alone. The blocks' numbers are those of every published Stable Diffusion UNet: two residual blocks a
level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sdkeep.weights.adapters.names import split, table

_LONGEST = 4
_LDM = re.compile(r"(input|output)_blocks\.(\d+)\.(\d)(?:\.(.+))?$")
_DIFFUSERS = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)(?:\.(.+))?$")
_RESBLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)$")
_PEFT = {"unet": "unet", "te": "text_encoder", "te1": "text_encoder", "te2": "text_encoder_2"}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A layer: the network (`unet`, `te`, `te1`, `te2`) and its name in diffusers, `down_blocks.1.attentions.0...`."""

    tower: str
    module: str

    def kohya(self, *, ldm: bool = False) -> str:
        """As sd-scripts writes it; with `ldm` by the checkpoint's own blocks, which it does for SDXL's UNet."""
        module = to_ldm(self.module) if ldm and self.tower == "unet" else self.module
        return f"lora_{self.tower}_{module.replace('.', '_')}"

    def peft(self) -> str:
        """As diffusers and PEFT write it."""
        return f"{_PEFT[self.tower]}.{self.module}"


def place_of(target: str, *, sdxl: bool = False) -> Place:
    """The layer that an adapter's author means. `sdxl` says that a lone text encoder is the first of two."""
    tower, folded = split(target)
    if tower == "first":
        tower = "te1" if sdxl else "te"
    module = unfolded(folded)
    return Place(tower, from_ldm(module) if tower == "unet" else from_openclip(module))


def unfolded(folded: str) -> str:
    """`down_blocks_1_attentions_0_proj_in` -> `down_blocks.1.attentions.0.proj_in`."""
    words, compounds = folded.split("_"), table().compounds
    found: list[str] = []
    while words:
        length = next((n for n in range(_LONGEST, 1, -1) if "_".join(words[:n]) in compounds), 1)
        found.append("_".join(words[:length]))
        words = words[length:]
    return ".".join(found)


def from_ldm(module: str) -> str:
    """`input_blocks.4.1.proj_in` -> `down_blocks.1.attentions.0.proj_in`; other names stay."""
    matched = _LDM.match(module)
    outside = table().unet_outside
    if module in outside:
        return outside[module]
    if not matched:
        short = next((one for one in outside if module.startswith(f"{one}.")), "")
        return f"{outside[short]}.{_residual(module[len(short) + 1 :])}" if short else module
    number, sub, rest = int(matched[2]), matched[3], matched[4] or ""
    if matched[1] == "input":
        level, turn = divmod(number - 1, 3)
        if turn == 2:  # after the two residual blocks
            return f"down_blocks.{level}.downsamplers.0.conv"
        word = "down"
    else:
        level, turn = divmod(number, 3)
        if rest == "conv":
            return f"up_blocks.{level}.upsamplers.0.conv"
        word = "up"
    kind, rest = ("resnets", _residual(rest)) if sub == "0" else ("attentions", rest)
    return f"{word}_blocks.{level}.{kind}.{turn}.{rest}".rstrip(".")


def to_ldm(module: str) -> str:
    """`down_blocks.1.attentions.0.proj_in` -> `input_blocks.4.1.proj_in`, as SDXL counts; other names stay."""
    outside = {theirs: ours for ours, theirs in table().unet_outside.items()}
    matched = _DIFFUSERS.match(module)
    if module in outside:
        return outside[module]
    if not matched:
        short = next((one for one in outside if module.startswith(f"{one}.")), "")
        return f"{outside[short]}.{_ldm_residual(module[len(short) + 1 :])}" if short else module
    level, kind, turn, rest = int(matched[2]), matched[3], int(matched[4]), matched[5] or ""
    if kind == "downsamplers":
        return f"input_blocks.{3 * level + 3}.0.op"
    if kind == "upsamplers":
        return f"output_blocks.{3 * level + 2}.2.conv"
    number = 3 * level + turn + 1 if matched[1] == "down" else 3 * level + turn
    side = "input" if matched[1] == "down" else "output"
    sub, rest = ("0", _ldm_residual(rest)) if kind == "resnets" else ("1", rest)
    return f"{side}_blocks.{number}.{sub}.{rest}".rstrip(".")


def from_openclip(module: str) -> str:
    """`transformer.resblocks.3.mlp.c_fc` -> `text_model.encoder.layers.3.mlp.fc1`; other names stay."""
    matched = _RESBLOCK.match(module)
    if matched:
        inner = table().openclip_block.get(matched[2], matched[2])
        return f"text_model.encoder.layers.{matched[1]}.{inner}"
    return table().openclip_outside.get(module, module)


def _residual(rest: str) -> str:
    return table().unet_residual.get(rest, rest)


def _ldm_residual(rest: str) -> str:
    return next((ours for ours, theirs in table().unet_residual.items() if theirs == rest), rest)
