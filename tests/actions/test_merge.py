"""Merging through the command line: files and the store, every sort of reference, the recipe and back again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.makers import checkpoints, headers
from tests.world import World, sha256

UNET = "model.diffusion_model.input_blocks.5.0.in_layers.2.weight"


@pytest.fixture
def pair(world: World) -> tuple[Path, Path]:
    """Two SD1 checkpoints in the folder that commands run in."""
    folder = world.root / "work"
    one, two = (
        checkpoints.write(folder / f"{name}.safetensors", checkpoints.tensors(seed=seed))
        for seed, name in enumerate(("photo", "anime"))
    )
    return one, two


def lora(path: Path) -> Path:
    layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    draw = torch.Generator().manual_seed(3)
    found = {
        key: torch.randn(shape, generator=draw) * 0.1 for key, shape in headers.lora([(layer, 768, 320)], 2).items()
    }
    found[f"{layer}.alpha"] = torch.tensor(2.0)
    return checkpoints.write(path, found)


def test_plain_paths_to_a_file_need_no_catalogue(world: World, pair: tuple[Path, Path]) -> None:
    world.catalogue.unlink()
    done = world.good("merge", "photo.safetensors", "./anime.safetensors", "--alpha", "0.3", "-o", "mix.safetensors")
    assert done.data["exactness"] == "everywhere"
    assert done.data["steps"] == ["weighted-sum of photo, anime; alpha 0.3"]
    assert [one["sha256"] for one in done.data["parents"]] == [sha256(path.read_bytes()) for path in pair]
    assert not world.catalogue.exists()
    a, b, result = (checkpoints.read(path)[UNET] for path in (*pair, Path("mix.safetensors")))
    torch.testing.assert_close(result, (0.7 * a.float() + 0.3 * b.float()).half(), rtol=1e-3, atol=1e-5)


def test_a_merge_goes_into_the_store_the_lineage_and_the_webui(world: World, pair: tuple[Path, Path]) -> None:
    folder = world.ui("a1111")
    for path in pair:
        world.good("add", str(path))
    done = world.good("merge", "photo", "anime", "--alpha", "0.25", "--name", "my-mix").data
    assert done["name"] == "my-mix"
    assert (folder / "models" / "Stable-diffusion" / "my-mix.safetensors").is_file()
    assert world.blobs() >= {done["sha256"]}
    shown = world.good("show", "my-mix").data[0]
    assert shown["artifact"]["kind"] == "checkpoint"
    tree = world.good("lineage", "my-mix").data[0]
    links = {link["edge"]["parent"]["value"]: link["edge"] for link in tree["up"]}
    for path, weight in zip(pair, (0.75, 0.25), strict=True):
        edge = links[sha256(path.read_bytes())]
        assert (edge["relation"], edge["weight"], edge["method"]) == ("merge-of", weight, "weighted-sum")
    assert not world.staged()


def test_a_merge_is_done_again_from_its_own_recipe(world: World, pair: tuple[Path, Path]) -> None:
    flags = ("--method", "dare", "--density", "0.4", "--precision", "bf16", "--blocks", "IN=0.2,OUT=0..1")
    world.good("merge", *map(str, pair), *flags, "-o", "mix.safetensors")
    again = world.good("merge", "--again", "mix.safetensors", *map(str, pair)).data
    assert again["agrees"] is True
    assert again["exactness"] == "build"
    for path in pair:
        world.good("add", str(path))
        path.unlink()
    assert world.good("merge", "--again", "mix.safetensors", "-o", "same.safetensors").data["agrees"] is True
    assert Path("same.safetensors").read_bytes() == Path("mix.safetensors").read_bytes()


def test_a_file_that_is_not_what_its_recipe_makes_is_told(world: World, pair: tuple[Path, Path]) -> None:
    world.good("merge", *map(str, pair), "-o", "mix.safetensors")
    data = bytearray(Path("mix.safetensors").read_bytes())
    data[-3] ^= 1
    Path("mix.safetensors").write_bytes(data)
    again = world.json("merge", "--again", "mix.safetensors", *map(str, pair))
    assert again.status == 1
    assert again.data["agrees"] is False
    assert again.data["differs"].startswith("`model.diffusion_model.")


def test_a_parent_that_is_nowhere_is_named(world: World, pair: tuple[Path, Path]) -> None:
    world.good("merge", *map(str, pair), "-o", "mix.safetensors")
    failed = world.json("merge", "--again", "mix.safetensors", str(pair[0]))
    assert failed.status == 2
    assert "`anime.safetensors` is not here" in failed.document["errors"][0]["what"]


def test_the_recipe_is_shown_and_checked(world: World, pair: tuple[Path, Path]) -> None:
    world.good("merge", *map(str, pair), "-o", "mix.safetensors")
    shown = world.good("recipe", "show", "mix.safetensors").data[0]
    assert [one["name"] for one in shown["parents"]] == ["photo.safetensors", "anime.safetensors"]
    assert json.loads(shown["text"])["format"] == 1
    assert world.json("recipe", "show", "photo.safetensors").codes == ["format"]
    checked = world.good("recipe", "check", "mix.safetensors").data[0]
    assert checked["missing"] == [f"sha256:{sha256(path.read_bytes())}" for path in pair]


def test_a_recipe_file_merges_a_graph(world: World, pair: tuple[Path, Path]) -> None:
    del pair
    Path("mix.toml").write_text(
        '[models]\na = "./photo.safetensors"\nb = "./anime.safetensors"\n'
        '[[steps]]\nname = "half"\nmethod = "weighted-sum"\nmodels = ["a", "b"]\n'
        '[[steps]]\nmethod = "slerp"\nmodels = ["half", "a"]\nalpha = 0.2\n[output]\nprecision = "fp32"\n'
    )
    assert world.good("recipe", "check", "mix.toml").data[0]["missing"] == []
    done = world.good("merge", "mix.toml", "-o", "mix.safetensors").data
    assert len(done["steps"]) == 2
    assert checkpoints.read(Path("mix.safetensors"))[UNET].dtype is torch.float32


def test_a_lora_and_a_vae_are_baked_in(world: World, pair: tuple[Path, Path]) -> None:
    vae = {key.removeprefix("first_stage_model."): value for key, value in checkpoints.tensors(seed=8).items()
           if key.startswith("first_stage_model.")}  # fmt: skip
    checkpoints.write(Path("vae.safetensors"), vae)
    lora(Path("detail.safetensors"))
    done = world.good(
        "merge", str(pair[0]), "--lora", "detail.safetensors:0.5", "--vae", "vae.safetensors", "-o", "mix.safetensors"
    )
    assert [one["role"] for one in done.data["parents"]] == ["model", "vae", "lora 0.5"]
    result, before, adapter = (
        checkpoints.read(path) for path in (Path("mix.safetensors"), pair[0], Path("detail.safetensors"))
    )
    key = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    delta = adapter[f"{stem}.lora_up.weight"] @ adapter[f"{stem}.lora_down.weight"]
    torch.testing.assert_close(result[key], (before[key].float() + 0.5 * delta).half(), rtol=1e-3, atol=1e-4)
    assert torch.equal(result["first_stage_model.decoder.conv_in.weight"], vae["decoder.conv_in.weight"])
    assert torch.equal(result[UNET], before[UNET])
    again = world.good("merge", "--again", "mix.safetensors", str(pair[0]), "vae.safetensors", "detail.safetensors")
    assert again.data["agrees"] is True


def test_a_pickle_is_converted_and_never_run(world: World, pair: tuple[Path, Path]) -> None:
    torch.save({"state_dict": checkpoints.tensors(seed=1)}, "anime.ckpt")
    world.good("merge", str(pair[0]), "anime.ckpt", "-o", "1.safetensors")
    world.good("merge", *map(str, pair), "-o", "2.safetensors")
    one, two = (checkpoints.read(Path(f"{n}.safetensors")) for n in (1, 2))
    assert all(torch.equal(one[key], two[key]) for key in two)


def test_models_are_held_side_by_side_before_they_are_merged(world: World, pair: tuple[Path, Path]) -> None:
    data = world.good("merge", *map(str, pair), "--check").data
    blocks = {one["block"]: one for one in data[0]["blocks"]}
    assert {"BASE", "IN00", "IN05", "M00", "OUT03", "OUT11", "VAE"} <= set(blocks)
    a, b = (checkpoints.read(path)[UNET].double().flatten() for path in pair)
    assert blocks["IN05"]["cosine"] == pytest.approx(float(a @ b / a.norm() / b.norm()), abs=1e-5)
    same = world.good("merge", str(pair[0]), str(pair[0]), "--check").data
    assert all(one["cosine"] == pytest.approx(1, abs=1e-6) and one["distance"] == 0 for one in same[0]["blocks"])


def test_a_dry_run_writes_nothing_and_hashes_nothing(world: World, pair: tuple[Path, Path]) -> None:
    before = sorted(Path().iterdir())
    done = world.good("merge", *map(str, pair), "--dry-run").data
    assert done["dry_run"] is True
    assert done["tensors"] == len(checkpoints.read(pair[0]))
    assert sorted(Path().iterdir()) == before
    assert not (world.home / "digests.json").exists()


def test_a_models_configuration_goes_along(world: World, pair: tuple[Path, Path]) -> None:
    pair[1].with_suffix(".yaml").write_text("model: {}\n")
    done = world.good("merge", *map(str, pair), "--config", "b", "-o", "mix.safetensors").data
    assert done["config"] == "mix.yaml"
    assert Path("mix.yaml").read_text() == "model: {}\n"


def test_a_configuration_is_placed_beside_the_merge_in_the_webui(world: World, pair: tuple[Path, Path]) -> None:
    folder = world.ui("a1111") / "models" / "Stable-diffusion"
    pair[0].with_suffix(".yaml").write_text("model: {}\n")
    done = world.good("merge", *map(str, pair), "--name", "mix").data
    assert done["config"] == "mix-config"
    assert (folder / "mix.yaml").read_text() == "model: {}\n"
    again = world.good("merge", "name:mix", str(pair[1]), "--name", "mix-two").data
    assert again["config"]
    assert (folder / "mix-two.yaml").read_text() == "model: {}\n"
    (folder / "mix-three.yaml").write_text("mine")
    world.good("merge", *map(str, pair), "--alpha", "0.1", "--name", "mix-three")
    assert (folder / "mix-three.yaml").read_text() == "mine"


def test_a_model_is_hashed_once(world: World, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from sdkeep.actions import ingredients

    hashed: list[object] = []
    real = ingredients.digest_file
    monkeypatch.setattr(ingredients, "digest_file", lambda path, *a, **k: hashed.append(path) or real(path, *a, **k))
    for turn in range(2):
        world.good("merge", *map(str, pair), "-o", f"{turn}.safetensors")
    assert len(hashed) == 2
    checkpoints.write(pair[0], checkpoints.tensors(seed=4))
    world.good("merge", *map(str, pair), "-o", "2.safetensors")
    assert len(hashed) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no model is named"),
        (("photo.safetensors", "anime.safetensors", "--method", "wieghted"), "is no merge method"),
        (("photo.safetensors", "anime.safetensors", "--alpha", "2"), "cannot be 2"),
        (("photo.safetensors", "anime.safetensors", "--precision", "fp4"), "is no precision"),
        (("photo.safetensors", "anime.safetensors", "--compat", "x"), "is nothing for `compat`"),
        (("photo.safetensors", "nothing.safetensors"), "`nothing.safetensors`"),
        (("photo.safetensors", "anime.safetensors", "--blocks", "0.1,0.2"), "2 block weights were given"),
        (("photo.safetensors", "anime.safetensors", "-o", "photo.safetensors"), "is one of the models"),
        (("photo.safetensors", "anime.safetensors", "-o", "x.ckpt"), "would be no safetensors file"),
        (("photo.safetensors", "anime.safetensors", "--device", "nowhere"), "there is no device"),
        (("photo.safetensors", "--lora", "anime.safetensors"), "is no adapter"),
    ],
)
def test_what_cannot_be_merged_is_said_in_three_parts(
    world: World, pair: tuple[Path, Path], arguments: tuple[str, ...], said: str
) -> None:
    before = [path.read_bytes() for path in pair]
    out = () if "-o" in arguments else ("-o", "out.safetensors")
    failed = world.json("merge", *arguments, *out)
    assert failed.status == 2
    (error,) = failed.document["errors"]
    assert said in error["what"]
    assert error["why"]
    assert error["next"]
    assert [path.read_bytes() for path in pair] == before
    assert not Path("out.safetensors").exists()


def test_every_method_is_listed(world: World) -> None:
    listed = world.good("recipe", "methods").data
    assert {"weighted-sum", "ties", "dare", "della", "model-stock", "slerp"} <= {one["name"] for one in listed}
    assert all(one["formula"] and one["origin"] for one in listed)


def test_a_graph_that_uses_its_steps_twice_is_planned_in_a_moment(world: World, pair: tuple[Path, Path]) -> None:
    lines = ['[models]\na = "photo.safetensors"\nb = "anime.safetensors"']
    for turn in range(50):
        inputs = '["a", "b"]' if turn == 0 else f'["s{turn - 1}", "s{turn - 1}"]'
        lines.append(f'[[steps]]\nname = "s{turn}"\nmethod = "weighted-sum"\nalpha = 0.5\nmodels = {inputs}')
    Path("graph.toml").write_text("\n".join(lines))
    assert len(world.good("merge", "graph.toml", "-o", "mix.safetensors").data["steps"]) == 50


@pytest.mark.parametrize(
    ("text", "code"),
    [("a = " + "[" * 100_000, "format"), ("#" * (5 << 20), "format"), ("", "not-found-here")],
    ids=["deep", "long", "absent"],
)
def test_a_hostile_recipe_file_is_an_error_that_says_so(world: World, text: str, code: str) -> None:
    if text:
        (world.root / "work" / "r.toml").parent.mkdir(exist_ok=True)
        Path("r.toml").write_text(text)
    done = world.json("merge", "r.toml", "-o", "mix.safetensors")
    assert (done.status, done.codes) == (2, [code])


@pytest.mark.parametrize("alpha", [float("nan"), float("inf")])
def test_a_lora_with_numbers_that_are_not_finite_is_refused(
    world: World, pair: tuple[Path, Path], alpha: float
) -> None:
    broken = checkpoints.read(lora(Path("whole.safetensors")))
    name = next(key for key in broken if key.endswith(".alpha"))
    checkpoints.write(Path("broken.safetensors"), broken | {name: torch.tensor(alpha)})
    done = world.json("merge", str(pair[0]), "--lora", "broken.safetensors", "-o", "mix.safetensors")
    assert done.status == 2 and "not finite" in done.document["errors"][0]["what"]
    assert not [path for path in Path().iterdir() if "mix" in path.name]


def test_a_lora_that_fits_in_part_is_told_and_with_strict_an_error(world: World, pair: tuple[Path, Path]) -> None:
    whole = checkpoints.read(lora(Path("whole.safetensors")))
    stray = {
        f"lora_unet_nowhere.lora_{side}.weight": torch.ones(shape) for side, shape in (("up", (3, 2)), ("down", (2, 3)))
    }
    checkpoints.write(Path("part.safetensors"), whole | stray)
    done = world.good("merge", str(pair[0]), "--lora", "part.safetensors", "-o", "mix.safetensors")
    assert done.data["unmatched"] == ["lora_unet_nowhere"]
    assert any(
        "1 layer of 2 without a place in this model: lora_unet_nowhere" in text for text in done.document["warnings"]
    )
    done = world.json("merge", str(pair[0]), "--lora", "part.safetensors", "--strict", "-o", "other.safetensors")
    assert (done.status, done.codes) == (2, ["partial-match"])


def test_the_same_bytes_under_a_second_name_are_told(world: World, pair: tuple[Path, Path]) -> None:
    world.good("merge", *map(str, pair), "--name", "first", "--no-place")
    done = world.good("merge", *map(str, pair), "--name", "second", "--no-place")
    assert done.data["name"] == "first"
    assert any("`first`" in text for text in done.document["warnings"])


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (("unet:0:up", "unet:0:down"), "counts its layers"),
        (("base_model.model.unet.to_q.oft_R.weight", "base_model.model.unet.to_k.oft_R.weight"), "is no adapter"),
    ],
    ids=["cloneofsimo", "PEFT's OFT"],
)
def test_adapters_in_a_form_that_is_not_known_are_refused_not_left_out(
    world: World, pair: tuple[Path, Path], keys: tuple[str, ...], told: str
) -> None:
    checkpoints.write(Path("odd.safetensors"), {key: torch.ones(4, 4) for key in keys})
    failed = world.json("merge", str(pair[0]), "--lora", "odd.safetensors", "-o", "mix.safetensors")
    assert failed.status == 2
    assert told in failed.document["errors"][0]["what"]
    assert not Path("mix.safetensors").exists()
