"""From the keys of diffusers and transformers to those of single-file checkpoints, for any number of levels.

A second statement of what the networks' attribute names say, made by renaming step by step.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, cat

Weights = dict[str, Tensor]

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}


def unet(weights: Mapping[str, Tensor], blocks: int) -> Weights:
    """A diffusers UNet with `blocks` residual blocks a level."""
    attends = {int(m[1]) for key in weights if (m := re.match(r"up_blocks\.(\d+)\.attentions", key))}
    return {"model.diffusion_model." + _unet_key(key, blocks, attends): weight for key, weight in weights.items()}


def _unet_key(key: str, blocks: int, attends: set[int]) -> str:
    if match := re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", key):
        way, level, kind, place, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
        if way == "down":
            step = (blocks + 1) * level + place + 1
            if kind == "downsamplers":
                return f"input_blocks.{(blocks + 1) * (level + 1)}.0.op.{rest.removeprefix('conv.')}"
            key = f"input_blocks.{step}.{int(kind == 'attentions')}.{rest}"
        elif kind == "upsamplers":
            return f"output_blocks.{(blocks + 1) * level + blocks}.{1 + (level in attends)}.{rest}"
        else:
            key = f"output_blocks.{(blocks + 1) * level + place}.{int(kind == 'attentions')}.{rest}"
    for theirs, ours in _UNET.items():
        if key.startswith(theirs + "."):
            key = ours + key[len(theirs) :]
    head, _, tail = key.rpartition(".")
    stem, _, last = head.rpartition(".")
    return f"{stem}.{_RESNET[last]}.{tail}" if last in _RESNET and "transformer_blocks" not in key else key


_VAE = (
    (r"\.mid_block\.resnets\.0\.", ".mid.block_1."),
    (r"\.mid_block\.resnets\.1\.", ".mid.block_2."),
    (r"\.mid_block\.attentions\.0\.", ".mid.attn_1."),
    (r"\.resnets\.", ".block."),
    (r"\.downsamplers\.0\.", ".downsample."),
    (r"\.upsamplers\.0\.", ".upsample."),
    (r"\.down_blocks\.", ".down."),
    (r"conv_shortcut", "nin_shortcut"),
    (r"conv_norm_out", "norm_out"),
    (r"\.group_norm\.", ".norm."),
    (r"\.to_([qkv])\.", r".\1."),
    (r"\.to_out\.0\.", ".proj_out."),
)


def vae(weights: Mapping[str, Tensor], levels: int) -> Weights:
    """A diffusers AutoencoderKL."""
    found = {}
    for key, weight in weights.items():
        name = re.sub(r"\.up_blocks\.(\d+)\.", lambda m: f".up.{levels - 1 - int(m[1])}.", key)
        for theirs, ours in _VAE:
            name = re.sub(theirs, ours, name)
        convolution = ".attn_1." in name and name.endswith(".weight") and ".norm." not in name
        found["first_stage_model." + name] = weight[:, :, None, None] if convolution else weight
    return found


def clip(weights: Mapping[str, Tensor], prefix: str = "cond_stage_model.transformer.") -> Weights:
    """A transformers CLIPTextModel (whose keys lost their `text_model.` in transformers 5), projection left out."""
    named = ((key.removeprefix("text_model."), weight) for key, weight in weights.items())
    return {f"{prefix}text_model.{key}": weight for key, weight in named if "text_projection" not in key}


def open_clip(weights: Mapping[str, Tensor], prefix: str = "cond_stage_model.model.") -> Weights:
    """A transformers CLIPTextModelWithProjection in OpenCLIP's layout."""
    bare = {key.removeprefix("text_model."): weight for key, weight in weights.items()}
    found = {
        "token_embedding.weight": bare["embeddings.token_embedding.weight"],
        "positional_embedding": bare["embeddings.position_embedding.weight"],
        "ln_final.weight": bare["final_layer_norm.weight"],
        "ln_final.bias": bare["final_layer_norm.bias"],
    }
    if "text_projection.weight" in bare:
        found["text_projection"] = bare["text_projection.weight"].T.contiguous()
    layers = 1 + max(int(m[1]) for key in bare if (m := re.match(r"encoder\.layers\.(\d+)", key)))
    for layer in range(layers):
        theirs, ours = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            thirds = [bare[f"{theirs}self_attn.{part}_proj.{kind}"] for part in "qkv"]
            found[f"{ours}attn.in_proj_{kind}"] = cat(thirds)
            found[f"{ours}attn.out_proj.{kind}"] = bare[f"{theirs}self_attn.out_proj.{kind}"]
            found[f"{ours}ln_1.{kind}"] = bare[f"{theirs}layer_norm1.{kind}"]
            found[f"{ours}ln_2.{kind}"] = bare[f"{theirs}layer_norm2.{kind}"]
            found[f"{ours}mlp.c_fc.{kind}"] = bare[f"{theirs}mlp.fc1.{kind}"]
            found[f"{ours}mlp.c_proj.{kind}"] = bare[f"{theirs}mlp.fc2.{kind}"]
    return {prefix + key: weight for key, weight in found.items()}
