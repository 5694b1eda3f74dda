"""InvokeAI, Fooocus, SwarmUI, NovelAI, StabilityMatrix, Civitai's graphs: each in its own shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.contents import Container
from sdkeep.formats.infotext.loose import as_setting
from sdkeep.formats.infotext.parameters import read_parameters
from sdkeep.formats.infotext.values import Parameters, Picture, Tool
from sdkeep.formats.infotext.writing import write_infotext
from sdkeep.ground.kinds import Kind
from tests.makers.pictures import said

HEX = "ab" * 32


def needs(found: Parameters) -> list[tuple[Kind, str, float | None, list[str]]]:
    return [(need.kind, need.name, need.weight, [str(digest) for digest in need.digests]) for need in found.needs]


# InvokeAI


def test_invokeai_names_its_models_with_blake3() -> None:
    found = said({"invokeai_metadata": json.dumps({
        "positive_prompt": "a cat", "negative_prompt": "a dog", "width": 1024, "height": 768, "seed": 5,
        "cfg_scale": 6.5,
        "steps": 24, "scheduler": "euler_a", "clip_skip": 1, "strength": 0.4, "app_version": "6.10.0",
        "model": {"key": "k", "hash": "blake3:" + HEX, "name": "wai", "base": "sdxl", "type": "main"},
        "vae": {"model_name": "fix", "base_model": "sdxl"},
        "loras": [{"model": {"name": "new", "hash": "sha256:" + HEX}, "weight": 0.75},
                  {"lora": {"model_name": "old"}, "weight": 1}],
        "controlnets": [{"control_model": {"name": "canny"}, "control_weight": 0.5}],
        "t2iAdapters": [{"t2i_adapter_model": {"name": "sketch"}, "weight": 1}],
        "ipAdapters": [{"ip_adapter_model": {"name": "plus", "hash": "random:1"}, "weight": 0.45}, None],
        "upscale_model": {"name": "4x"},
    })})  # fmt: skip
    assert (found.tool, found.prompt, found.negative, found.version) == (Tool.INVOKEAI, "a cat", "a dog", "6.10.0")
    assert (found.steps, found.sampler, found.cfg, found.seed, found.width) == (24, "euler_a", 6.5, 5, 1024)
    assert needs(found) == [
        (Kind.CHECKPOINT, "wai", None, ["blake3:" + HEX]), (Kind.VAE, "fix", None, []), (Kind.UPSCALER, "4x", None, []),
        (Kind.LORA, "new", 0.75, ["sha256:" + HEX]), (Kind.LORA, "old", 1.0, []), (Kind.CONTROLNET, "canny", 0.5, []),
        (Kind.T2I_ADAPTER, "sketch", 1.0, []), (Kind.IP_ADAPTER, "plus", 0.45, []),
    ]  # fmt: skip


def test_invokeai_2_keeps_negative_words_in_brackets() -> None:
    found = said({"sd-metadata": json.dumps({
        "model_weights": "deliberate", "model_hash": HEX, "app_version": "2.3.0",
        "image": {"prompt": [{"prompt": "a cat [dog, blurry] sitting [dull]", "weight": 1}], "steps": 50, "seed": 1,
                  "cfg_scale": 5, "sampler": "k_lms", "loras": [{"name": "x", "weight": 0.5}]},
    })})  # fmt: skip
    assert (found.prompt, found.negative, found.steps) == ("a cat sitting", "dog, blurry, dull", 50)
    assert needs(found) == [(Kind.CHECKPOINT, "deliberate", None, ["sha256:" + HEX]), (Kind.LORA, "x", 0.5, [])]


def test_a_dream_is_read_as_a_command_line() -> None:
    found = said({"Dream": '"a "quoted" cat [dog]" -s 50 -S 2980747362 -W 512 -H 768 -C 5 -A k_lms -G 0.9 -U 4 0.95'})
    assert (found.prompt, found.negative) == ('a "quoted" cat', "dog")
    assert (found.steps, found.seed, found.width, found.height, found.cfg, found.sampler) == (
        50, 2980747362, 512, 768, 5.0, "k_lms",
    )  # fmt: skip
    assert found.needs == ()


def test_the_newest_readable_of_invokeais_texts_counts() -> None:
    assert said({"Dream": '"a" -s 1', "sd-metadata": "broken", "invokeai_metadata": "{"}).chunk == "Dream"
    assert said({"Dream": '"a" -s 1', "sd-metadata": '{"image": {"steps": 2}}'}).steps == 2


def test_a_dream_without_quotes_is_none() -> None:
    assert read_parameters(Picture(Container.PNG, 1, 1, {"Dream": "no quotes"})) is None


# Fooocus


def test_fooocus_own_scheme() -> None:
    found = said({"fooocus_scheme": "fooocus", "parameters": json.dumps({
        "prompt": "a goldfish (embedding:unaestheticXL:1.1)", "negative_prompt": "x <lora:tag:0.3>", "steps": 30,
        "base_model": "jugg", "base_model_hash": "aeb7e9e689", "refiner_model": "ref",
        "refiner_model_hash": "1234567890",
        "loras": [["offset", 0.1, "4852686128"], {"name": "obj", "weight": 0.2, "hash": "bad"}],
        "vae": "Default (model)",
        "lora_combined_1": "offset : 0.1", "lora_combined_2": "True : third.safetensors : 0.4",
        "lora_combined_3": "False : off : 1", "guidance_scale": 4, "seed": "6952411511246973023", "clip_skip": 2,
        "resolution": "(768, 1280)", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "version": "Fooocus v2.4.3",
    })})  # fmt: skip
    assert (found.tool, found.width, found.height, found.seed) == (Tool.FOOOCUS, 768, 1280, 6952411511246973023)
    assert needs(found) == [
        (Kind.CHECKPOINT, "jugg", None, ["autov2:aeb7e9e689"]), (Kind.CHECKPOINT, "ref", None, ["autov2:1234567890"]),
        (Kind.LORA, "offset", 0.1, ["autov2:4852686128"]), (Kind.LORA, "obj", 0.2, []),
        (Kind.LORA, "third.safetensors", 0.4, []), (Kind.EMBEDDING, "unaestheticXL", 1.1, []), (Kind.LORA, "tag", 0.3,
        []),
    ]  # fmt: skip


def test_fooocus_other_scheme_is_an_infotext_by_fooocus() -> None:
    text = "a\nNegative prompt: b\nSteps: 30, Sampler: DPM++ 2M SDE Karras, Seed: 1, Size: 8x8, Model: jugg"
    assert said({"fooocus_scheme": "a1111", "parameters": text}).tool is Tool.FOOOCUS
    assert said({"exif:MakerNote": "a1111", "exif:UserComment": text}).tool is Tool.FOOOCUS


def test_ruined_fooocus_gives_the_whole_sha256() -> None:
    found = said({"parameters": json.dumps({
        "Prompt": "a cat <lora:y:2>", "Negative": "a dog", "steps": 30, "cfg": 8, "width": 1024, "height": 1024,
        "seed": 2,
        "sampler_name": "dpmpp", "scheduler": "karras", "base_model_name": "wai.safetensors",
        "base_model_hash": HEX.upper(),
        "loras": [["x", 1]], "denoise": None, "clip_skip": 1, "software": "RuinedFooocus",
    })})  # fmt: skip
    assert (found.tool, found.prompt, found.denoising) == (Tool.RUINED_FOOOCUS, "a cat <lora:y:2>", None)
    assert needs(found) == [
        (Kind.CHECKPOINT, "wai.safetensors", None, ["sha256:" + HEX]), (Kind.LORA, "x", 1.0, []), (Kind.LORA, "y",
        2.0, []),
    ]  # fmt: skip


# SwarmUI


def test_swarmui_hashes_the_payload() -> None:
    found = said({"parameters": json.dumps({
        "sui_image_params": {
            "prompt": "a <lora:c:0.5>", "negativeprompt": "b", "model": "dir/wai", "seed": 3, "steps": 20,
            "cfgscale": 7.0,
            "width": 8, "height": 16, "sampler": "euler", "scheduler": "karras", "swarm_version": "0.9.7.4",
            "loras": ["x/l", "m"], "loraweights": ["0.7", "1"], "vae": "None", "clipstopatlayer": -2,
            "refinerupscalemethod": "model-4x.pth", "initimagecreativity": 0.6,
        },
        "sui_models": [{"name": "dir/wai.safetensors", "param": "model", "hash": "0x" + HEX},
                       {"name": "x/l.safetensors", "param": "loras", "hash": "0x" + "cd" * 32}],
    })})  # fmt: skip
    assert (found.tool, found.clip_skip, found.version, found.denoising) == (Tool.SWARMUI, 2, "0.9.7.4", 0.6)
    assert needs(found) == [
        (Kind.CHECKPOINT, "dir/wai.safetensors", None, ["autov3:" + HEX[:12]]),
        (Kind.LORA, "x/l.safetensors", 0.7, ["autov3:" + "cd" * 6]), (Kind.LORA, "m", 1.0, []),
        (Kind.UPSCALER, "4x.pth", None, []), (Kind.LORA, "c", 0.5, []),
    ]  # fmt: skip


# NovelAI


def _novelai(**comment: object) -> dict[str, str]:
    return {"Software": "NovelAI", "Description": "a cat", "Source": "NovelAI Diffusion V4.5 C02D4F98",
            "Comment": json.dumps({"steps": 23, "sampler": "k_euler", "seed": 1, "scale": 5, "uc": "bad",
            **comment})}  # fmt: skip


def test_novelai_is_read_from_its_comment() -> None:
    found = said(_novelai(noise_schedule="karras", width=8, height=9, strength=0.4))
    assert (found.tool, found.prompt, found.negative, found.cfg, found.schedule) == (
        Tool.NOVELAI, "a cat", "bad", 5.0, "karras",
    )  # fmt: skip
    (need,) = found.needs
    assert (need.name, need.digests) == ("NovelAI Diffusion V4.5", ())
    assert "hash is its own" in need.doubt


def test_novelai_4_has_a_caption_for_each_character() -> None:
    captions = {
        "caption": {"base_caption": "two people", "char_captions": [{"char_caption": "girl"}, {"char_caption": "boy"}]}
    }
    assert said(_novelai(prompt="x", v4_prompt=captions)).prompt == "two people\ngirl\nboy"


def test_novelais_hidden_message_holds_all_its_texts() -> None:
    found = said({"stealth": json.dumps(_novelai())})
    assert (found.tool, found.chunk, found.prompt) == (Tool.NOVELAI, "stealth", "a cat")


def test_novelais_comment_alone_in_exif_is_read() -> None:
    assert said({"exif:UserComment": _novelai()["Comment"]}).tool is Tool.NOVELAI


def test_a_value_nested_too_deep_to_write_is_left_empty() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert as_setting(deep) == ""
    while deep:  # taken apart by hand, since letting go of it recurses as well
        deep = deep.pop()  # type: ignore[assignment]


def test_another_programs_comment_is_no_novelai() -> None:
    assert read_parameters(Picture(Container.PNG, 1, 1, {"Comment": "Created with GIMP", "Software": "GIMP"})) is None


# StabilityMatrix and Civitai


def test_stability_matrix_json_counts_before_its_other_texts() -> None:
    graph = {"1": {"class_type": "LoraLoader", "inputs": {"lora_name": "l.safetensors", "strength_model": 1}}}
    found = said({
        "prompt": json.dumps(graph),
        "parameters": "other\nSteps: 1, Sampler: a, Seed: 2",
        "parameters-json": json.dumps({
            "PositivePrompt": "a cat", "NegativePrompt": "", "Steps": 20, "Sampler": "Euler a", "CfgScale": 5,
            "Seed": 7,
            "Height": 8, "Width": 9, "ModelHash": HEX.upper(), "ModelName": "wai.safetensors", "ModelVersionId": 12,
            "ExtraNetworkModelVersionIds": [34, None],
        }),
    })  # fmt: skip
    assert (found.tool, found.prompt, found.chunk) == (Tool.STABILITY_MATRIX, "a cat", "parameters-json")
    assert needs(found)[0] == (Kind.CHECKPOINT, "wai.safetensors", None, ["sha256:" + HEX])
    assert [need.version_id for need in found.needs] == [12, 34, None]
    assert needs(found)[2][:2] == (Kind.LORA, "l.safetensors")


def test_civitais_graph_carries_its_parameters_as_json_inside_json() -> None:
    extra = {"prompt": "a cat", "negativePrompt": "a dog", "steps": 25, "cfgScale": 4, "sampler": "Euler", "seed": 3,
             "resources": [{"modelVersionId": 128713, "strength": 1}, {"modelVersionId": 9,
             "type": "lora"}]}  # fmt: skip
    document = {
        "1": {"class_type": "CheckpointLoaderSimple",
        "inputs": {"ckpt_name": "urn:air:sd1:checkpoint:civitai:4384@128713"}},
        "extra": {"airs": ["urn:air:sd1:checkpoint:civitai:4384@128713"]}, "extraMetadata": json.dumps(extra),
    }  # fmt: skip
    found = said({"exif:UserComment": json.dumps(document)})
    assert (found.tool, found.prompt, found.steps, found.cfg) == (Tool.CIVITAI, "a cat", 25, 4.0)
    assert [(need.kind, need.version_id) for need in found.needs] == [(Kind.CHECKPOINT, 128713), (Kind.LORA, 9)]


# All of them


def test_what_a_picture_could_not_say_is_handed_on() -> None:
    picture = Picture(Container.PNG, 1, 1, {"parameters": "a"}, ("the PNG is cut short",))
    found = read_parameters(picture)
    assert found is not None
    assert found.problems == ("the PNG is cut short",)


@pytest.mark.parametrize("texts", [{}, {"Title": "x"}, {"parameters": '{"strange": 1}'}, {"workflow": "[]"},
                                   {"sd-ti-embedding": "eyJ"}, {"parameters": "  "}])  # fmt: skip
def test_texts_that_say_nothing_are_no_parameters(texts: dict[str, str]) -> None:
    assert read_parameters(Picture(Container.PNG, 1, 1, texts)) is None


def test_a_prompt_in_braces_is_no_json() -> None:
    assert said({"parameters": "{red|blue} cat\nSteps: 1, Sampler: a, Seed: 2"}).prompt == "{red|blue} cat"


def test_any_programs_parameters_are_written_as_an_infotext() -> None:
    found = said({"invokeai_metadata": json.dumps({
        "positive_prompt": "a cat", "negative_prompt": "a dog", "width": 8, "height": 9, "seed": 5, "cfg_scale": 6.5,
        "steps": 24, "scheduler": "euler_a", "model": {"name": "dir/wai.safetensors", "hash": "sha256:" + HEX},
        "vae": {"name": "v.pt"}, "loras": [{"model": {"name": "a,b", "hash": "sha256:" + HEX}, "weight": 1},
                                           {"model": {"name": "c", "hash": "blake3:" + HEX}, "weight": 1}],
    })})  # fmt: skip
    assert write_infotext(found) == (
        "a cat\nNegative prompt: a dog\nSteps: 24, Sampler: euler_a, CFG scale: 6.5, Seed: 5, Size: 8x9, "
        'Model hash: ababababab, Model: wai, VAE: v.pt, Lora hashes: "ab: ababababab"'
    )


def test_an_infotext_is_written_with_every_setting_it_had() -> None:
    text = 'a cat\nNegative prompt: b\nSteps: 1, Sampler: a, CFG scale: 7, Odd key: "x, y", Version: v1'
    assert write_infotext(said({"parameters": text})) == text


_WORDS = st.sampled_from(
    ["base_model", "loras", "sui_image_params", "sui_models", "image", "prompt", "Comment", "uc", "scale", "software",
     "RuinedFooocus", "v4_prompt", "caption", "extraMetadata", "resources", "air", "urn:air:a:b:civitai:1@2", "model",
     "hash", "name", "weight", "ModelName", "ExtraNetworkModelVersionIds", "ModelVersionId", "resolution", "seed"]
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=6),
    max_leaves=20,
)
_CHUNKS = st.sampled_from(
    ["parameters", "parameters-json", "invokeai_metadata", "sd-metadata", "Dream", "Comment", "prompt", "workflow",
    "stealth",
     "exif:UserComment", "comment", "fooocus_scheme"]
)  # fmt: skip


@given(st.dictionaries(_CHUNKS, _JSON.map(json.dumps) | st.text(max_size=80), max_size=4))
def test_any_json_in_any_text_never_raises(texts: dict[str, str]) -> None:
    found = read_parameters(Picture(Container.PNG, 1, 1, texts))
    if found is not None:
        write_infotext(found)
