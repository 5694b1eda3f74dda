"""Names that keys have had in the history of checkpoints, and keys that stand beside the weights.

The canonical names are those of CompVis' and Stability's own code, as of SD 1.5, SD 2.1 and SDXL 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable

from sdkeep.diffusion.networks.config import UNET, VAE
from sdkeep.formats.selection import Component

_ROOTS = {
    UNET: Component.UNET,
    VAE: Component.VAE,
    "cond_stage_model.": Component.TEXT_ENCODER,
    "conditioner.embedders.": Component.TEXT_ENCODER,
}

_WRAPPERS = {"state_dict.": "", "module.": "", "model.model.": "model."}
"""What trainers have put before every key: Lightning's dictionary, data parallelism, a model inside a model."""

_RENAMED = (
    ("cond_stage_model.transformer.embeddings.", "cond_stage_model.transformer.text_model.embeddings."),
    ("cond_stage_model.transformer.encoder.", "cond_stage_model.transformer.text_model.encoder."),
    ("cond_stage_model.transformer.final_layer_norm.", "cond_stage_model.transformer.text_model.final_layer_norm."),
    ("diffusion_model.", UNET),
    ("vae.", VAE),
)
"""NovelAI and files saved with early transformers lack `text_model.`; some tools shorten the names of the parts."""

_BARE = (("input_blocks.0.0.weight", UNET), ("decoder.conv_in.weight", VAE))
"""A key that gives away a part saved by itself, and where the part belongs."""

_EXTRA = (
    "model_ema.", "optimizer", "lr_scheduler", "callbacks", "loss.", "first_stage_model.loss.",
    "first_stage_model.model_ema.", "betas", "alphas_cumprod", "sqrt_", "log_one_minus_alphas_cumprod", "posterior_",
    "logvar", "lvlb_weights", "v_pred", "ztsnr", "edm_", "denoiser.", "embedding_manager.", "global_step", "epoch",
    "scale_factor", "learning_rate", "lr", "pytorch-lightning_version", "iteration", "step",
    "cond_stage_model.transformer.vision_model.", "cond_stage_model.transformer.visual_projection.",
    "cond_stage_model.transformer.text_projection.", "cond_stage_model.transformer.logit_scale",
    "cond_stage_model.model.visual.", "conditioner.embedders.0.transformer.text_projection.",
    "conditioner.embedders.0.logit_scale", "cond_stage_model.logit_scale",
)  # fmt: skip
_EXTRA_ENDS = (".position_ids", ".logit_scale", ".attn_mask")
"""Places are counted, never read: files in which merging or rounding has broken `position_ids` work all the same."""


def canonical(names: Iterable[str]) -> dict[str, str]:
    """From each name in a file to its canonical one."""
    found = {name: name for name in names}
    for wrapper, bare in _WRAPPERS.items():
        if any(name.startswith(wrapper + root.removeprefix(bare)) for name in found.values() for root in _ROOTS):
            found = {
                name: bare + today[len(wrapper) :] if today.startswith(wrapper) else today
                for name, today in found.items()
            }
    for key, prefix in _BARE:
        if key in found:
            return {name: prefix + name for name in found}
    return {name: _renamed(today) for name, today in found.items()}


def _renamed(name: str) -> str:
    for before, now in _RENAMED:
        if name.startswith(before):
            return now + name[len(before) :]
    return name


def component_of(key: str) -> Component | None:
    """The part of a checkpoint that a canonical key belongs to, None for none."""
    if is_extra(key):
        return None
    return next((part for root, part in _ROOTS.items() if key.startswith(root)), None)


def is_extra(name: str) -> bool:
    """Whether a canonical name belongs to no network: averages, the state of a training, constants of the schedule."""
    return name.startswith(_EXTRA) or name.endswith(_EXTRA_ENDS)
