"""What a path says of its file, and what tags and names say of a repository."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.licences import licence_called
from sdkeep.ground.kinds import Extent, Family, Format, Kind, Precision, Role
from sdkeep.ground.licence import Use
from sdkeep.hubs.huggingface import files, words


@pytest.mark.parametrize(
    ("path", "format", "role"),
    [
        ("model.safetensors", Format.SAFETENSORS, Role.MODEL),
        ("v2-1_768-ema-pruned.ckpt", Format.PICKLE, Role.MODEL),
        ("Models/AbyssOrangeMix/x.SafeTensors", Format.SAFETENSORS, Role.MODEL),
        ("VAEs/orangemix.vae.pt", Format.PICKLE, Role.VAE),
        ("unet/diffusion_pytorch_model.fp16.bin", Format.DIFFUSERS, Role.DIFFUSION_MODEL),
        ("unet/my-own-unet.safetensors", Format.SAFETENSORS, Role.MODEL),
        ("sub/vae/diffusion_pytorch_model.safetensors", Format.DIFFUSERS, Role.VAE),
        ("diffusion_pytorch_model.safetensors", Format.SAFETENSORS, Role.MODEL),
        ("diffusion_pytorch_model-00001-of-00003.safetensors", Format.DIFFUSERS, Role.MODEL),
        ("text_encoders/t5xxl_fp16.safetensors", Format.SAFETENSORS, Role.TEXT_ENCODER),
        ("flux1-dev-Q4_K_S.gguf", Format.GGUF, Role.MODEL),
        ("config.json", Format.OTHER, Role.CONFIG),
        ("v1-inference.yaml", Format.YAML, Role.CONFIG),
        ("optimizer.bin", Format.PICKLE, Role.TRAINING_DATA),
        ("checkpoint-500/pytorch_lora_weights.safetensors", Format.SAFETENSORS, Role.TRAINING_DATA),
        ("README.md", Format.UNKNOWN, Role.MODEL),
        ("noextension", Format.UNKNOWN, Role.MODEL),
    ],
)
def test_a_path_tells_format_and_role(path: str, format: Format, role: Role) -> None:
    assert (files.format_of(path), files.role_of(path, Kind.CHECKPOINT)) == (format, role)


def test_in_a_repository_of_vaes_a_vae_is_the_model() -> None:
    assert files.role_of("vae-ft-mse-840000-ema-pruned.ckpt", Kind.VAE) is Role.MODEL
    assert files.role_of("vae-ft-mse-840000-ema-pruned.ckpt", Kind.CHECKPOINT) is Role.VAE


@pytest.mark.parametrize(
    ("path", "precision"),
    [
        ("model.fp16.safetensors", Precision.FP16),
        ("model_bf16.safetensors", Precision.BF16),
        ("x-fp32.ckpt", Precision.FP32),
        ("t5xxl_fp8_e4m3fn.safetensors", Precision.FP8),
        ("model-int8.bin", Precision.INT8),
        ("flux-nf4.safetensors", Precision.NF4),
        ("chilloutmix_NiPrunedFp32Fix.safetensors", Precision.FP32),
        ("stuff16.safetensors", Precision.UNKNOWN),
        ("halfbody.safetensors", Precision.UNKNOWN),
        ("model.safetensors", Precision.UNKNOWN),
    ],
)
def test_a_name_tells_the_precision(path: str, precision: Precision) -> None:
    assert files.precision_of(path) is precision


@pytest.mark.parametrize(
    ("path", "extent"),
    [
        ("v1-5-pruned.ckpt", Extent.PRUNED),
        ("v1-5-pruned-emaonly.ckpt", Extent.PRUNED),
        ("sd-v1-4-full-ema.ckpt", Extent.FULL),
        ("fullmetal.ckpt", Extent.UNKNOWN),
        ("model.ckpt", Extent.UNKNOWN),
    ],
)
def test_a_name_tells_the_extent(path: str, extent: Extent) -> None:
    assert files.extent_of(path) is extent


@pytest.mark.parametrize(
    ("paths", "main"),
    [
        (["a.safetensors"], "a.safetensors"),
        (["a.ckpt", "a.safetensors", "v1.yaml"], "a.safetensors"),
        (["a.ckpt", "b.ckpt"], ""),
        (["a.ckpt", "a.vae.pt"], "a.ckpt"),
        (["unet/diffusion_pytorch_model.bin"], ""),
        (["a.ckpt", "checkpoints/b.ckpt"], "a.ckpt"),
        ([], ""),
    ],
)
def test_one_single_file_is_the_primary_one(paths: list[str], main: str) -> None:
    assert files.primary(paths, Kind.CHECKPOINT) == main


@given(st.text(max_size=40))
def test_any_path_is_read_without_an_exception(path: str) -> None:
    assert files.format_of(path) in Format
    assert files.role_of(path, Kind.UNKNOWN) in Role
    assert files.precision_of(path) in Precision
    assert files.extent_of(path) in Extent
    assert files.primary([path], Kind.UNKNOWN) in ("", path)


@pytest.mark.parametrize(
    ("tags", "names", "repo", "kind"),
    [
        (["lora"], [], "a/b", Kind.LORA),
        (["LyCORIS", "lora"], [], "a/b", Kind.LYCORIS),
        (["textual_inversion"], [], "a/b", Kind.EMBEDDING),
        (["controlnet", "lora"], [], "a/b", Kind.CONTROLNET),
        ([], ["pytorch_lora_weights.safetensors"], "a/b", Kind.LORA),
        ([], ["learned_embeds.bin"], "a/b", Kind.EMBEDDING),
        ([], ["model_index.json", "unet/config.json"], "a/lora-ish", Kind.CHECKPOINT),
        ([], [], "stabilityai/sd-vae-ft-mse-original", Kind.VAE),
        ([], [], "lllyasviel/ControlNet-v1-1", Kind.CONTROLNET),
        (["sentence-similarity"], ["model.safetensors"], "a/b", Kind.UNKNOWN),
    ],
)
def test_tags_then_files_then_the_name_tell_the_kind(tags: list[str], names: list[str], repo: str, kind: Kind) -> None:
    assert words.kind(tags, names, repo) is kind


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("stabilityai/stable-diffusion-xl-base-1.0", Family.SDXL),
        ("stabilityai/stable-diffusion-xl-refiner-1.0", Family.SDXL_REFINER),
        ("stabilityai/sdxl-turbo", Family.SDXL),
        ("stabilityai/sd-turbo", Family.SD2),
        ("runwayml/stable-diffusion-v1-5", Family.SD1),
        ("CompVis/stable-diffusion-v-1-4-original", Family.SD1),
        ("stabilityai/stable-diffusion-2-1", Family.SD2),
        ("stabilityai/stable-diffusion-3.5-large", Family.SD3),
        ("black-forest-labs/FLUX.1-dev", Family.FLUX1),
        ("black-forest-labs/FLUX.2-dev", Family.FLUX2),
        ("Laxhar/noobai-XL-1.0", Family.SDXL),
        ("google-bert/bert-base-uncased", Family.UNKNOWN),
    ],
)
def test_a_base_model_s_name_tells_the_family(name: str, family: Family) -> None:
    assert words.family([name], []) is family


def test_the_first_telling_name_wins_and_tags_come_last() -> None:
    assert words.family(["someone/unknown", "stabilityai/sd-turbo"], ["stable-diffusion-xl"]) is Family.SD2
    assert words.family(["someone/unknown"], ["diffusers:FluxPipeline"]) is Family.FLUX1


@pytest.mark.parametrize(
    ("id_", "name", "known"),
    [
        ("creativeml-openrail-m", "", "CreativeML Open RAIL-M"),
        ("openrail++", "", "Open RAIL++-M"),
        ("other", "sai-nc-community", "Stability AI Non-Commercial Research"),
        ("other", "flux-1-dev-non-commercial-license", "FLUX.1 [dev] Non-Commercial License"),
        ("other", "", None),
        ("my-own", "apache-2.0", None),
    ],
)
def test_a_licence_is_known_by_its_id_or_as_other_by_its_name(id_: str, name: str, known: str | None) -> None:
    found = licence_called(id_, name)
    assert (found.name if found else None) == known


def test_a_non_commercial_licence_never_sells_the_model() -> None:
    for id_, name in (
        ("cc-by-nc-4.0", ""),
        ("other", "sai-nc-community"),
        ("other", "flux-1-dev-non-commercial-license"),
    ):
        found = licence_called(id_, name)
        assert found
        assert found.allows[Use.SELL_MODEL] is False


def test_every_rule_names_something_of_ours() -> None:
    data = words._words()
    for target, patterns in (*data.kind_tag, *data.kind_file, *data.kind_name):
        assert Kind.of(target) is not Kind.UNKNOWN
        assert patterns
    for target, _ in (*data.family_name, *data.family_tag):
        assert Family.of(target) is not Family.UNKNOWN
    assert all(Kind.of(kind) is not Kind.UNKNOWN for kind in data.search_kind)
    assert all(Format.of(format) is not Format.UNKNOWN for format in data.search_format)


@pytest.mark.parametrize(
    ("word", "bases"),
    [
        ("SDXL 1.0", ("stabilityai/stable-diffusion-xl-base-1.0",)),
        ("sdxl", ("stabilityai/stable-diffusion-xl-base-1.0",)),
        ("hf:ada/base", ("ada/base",)),
        ("ada/base", ("ada/base",)),
        ("Unheard Of", ()),
        ("", ()),
    ],
)
def test_the_name_of_a_base_model_stands_for_repositories(word: str, bases: tuple[str, ...]) -> None:
    assert words.bases_of(word) == bases
