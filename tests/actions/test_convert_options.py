"""`sdkeep convert` with its options, from the command line to the file."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from tests.formats.test_selection import FULL, WEIGHTS
from tests.formats.test_shards import TENSORS, sharded
from tests.makers.torchfiles import saved
from tests.world import World


def test_averages_and_parts_are_chosen_by_flags(world: World) -> None:
    Path("full.ckpt").write_bytes(FULL)
    (made,) = world.good(
        "convert", "./full.ckpt", "--ema", "use", "--components", "unet,vae", "-o", "out.safetensors"
    ).data
    tensors = load_file("out.safetensors")
    assert set(tensors) == {name for name in WEIGHTS if name.startswith(("model.", "first_stage_model."))}
    assert torch.equal(tensors["model.diffusion_model.out.2.weight"], torch.full((3,), 103.0))
    assert made["size"] == Path("out.safetensors").stat().st_size
    assert any("averaged" in note for note in made["notes"])


def test_words_that_mean_nothing_are_refused(world: World) -> None:
    Path("full.ckpt").write_bytes(FULL)
    assert world.json("convert", "./full.ckpt", "--ema", "maybe").codes == ["usage"]
    assert world.json("convert", "./full.ckpt", "--components", "unet,brain").codes == ["usage"]
    assert not Path("full.safetensors").exists()


def test_a_part_that_is_missing_writes_nothing(world: World) -> None:
    Path("small.ckpt").write_bytes(saved({"first_stage_model.x": torch.ones(1)}))
    assert world.json("convert", "./small.ckpt", "--components", "unet").codes == ["cannot-convert"]
    assert not Path("small.safetensors").exists()


def test_extras_are_kept_beside_the_result(world: World) -> None:
    Path("m.ckpt").write_bytes(saved({"state_dict": WEIGHTS, "hyper_parameters": {"lr": 0.1}}))
    (planned,) = world.good("convert", "./m.ckpt", "--keep-extras", "--dry-run").data
    assert not Path("m.extras.json").exists()
    (made,) = world.good("convert", "./m.ckpt", "--keep-extras").data
    assert made["extras"] == planned["extras"]
    assert json.loads(Path(made["extras"]).read_text()) == {"hyper_parameters": {"lr": 0.1}}
    assert planned["size"] == made["size"]


def test_extras_in_the_way_stop_the_conversion_before_it_begins(world: World) -> None:
    Path("m.ckpt").write_bytes(saved(WEIGHTS))
    Path("m.extras.json").write_text("mine")
    assert world.json("convert", "./m.ckpt", "--keep-extras").codes == ["would-overwrite"]
    assert not Path("m.safetensors").exists()
    assert Path("m.extras.json").read_text() == "mine"


def test_an_index_of_shards_is_converted_into_one_file(world: World) -> None:
    index = sharded(Path.cwd())
    world.good("convert", str(index))
    assert set(load_file("pytorch_model.safetensors")) == set(TENSORS)
    Path("pytorch_model.safetensors").unlink()
    Path("pytorch_model-00003-of-00003.bin").unlink()
    assert world.json("convert", str(index)).codes == ["not-found-here"]


def test_a_file_is_what_its_bytes_say_and_not_its_name(world: World) -> None:
    Path("really.ckpt").write_bytes(save(WEIGHTS))
    Path("pretends.safetensors").write_bytes(saved(WEIGHTS))
    for name in ("really.ckpt", "pretends.safetensors"):
        world.good("convert", f"./{name}", "-o", "out.safetensors")
        assert set(load_file("out.safetensors")) == set(WEIGHTS)
        Path("out.safetensors").unlink()
