"""The models that an infotext calls, and what it says besides."""

from __future__ import annotations

import pytest

from sdkeep.formats.infotext.values import Mention, Need, Parameters, Tool
from sdkeep.formats.infotext.webui import read_webui
from sdkeep.ground.digest import DigestKind
from sdkeep.ground.kinds import Kind

BASE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768"


def read(settings: str = "", prompt: str = "a cat", negative: str = "") -> Parameters:
    line = f"{BASE}, {settings}" if settings else BASE
    negative = f"\nNegative prompt: {negative}" if negative else ""
    found = read_webui(f"{prompt}{negative}\n{line}", "parameters")
    assert found is not None
    return found


def needs(
    settings: str = "", prompt: str = "a cat", negative: str = ""
) -> list[tuple[Kind, str, float | None, list[str]]]:
    return [
        (need.kind, need.name, need.weight, [str(digest) for digest in need.digests])
        for need in read(settings, prompt, negative).needs
    ]


def one(settings: str, prompt: str = "a cat") -> Need:
    (need,) = read(settings, prompt).needs
    return need


def test_the_common_fields_are_typed() -> None:
    found = read("Schedule type: Karras, Denoising strength: 0.45, Clip skip: 2, Version: v1.10.1")
    assert (found.steps, found.sampler, found.schedule, found.cfg, found.seed) == (20, "Euler a", "Karras", 7.0, 1)
    assert (found.width, found.height, found.clip_skip, found.denoising) == (512, 768, 2, 0.45)
    assert (found.version, found.tool, found.chunk) == ("v1.10.1", Tool.A1111, "parameters")
    assert found.settings["Size"] == "512x768"


@pytest.mark.parametrize(
    ("line", "field"),
    [("Steps: many", "steps"), ("CFG scale: nan", "cfg"), ("CFG scale: 1e999", "cfg"), ("Seed: " + "9" * 5000, "seed"),
     ("Size: 1x2x3", "width"), ("Clip skip: 1.5", "clip_skip")],
)  # fmt: skip
def test_a_field_that_cannot_be_read_is_absent(line: str, field: str) -> None:
    assert getattr(read(line), field) is None


@pytest.mark.parametrize(
    ("settings", "tool"),
    [
        ("Version: v1.10.1", Tool.A1111),
        ("Version: 1.6.0", Tool.A1111),
        ("Version: f2.0.1v1.10.1-previous-659-gc055f2d4", Tool.FORGE),
        ("Version: classic", Tool.FORGE),
        ("Version: neo", Tool.FORGE),
        ("App: SD.Next, Version: 56a8aea", Tool.SDNEXT),
        ("Version: 56a8aea, Pipeline: StableDiffusionXLPipeline", Tool.SDNEXT),
        ("Created Date: 2024-12-22T01:01:01.02Z", Tool.CIVITAI),
        ("Version: ComfyUI", Tool.COMFYUI),
        ("Version: Fooocus v2.4.3", Tool.FOOOCUS),
    ],
)
def test_the_program_is_told_by_what_it_signs_with(settings: str, tool: Tool) -> None:
    assert read(settings).tool is tool


@pytest.mark.parametrize(
    ("hash_", "digest"),
    [
        ("45dee52b", "autov1:45dee52b"),
        ("6CE0161689", "autov2:6ce0161689"),
        ("A5F58EB1C33616C4F06BCA55AF39876A7B817913CD829CAA8ACB111B770C85CC",
         "sha256:a5f58eb1c33616c4f06bca55af39876a7b817913cd829caa8acb111b770c85cc"),
    ],
)  # fmt: skip
def test_a_model_hash_is_claimed_by_its_length(hash_: str, digest: str) -> None:
    assert needs(f"Model hash: {hash_}, Model: dream/v8") == [(Kind.CHECKPOINT, "dream/v8", None, [digest])]


@pytest.mark.parametrize("hash_", ["e3b0c442", "e3b0c44298", "xyz", "", "123"])
def test_the_hash_of_nothing_and_what_is_no_hash_claim_nothing(hash_: str) -> None:
    assert needs(f"Model hash: {hash_}, Model: dream") == [(Kind.CHECKPOINT, "dream", None, [])]


def test_hashes_in_json_join_what_is_named_elsewhere() -> None:
    found = needs(
        'Model: dream, VAE: ft.safetensors, Hashes: {"model": "c0d1994c73", "vae": "c6a580b13a", '
        '"lora:detail": "0d9bd1b873", "embed:Easy": "339cc9210f", "hypernet:h": "1111111111"}',
        prompt="<lora:Detail:0.5>",
    )
    assert found == [
        (Kind.CHECKPOINT, "dream", None, ["autov2:c0d1994c73"]),
        (Kind.VAE, "ft.safetensors", None, ["autov2:c6a580b13a"]),
        (Kind.LORA, "Detail", 0.5, ["autov2:0d9bd1b873"]),
        (Kind.EMBEDDING, "Easy", None, ["autov2:339cc9210f"]),
        (Kind.HYPERNETWORK, "h", None, ["autov2:1111111111"]),
    ]


def test_empty_hashes_leave_the_word_to_lora_hashes() -> None:
    found = needs('Lora hashes: "detail: 60129e9d06ab", Hashes: {"lora:detail": "", "model": ""}')
    assert found == [(Kind.LORA, "detail", None, ["autov3:60129e9d06ab"])]


def test_a_vae_hash_carries_its_doubt() -> None:
    assert "trust the name" in one("VAE hash: 235745af8d, VAE: sdxl_vae.safetensors").doubt


@pytest.mark.parametrize("name", ["Automatic", "None", "auto"])
def test_no_vae_is_no_need_even_with_a_hash(name: str) -> None:
    assert needs(f"VAE hash: 235745af8d, VAE: {name}") == []


def test_tags_are_read_with_their_weights_and_places() -> None:
    prompt = "x <lora:a b:0.8> <lyco:c:0.5:0.7:lbw=X> <hypernet:h> <lora:d:te=0.2:unet=1> <LORA:e:strong> <b:c:1>"
    found = read(prompt=prompt)
    assert [(need.kind, need.name, need.weight) for need in found.needs] == [
        (Kind.LORA, "a b", 0.8), (Kind.LYCORIS, "c", 0.5), (Kind.HYPERNETWORK, "h", 1.0), (Kind.LORA, "d", 0.2),
        (Kind.LORA, "e", 1.0),
    ]  # fmt: skip
    assert found.needs[0].mentions == (Mention("parameters", 2, 16),)


def test_tags_in_the_negative_prompt_and_in_other_prompts_count() -> None:
    found = needs('Hires prompt: "y, <lora:two:1>", ADetailer prompt: <lora:three:0.3>', negative="<lora:one:-1>")
    assert [(name, weight) for _, name, weight, _ in found] == [("one", -1.0), ("two", 1.0), ("three", 0.3)]


def test_one_lora_mentioned_in_three_ways_is_one_need() -> None:
    found = read('Lora hashes: "detail: 60129e9d06ab", Hashes: {"lora:detail": "0d9bd1b873"}', "<lora:detail:0.7>")
    (need,) = found.needs
    assert [digest.kind for digest in need.digests] == [DigestKind.AUTOV3, DigestKind.AUTOV2]
    assert (need.weight, len(need.mentions)) == (0.7, 3)


def test_lora_hashes_of_ten_digits_are_autov2() -> None:
    assert needs('Lora hashes: "a: ccfe5cfff7, b c: 60129e9d06ab"') == [
        (Kind.LORA, "a", None, ["autov2:ccfe5cfff7"]), (Kind.LORA, "b c", None, ["autov3:60129e9d06ab"]),
    ]  # fmt: skip


def test_lora_hashes_with_weights_as_fooocus_wrote_them() -> None:
    assert needs('Lora hashes: "offset_0.2: ccfe5cfff7: 0.1, more: e96f805afa: -0.5"') == [
        (Kind.LORA, "offset_0.2", 0.1, ["autov2:ccfe5cfff7"]), (Kind.LORA, "more", -0.5, ["autov2:e96f805afa"]),
    ]  # fmt: skip


def test_lora_weights_as_fooocus_writes_them_now() -> None:
    assert needs('Lora hashes: "a: ccfe5cfff7", Lora weights: "a: 0.25"') == [
        (Kind.LORA, "a", 0.25, ["autov2:ccfe5cfff7"])
    ]


def test_a_comma_inside_a_name_of_a_hash_list_is_part_of_the_name() -> None:
    assert needs('Lora hashes: "a, b: ccfe5cfff7"') == [(Kind.LORA, "a, b", None, ["autov2:ccfe5cfff7"])]


def test_ti_hashes_are_over_the_file_and_repeated_names_are_one() -> None:
    assert needs('TI hashes: "Easy: 339cc9210f70, Easy: 339cc9210f70"') == [
        (Kind.EMBEDDING, "Easy", None, ["autov2:339cc9210f"])
    ]


def test_civitai_resources_are_releases() -> None:
    found = read(
        'Civitai resources: [{"type":"checkpoint","modelVersionId":12,"modelName":"A [b], {c}",'
        '"modelVersionName":"v1"},'
        '{"weight":0.5,"air":"urn:air:sdxl:lora:civitai:11@22"},{"type":"embed","modelVersionId":"33"},7,{},{"air":"urn:air:x"}]'
    )
    assert [(need.kind, need.version_id, need.title, need.weight) for need in found.needs] == [
        (Kind.CHECKPOINT, 12, "A [b], {c} · v1", None), (Kind.LORA, 22, "", 0.5), (Kind.EMBEDDING, 33, "", None),
    ]  # fmt: skip
    assert found.needs[1].air == "urn:air:sdxl:lora:civitai:11@22"


def test_a_checkpoint_named_once_as_a_file_and_once_as_a_release_is_one() -> None:
    need = one('Model: dream, Civitai resources: [{"type":"checkpoint","modelVersionId":12,"modelName":"Dream"}]')
    assert (need.name, need.version_id, need.title) == ("dream", 12, "Dream")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("Refiner: sd_xl_refiner_1.0 [7440042bbd], Refiner switch at: 0.8",
         (Kind.CHECKPOINT, "sd_xl_refiner_1.0", None, ["autov2:7440042bbd"])),
        ("Hires checkpoint: other.safetensors [0011223344]",
         (Kind.CHECKPOINT, "other.safetensors", None, ["autov2:0011223344"])),
        ("Hypernet: style(45dee52b), Hypernet strength: 0.6", (Kind.HYPERNETWORK, "style", 0.6, ["autov1:45dee52b"])),
        ('ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 0.9, Resize Mode: Fit"',
         (Kind.CONTROLNET, "control_v11p_sd15_canny", 0.9, ["autov1:d14c016b"])),
        ('ControlNet: "preprocessor: canny, model: control_canny-fp16 [e3fe7712], weight: 1"',
         (Kind.CONTROLNET, "control_canny-fp16", 1.0, ["autov1:e3fe7712"])),
        ("ControlNet Model: control_depth [92f24e8c], ControlNet Weight: 0.5",
         (Kind.CONTROLNET, "control_depth", 0.5, ["autov1:92f24e8c"])),
        ("ControlNet-1 Model: t2iadapter_color, ControlNet-1 Weight: 1", (Kind.T2I_ADAPTER, "t2iadapter_color", 1.0,
        [])),
        ('ControlNet 1: "Module: ip, Model: ip-adapter_sd15"', (Kind.IP_ADAPTER, "ip-adapter_sd15", None, [])),
        ("Hires upscaler: 4x-UltraSharp", (Kind.UPSCALER, "4x-UltraSharp", None, [])),
        ("Postprocess upscaler 2: R-ESRGAN 4x+", (Kind.UPSCALER, "R-ESRGAN 4x+", None, [])),
        ("AddNet Module 1: LoRA, AddNet Model 1: myStyle(e96f805afa76), AddNet Weight A 1: 0.8",
         (Kind.LORA, "myStyle", 0.8, ["autov3:e96f805afa76"])),
        ("AddNet Model 1: old(e96f805a), AddNet Weight 1: 1", (Kind.LORA, "old", 1.0, [])),
        ("Lora_0 Model name: x.safetensors, Lora_0 Model hash: 08f7133a58, Lora_0 Strength model: 0.65",
         (Kind.LORA, "x.safetensors", 0.65, ["autov2:08f7133a58"])),
        ("Module 1: ae", (Kind.VAE, "ae", None, [])),
        ("Module 2: t5xxl_fp16", (Kind.TEXT_ENCODER, "t5xxl_fp16", None, [])),
        ("ADetailer model 2nd: face_yolov8n.pt", (Kind.DETECTION, "face_yolov8n.pt", None, [])),
        ('AnimateDiff: "enable: True, model: mm_sd_v15_v2.ckpt"', (Kind.MOTION_MODULE, "mm_sd_v15_v2.ckpt", None, [])),
        ("LoRA networks: detail:0.5", (Kind.LORA, "detail", 0.5, [])),
        ('Embeddings: "Easy"', (Kind.EMBEDDING, "Easy", None, [])),
        ("Unet: flux1-dev", (Kind.DIFFUSION_MODEL, "flux1-dev", None, [])),
    ],
)  # fmt: skip
def test_single_settings_name_models(settings: str, expected: tuple[Kind, str, float | None, list[str]]) -> None:
    assert needs(settings) == [expected]


@pytest.mark.parametrize(
    "settings",
    ["Hires upscaler: Latent (bicubic antialiased)", "Hires upscaler: None", "Hires checkpoint: Use same checkpoint",
     "ControlNet Model: None", "AddNet Enabled: False, AddNet Model 1: x(e96f805afa76)", "Refiner: None",
     "Unet: Default",
     "Lora hashes: ", "Lora weights: x", "Hashes: {}", "Hashes: [1]", "Civitai resources: {}"],
)  # fmt: skip
def test_settings_that_say_nothing_need_nothing(settings: str) -> None:
    assert needs(settings) == []


def test_a_model_on_another_hub_is_named_by_its_air_alone() -> None:
    need = one('Civitai resources: [{"air":"urn:air:sdxl:checkpoint:huggingface:org/repo@main"}]')
    assert (need.kind, need.version_id, need.air) == (
        Kind.CHECKPOINT, None, "urn:air:sdxl:checkpoint:huggingface:org/repo@main",
    )  # fmt: skip


def test_a_release_named_by_title_alone_is_kept() -> None:
    assert one('Civitai resources: [{"type":"lora","modelName":"Nice"}]').title == "Nice"


def test_a_text_of_endless_calls_gives_a_bounded_list() -> None:
    assert len(read(prompt="".join(f"<lora:a{number}:1>" for number in range(5000))).needs) == 512


def test_plain_words_are_an_infotext_only_where_one_is_expected() -> None:
    assert read_webui("Created with GIMP", "comment", sure=False) is None
    assert read_webui("", "parameters") is None
    found = read_webui("just a prompt", "parameters")
    assert found is not None
    assert (found.prompt, found.needs) == ("just a prompt", ())
