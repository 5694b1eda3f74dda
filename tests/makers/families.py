"""A family of small model files that name each other the way real tools do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from tests.makers import models

SD15 = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"
"""The published SHA-256 of Stable Diffusion 1.5 (pruned, EMA only, safetensors)."""
LOST = hashlib.sha256(b"a checkpoint that nobody has").hexdigest()
GRANDPARENT = hashlib.sha256(b"what the lost one was merged from").hexdigest()

Header = dict[str, tuple[int, ...]]
_TINY: Header = {"model.diffusion_model.input_blocks.0.0.weight": (4, 4, 3, 3)}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def merged(fill: int, recipe: dict[str, object], took_part: dict[str, dict[str, object]] | None = None) -> bytes:
    """A checkpoint that AUTOMATIC1111's merger wrote."""
    told = {"sd_merge_recipe": json.dumps({"type": "webui", **recipe}), "sd_merge_models": json.dumps(took_part or {})}
    return models.safetensors(_TINY, fill, told)


def trained(fill: int, **labels: str) -> bytes:
    """A LoRA that kohya's trainer wrote."""
    return models.safetensors(models.small_lora(), fill, {"ss_network_module": "networks.lora", **labels})


@dataclass(frozen=True, slots=True)
class Family:
    """The files: `first` is trained on SD 1.5; `mix` merges it with a lost one; `adapter` is trained on `mix`."""

    first: bytes
    mix: bytes
    adapter: bytes

    def write(self, folder: Path) -> None:
        for name in ("first", "mix", "adapter"):
            (folder / f"{name}.safetensors").write_bytes(getattr(self, name))


def family() -> Family:
    """The usual family; the mix tells in its metadata what the lost parent was merged from."""
    first = models.safetensors(_TINY, 1, {"ss_sd_model_name": "v1-5.safetensors", "ss_new_sd_model_hash": SD15})
    recipe = {
        "primary_model_hash": sha256(first),
        "secondary_model_hash": LOST,
        "interp_method": "Weighted sum",
        "multiplier": 0.3,
    }
    older = {
        "primary_model_hash": GRANDPARENT,
        "secondary_model_hash": SD15,
        "interp_method": "Weighted sum",
        "multiplier": 0.5,
    }
    took_part: dict[str, dict[str, object]] = {
        LOST: {"name": "lost-mix.safetensors", "legacy_hash": "01234567", "sd_merge_recipe": older},
        GRANDPARENT: {"name": "grandparent.ckpt", "legacy_hash": "89abcdef", "sd_merge_recipe": None},
    }  # fmt: skip
    mix = merged(2, recipe, took_part)
    return Family(first, mix, trained(3, ss_new_sd_model_hash=sha256(mix), ss_sd_model_name="mix.safetensors"))
