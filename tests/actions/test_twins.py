"""Near-duplicates are told by their tensors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.world import World

UNET, AVERAGE = "model.diffusion_model.out.0.weight", "model_ema.diffusion_modelout0weight"


def test_other_metadata_pruned_and_half_precision_twins_are_listed(world: World) -> None:
    folder = world.root / "mine"
    folder.mkdir()
    base = {UNET: torch.arange(400.0).reshape(20, 20) / 7, "first_stage_model.x": torch.ones(64)}
    half = {name: tensor.half() for name, tensor in base.items()}
    save_file(base | {AVERAGE: base[UNET] * 2}, folder / "full.safetensors")
    save_file(base, folder / "pruned.safetensors")
    save_file(base, folder / "renamed.safetensors", {"title": "another title, and a longer header"})
    save_file(half, folder / "half.safetensors")
    save_file({UNET: torch.zeros(20, 20), "first_stage_model.x": torch.ones(64)}, folder / "stranger.safetensors")
    world.good("add", "--in-place", str(folder))
    found = {(one["name"], one["relation"], one["other"]) for one in world.good("dedupe", "--twins").data}
    assert found == {
        ("pruned", "same tensors", "renamed"),
        ("pruned", "pruned", "full"),
        ("renamed", "pruned", "full"),
        ("half", "half precision", "pruned"),
        ("half", "half precision", "renamed"),
        ("half", "pruned, half precision", "full"),
    }


def test_tensors_are_read_once(world: World, tmp_path: Path) -> None:
    for name in ("a", "b"):
        path = world.root / f"{name}.safetensors"
        save_file({"x.weight": torch.ones(9)}, path, {"name": name})
        world.good("add", "--in-place", str(path))
    first = world.good("dedupe", "--twins").data
    with world.house() as house:
        known = {str(one.kind) for item in house.book.list().items for one in house.book.digests_of(item.sha256 or "")}
    assert {"tensors", "core", "half", "brain"} <= known
    assert world.good("dedupe", "--twins").data == first
