"""Names of adapters to keys of checkpoints: every spelling, every family, on the key lists of real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from sdkeep.formats.safetensors import read_header
from sdkeep.formats.source import FileSource
from sdkeep.weights.adapters.parsing import adapters_of
from sdkeep.weights.adapters.spelling import Place, from_ldm, place_of, to_ldm
from sdkeep.weights.adapters.targets import Names, resolve
from sdkeep.weights.adapters.values import Adapter, Naming
from tests.makers.adapters import Entry, lora, parsed

UNET, TE, TE2 = "model.diffusion_model.", "cond_stage_model.transformer.text_model.", "conditioner.embedders.1.model."
SD1 = {
    f"{UNET}input_blocks.0.0.weight": (8, 4, 3, 3),
    f"{UNET}input_blocks.1.0.in_layers.2.weight": (8, 8, 3, 3),
    f"{UNET}input_blocks.1.1.proj_in.weight": (8, 8, 1, 1),
    f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 6),
    f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_out.0.weight": (8, 8),
    f"{UNET}input_blocks.2.0.op.weight": (8, 8, 3, 3),
    f"{UNET}middle_block.1.proj_in.weight": (8, 8, 1, 1),
    f"{UNET}output_blocks.0.0.skip_connection.weight": (8, 16, 1, 1),
    f"{UNET}output_blocks.0.1.conv.weight": (8, 8, 3, 3),
    f"{UNET}time_embed.0.weight": (32, 8),
    f"{TE}encoder.layers.0.self_attn.q_proj.weight": (6, 6),
    f"{TE}encoder.layers.0.self_attn.q_proj.bias": (6,),
}


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("lora_unet_down_blocks_0_attentions_0_proj_in", "input_blocks.1.1.proj_in.weight"),
        ("lora_unet_input_blocks_1_1_proj_in", "input_blocks.1.1.proj_in.weight"),
        ("unet.down_blocks.0.attentions.0.proj_in", "input_blocks.1.1.proj_in.weight"),
        ("base_model.model.down_blocks.0.attentions.0.proj_in", "input_blocks.1.1.proj_in.weight"),
        ("model.diffusion_model.input_blocks.1.1.proj_in", "input_blocks.1.1.proj_in.weight"),
        (
            "down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_out",
            "input_blocks.1.1.transformer_blocks.0.attn2.to_out.0.weight",
        ),
        ("lora_unet_down_blocks_0_resnets_0_conv1", "input_blocks.1.0.in_layers.2.weight"),
        ("lora_unet_down_blocks_0_downsamplers_0_conv", "input_blocks.2.0.op.weight"),
        ("lora_unet_mid_block_attentions_0_proj_in", "middle_block.1.proj_in.weight"),
        ("lora_unet_up_blocks_0_resnets_0_conv_shortcut", "output_blocks.0.0.skip_connection.weight"),
        ("lora_unet_up_blocks_0_upsamplers_0_conv", "output_blocks.0.1.conv.weight"),
        ("lora_unet_time_embedding_linear_1", "time_embed.0.weight"),
        ("lora_unet_conv_in", "input_blocks.0.0.weight"),
    ],
)
def test_one_layer_of_the_unet_has_many_names(target: str, key: str) -> None:
    out, inner, *kernel = SD1[UNET + key]
    parts = parsed(lora(target, out, inner, 2, kernel=kernel[0] if kernel else 1)).parts
    ((_, slot),) = resolve(parts, SD1).matched
    assert slot.key == UNET + key


@pytest.mark.parametrize(
    "target",
    [
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
        "cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.q_proj",
    ],
)
def test_the_text_encoder_has_many_names_too(target: str) -> None:
    ((_, slot),) = resolve(parsed(lora(target, 6, 6, 2)).parts, SD1).matched
    assert slot.key == f"{TE}encoder.layers.0.self_attn.q_proj.weight"


def test_the_old_prefix_without_text_model_is_found() -> None:
    keys = {"cond_stage_model.transformer.encoder.layers.0.mlp.fc1.weight": (8, 6)}
    assert resolve(parsed(lora("lora_te_text_model_encoder_layers_0_mlp_fc1", 8, 6, 2)).parts, keys).matched


def test_openclip_keeps_query_key_and_value_in_thirds_of_one_tensor() -> None:
    keys = {f"{TE2}transformer.resblocks.0.attn.in_proj_weight": (18, 6), f"{TE2}text_projection": (6, 4)}
    names = [f"lora_te2_text_model_encoder_layers_0_self_attn_{name}_proj" for name in "qkv"]
    found = [resolve(parsed(lora(name, 6, 6, 2)).parts, keys).matched[0][1] for name in names]
    assert [slot.rows for slot in found] == [(0, 6), (6, 12), (12, 18)]
    ((_, slot),) = resolve(parsed(lora("lora_te2_text_projection", 4, 6, 2)).parts, keys).matched
    assert slot.transposed


def test_another_size_is_a_misfit_and_the_mark_of_another_family() -> None:
    found = resolve(parsed(lora("lora_unet_down_blocks_0_attentions_0_proj_in", 8, 12, 2)).parts, SD1)
    assert not found.matched
    assert found.wrong_family
    assert found.misfits[0].needs == (8, 12)


def test_an_adapter_of_which_only_the_text_encoder_fits_is_of_another_family() -> None:
    state = lora("lora_unet_double_blocks_0_img_attn_proj", 8, 8, 2)
    state |= lora("lora_te_text_model_encoder_layers_0_self_attn_q_proj", 6, 6, 2)
    found = resolve(parsed(state).parts, SD1)
    assert len(found.matched) == 1
    assert found.wrong_family


def test_a_missing_text_encoder_is_no_wrong_family() -> None:
    state = lora("lora_unet_down_blocks_0_attentions_0_proj_in", 8, 8, 2)
    state |= lora("lora_te_text_model_encoder_layers_9_self_attn_q_proj", 6, 6, 2)
    found = resolve(parsed(state).parts, SD1)
    assert found.unmatched == ("lora_te_text_model_encoder_layers_9_self_attn_q_proj",)
    assert not found.wrong_family


def test_keys_of_no_adapter_are_left_over() -> None:
    state = lora("lora_unet_conv_in", 8, 4, 2, kernel=3) | {
        "emb_params": torch.ones(2),
        "lora_unet_x.alpha": torch.ones(()),
    }
    found = parsed(state)
    assert len(found.parts) == 1
    assert found.leftovers == ("emb_params", "lora_unet_x.alpha")


@pytest.mark.parametrize("module", ["down_blocks.1.attentions.0.proj_in", "up_blocks.2.resnets.2.conv_shortcut",
                                    "mid_block.resnets.1.norm1", "down_blocks.0.downsamplers.0.conv", "conv_out",
                                    "up_blocks.1.upsamplers.0.conv", "add_embedding.linear_2"])  # fmt: skip
def test_numbering_goes_there_and_back(module: str) -> None:
    assert from_ldm(to_ldm(module)) == module
    assert place_of(Place("unet", module).kohya()) == Place("unet", module)
    assert place_of(Place("unet", module).kohya(ldm=True)) == Place("unet", module)
    assert place_of(Place("unet", module).peft()) == Place("unet", module)


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    found = json.loads(path.read_text())["tensors"]
    return {name: tuple(entry["shape"]) for name, entry in found.items()}


@pytest.mark.corpus
class TestRealFiles:
    FITS: ClassVar = {
        "lora_kohya_sd15": "sd15", "lora_kohya_sd15_no_metadata": "sd15", "locon_kohya_sd15": "sd15",
        "loha_sd15": "sd15", "full_diff_sd15": "sd15", "lora_kohya_sdxl_diffusers_names": "sdxl",
        "lora_peft_diffusers_sdxl": "sdxl",
    }  # fmt: skip

    @pytest.mark.parametrize("name", FITS)
    def test_adapters_fit_their_own_family_whole_and_no_other(self, corpus: Path, name: str) -> None:
        folder = corpus / "headers" / "structural"
        adapter = adapters_of([Entry(*pair) for pair in shapes_in(folder / f"{name}.json").items()])
        assert not adapter.leftovers
        for family in ("sd15", "sd2", "sdxl", "sdxl_refiner"):
            found = resolve(adapter.parts, shapes_in(folder / f"{family}_checkpoint.json"))
            assert found.wrong_family is (family != self.FITS[name])
            if family == self.FITS[name]:
                assert len(found.matched) == len(adapter.parts)

    def test_the_layers_of_a_sd15_file_have_one_name_each_in_diffusers(self, corpus: Path) -> None:
        from sdkeep.weights.adapters.names import layers

        for family in ("sd15", "sd2", "sdxl", "sdxl_refiner"):
            keys = shapes_in(corpus / "headers" / "structural" / f"{family}_checkpoint.json")
            found = [
                (layer.network.root, layer.diffusers, layer.parameter) for layer in layers(keys) if layer.diffusers
            ]
            assert len(found) == len(set(found))

    @pytest.mark.parametrize(
        ("file", "naming", "parts"),
        [
            ("lycoris_lokr_dim4_smart_falcon", Naming.KOHYA, 350),
            ("lora_diffusers_unet_2100", Naming.DIFFUSERS, 128),
            ("lora_kohya_noalpha_doubleprefix", Naming.KOHYA, 128),
        ],
    )
    def test_real_files_are_read_without_leftovers(self, corpus: Path, file: str, naming: Naming, parts: int) -> None:
        with FileSource(corpus / "models" / f"{file}.safetensors") as source:
            header = read_header(source)
        adapter: Adapter = adapters_of(header.tensors, header.metadata)
        assert (adapter.naming, len(adapter.parts), adapter.leftovers) == (naming, parts, ())
        keys = Names(shapes_in(corpus / "headers" / "structural" / "sd15_checkpoint.json"))
        assert len(resolve(adapter.parts, keys).matched) == parts
