"""`sdkeep lora` and `sdkeep embedding` as a person uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch as st
import torch

from sdkeep.formats.digests import digest_file
from sdkeep.ground.digest import DigestKind
from tests.makers.adapters import lora
from tests.world import Result, World

TO_K = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
KEY = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


def sha256(path: Path) -> str:
    return digest_file(path, frozenset({DigestKind.SHA256}))[0].value


def run(world: World, *words: object) -> Result:
    return world.run(*map(str, words))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    base = {
        KEY: torch.randn(320, 768),
        "model.diffusion_model.input_blocks.1.1.proj_in.weight": torch.randn(320, 320, 1, 1),
    }
    tuned = {key: tensor + 0.1 * torch.randn(tensor.shape) for key, tensor in base.items()}
    st.save_file(base, tmp_path / "base.safetensors")
    st.save_file(tuned, tmp_path / "tuned.safetensors")
    for name in ("one", "two"):
        st.save_file(lora(TO_K, 320, 768, 4, alpha=2.0), tmp_path / f"{name}.safetensors")
        st.save_file({"emb_params": torch.randn(2, 768)}, tmp_path / f"ti-{name}.safetensors")
    return tmp_path


def test_extract_writes_a_lora_that_knows_its_parents(world: World, models: Path) -> None:
    out = models / "out.safetensors"
    before = sha256(models / "tuned.safetensors")
    done = run(world, "--json", "lora", "extract", models / "tuned.safetensors", models / "base.safetensors",
                     "--rank", "8", "-o", out)  # fmt: skip
    assert done.status == 0
    assert (done.data["rank"], done.data["layers"], done.data["tensors"]) == (8, 2, 6)
    assert sha256(models / "tuned.safetensors") == before
    assert run(world, "add", out).status == 0
    lineage = run(world, "--json", "lineage", "out").data
    assert before in str(lineage)
    again = run(
        world, "--json", "lora", "extract", models / "tuned.safetensors", models / "base.safetensors", "-o", out
    )
    assert again.codes == ["would-overwrite"]


def test_the_same_extraction_gives_the_same_bytes(world: World, models: Path) -> None:
    for name in ("a", "b"):
        done = run(world, "lora", "extract", models / "tuned.safetensors", models / "base.safetensors", "--rank", "8",
                         "-o", models / f"{name}.safetensors")  # fmt: skip
        assert done.status == 0
    assert sha256(models / "a.safetensors") == sha256(models / "b.safetensors")


def test_merge_goes_into_the_store_with_both_parents(world: World, models: Path) -> None:
    done = run(world, "--json", "lora", "merge", f"{models / 'one.safetensors'}:0.5", models / "two.safetensors",
                     "--name", "both", "--no-place")  # fmt: skip
    assert done.status == 0
    assert (done.data["name"], done.data["rank"]) == ("both", 8)
    lineage = str(run(world, "--json", "lineage", "both").data)
    assert all(sha256(models / f"{name}.safetensors") in lineage for name in ("one", "two"))


def test_resize_and_convert_say_what_they_made(world: World, models: Path) -> None:
    small = run(world, "--json", "lora", "resize", models / "one.safetensors", "--rank", "fro:0.5,most:2", "-o",
                      models / "small.safetensors")  # fmt: skip
    assert small.data["rank"] <= 2
    assert 0 < small.data["lost"] < 1
    other = run(world, "lora", "convert", models / "one.safetensors", "--to", "peft", "-o", models / "peft.safetensors")
    assert other.status == 0
    assert all(".lora_" in key for key in st.load_file(models / "peft.safetensors"))


def test_a_dry_run_writes_nothing(world: World, models: Path) -> None:
    done = run(world, "--json", "lora", "resize", models / "one.safetensors", "-n", "-o", models / "x.safetensors")
    assert done.data["dry_run"] is True
    assert not (models / "x.safetensors").exists()


def test_embeddings_are_joined(world: World, models: Path) -> None:
    one, two = (models / f"ti-{name}.safetensors" for name in ("one", "two"))
    done = run(world, "embedding", "merge", one, two, "--how", "concat", "-o", models / "ti.safetensors")
    assert done.status == 0
    assert st.load_file(models / "ti.safetensors")["emb_params"].shape == (4, 768)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("lora", "resize", "one.safetensors", "--rank", "half"), "usage"),
        (("lora", "resize", "one.safetensors", "--rank", "ratio:7"), "usage"),
        (("lora", "resize", "base.safetensors"), "format"),
        (("lora", "merge", "one.safetensors"), "usage"),
        (("lora", "convert", "one.safetensors", "--to", "other"), "usage"),
        (("lora", "extract", "one.safetensors", "two.safetensors"), "wrong-family"),
        (("lora", "extract", "base.safetensors", "nothing.safetensors"), "not-found-here"),
        (("embedding", "merge", "one.safetensors", "ti-one.safetensors"), "format"),
        (("embedding", "merge", "ti-one.safetensors", "ti-two.safetensors", "--how", "weighted"), "usage"),
    ],
)
def test_what_cannot_be_done_is_told_in_three_parts(
    world: World, models: Path, words: tuple[str, ...], code: str
) -> None:
    here = [str(models / word) if word.endswith(".safetensors") else word for word in words]
    done = run(world, "--json", *here, "--no-place")
    assert done.status == 2
    assert done.codes == [code]
    assert all(done.document["errors"][0][part] for part in ("what", "why", "next"))
