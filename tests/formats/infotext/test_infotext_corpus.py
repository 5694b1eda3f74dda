"""Real pictures and real infotexts, each with what it is known to say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdkeep.formats.infotext.parameters import read_parameters
from sdkeep.formats.infotext.picture import read_picture
from sdkeep.formats.infotext.values import Parameters, Picture, Tool
from sdkeep.formats.infotext.writing import write_infotext
from sdkeep.formats.source import FileSource
from tests.makers.pictures import said

pytestmark = pytest.mark.corpus


@dataclass(frozen=True)
class Fact:
    """What one file says: program, first words, steps, sampler, seed, size; models as `kind name digest`."""

    tool: Tool
    prompt: str
    numbers: tuple[int | None, str, int | None, int | None, int | None]
    needs: tuple[str, ...]
    negative: str = ""


WAI = "checkpoint waiIllustriousSDXL_v160 autov2:45a21ea00a"
MIKU = "general, masterpiece, best quality, amazing quality,"
BAD = "bad quality, worst quality, worst detail, sketch, censor,"

IMAGES = {
    "sd-metadata_jpg_sd-webui.jpg": Fact(Tool.A1111, MIKU, (20, "DPM++ 2M", 3623174757, 1024, 1024), (WAI,), BAD),
    "sd-metadata_jpg_civitai.jpeg": Fact(
        Tool.CIVITAI, MIKU, (25, "Euler a", 1311178179, 1024, 1024),
        ("checkpoint WAI-illustrious-SDXL · v16.0 2514310",), BAD
    ),
    "sd-metadata_jpg_forge-classic.jpeg": Fact(Tool.FORGE, MIKU, (20, "DPM++ 2M", 2547514258, 1024, 1024), (WAI,), BAD),
    "sd-metadata_jpg_sd-next.jpg": Fact(Tool.SDNEXT, MIKU, (20, "Euler a", 899700607, 1024, 1024), (WAI,), BAD),
    "sd-metadata_png_sd-webui.png": Fact(Tool.A1111, MIKU, (20, "DPM++ 2M", 3782896554, 1024, 1024), (WAI,), BAD),
    "sd-metadata_png_forge-classic-en.png": Fact(Tool.FORGE, MIKU, (20, "DPM++ 2M", 1239240392, 1024, 1024), (WAI,),
    BAD),
    "sd-metadata_png_sd-next-en.png": Fact(Tool.SDNEXT, MIKU, (20, "", 2251068289, 1024, 1024), (WAI,), BAD),
    "sd-metadata_png_ruined-fooocus.png": Fact(
        Tool.RUINED_FOOOCUS, MIKU, (30, "dpmpp_2m_sde_gpu", 2020047614, 1024, 1024),
        ("checkpoint waiNSFWIllustrious_v150.safetensors "
         "sha256:befc694a296f75e996488ebf9f9db8a1493bd059b6e704b975829e87d5aeb4fa",), BAD),
    "sd-metadata_png_novelai-curated.png": Fact(
        Tool.NOVELAI, "1girl, solo, hatsune miku, #テスト", (23, "k_euler_ancestral", 2156638429, 1024, 1024),
        ("checkpoint NovelAI Diffusion V4.5",), "blurry, lowres"),
    "sd-metadata_png_krea2.png": Fact(
        Tool.COMFYUI, "You are an expert prompt engineer", (8, "euler", 371644226245214, None, None),
        ("diffusion-model krea2_turbo_int8_convrot.safetensors", "text-encoder qwen3vl_4b_bf16.safetensors",
         "vae qwen_image_vae.safetensors")),
    "sd-metadata_png_swarmui.png": Fact(
        Tool.SWARMUI, MIKU, (20, "euler_ancestral", 2083100758, 1024, 1024),
        ("checkpoint waiIllustriousSDXL_v160.safetensors autov3:22d8cb95b807",), BAD),
    "sd-metadata_png_stability-matrix.png": Fact(
        Tool.STABILITY_MATRIX, MIKU, (20, "Euler Ancestral Karras", 395309383, 1024, 1024),
        ("checkpoint waiIllustriousSDXL_v160.safetensors "
         "sha256:a5f58eb1c33616c4f06bca55af39876a7b817913cd829caa8acb111b770c85cc",), BAD),
    "sd-metadata_png_invokeai-en.png": Fact(
        Tool.INVOKEAI, MIKU, (24, "euler_a", 1860920704, 1024, 1024),
        ("checkpoint waiIllustriousSDXL_v160 "
         "blake3:7c1631b481e1566448f49db7e3b67a8a9d04742fa3c7d4548a0c81b619160c56",), BAD),
    "sd-metadata_webp_sd-webui.webp": Fact(Tool.A1111, MIKU, (20, "DPM++ 2M", 1028435836, 1024, 1024), (WAI,), BAD),
    "ComfyUI_examples_lora_lora.png": Fact(
        Tool.COMFYUI, "masterpiece best quality girl", (20, "euler", 851616030078638, 512, 512),
        ("checkpoint v1-5-pruned-emaonly.ckpt", "lora epiNoiseoffset_v2.safetensors 1"), "bad hands"),
    "ComfyUI_examples_hypernetworks_hypernetwork_example_output.png": Fact(
        Tool.COMFYUI, "woman (fennec ears", (20, "uni_pc_bh2", 572636856966402, 512, 512),
        ("checkpoint v1-5-pruned-emaonly.ckpt", "hypernetwork dantionMarbleStatues_10.pt"), "text, watermark"),
    "ComfyUI_examples_textual_inversion_embeddings_embedding_example.png": Fact(
        Tool.COMFYUI, "photograph in the style of embedding:SDA768.pt", (20, "uni_pc_bh2", 193694018275622, 768, 768),
        ("checkpoint v2-1_768-ema-pruned.ckpt", "embedding SDA768.pt"), "bad hands"),
    "ComfyUI_examples_model_merging_model_merging_basic.png": Fact(
        Tool.COMFYUI, "beautiful scenery", (20, "euler", 156680208700286, 512, 512),
        ("checkpoint v1-5-pruned-emaonly.ckpt", "checkpoint cardosAnime_v10.safetensors", "vae kl-f8-anime2.ckpt"),
        "text, watermark"),
    "ComfyUI_examples_sdxl_sdxl_simple_example.png": Fact(
        Tool.COMFYUI, "evening sunset", (25, "euler", 721897303308196, 1024, 1024),
        ("checkpoint sd_xl_base_1.0.safetensors", "checkpoint sd_xl_refiner_1.0.safetensors"), "text, watermark"),
    "sd-parsers_parsers_AUTOMATIC1111_automatic1111_cropped.png": Fact(
        Tool.A1111, "photo of a duck", (15, "UniPC", 235284042, 512, 400),
        ("checkpoint realistic_realisticVisionV20_v20 autov2:c0d1994c73",), "monochrome"),
    "sd-parsers_parsers_AUTOMATIC1111_automatic1111_stealth.png": Fact(
        Tool.A1111, "a circle", (20, "Euler", 2015833630, 64, 64),
        ("checkpoint realisticVisionV51_v51VAE autov2:15012c538f",), "a square"),
    "sd-parsers_parsers_ComfyUI_img2img_cropped.png": Fact(
        Tool.COMFYUI, "photograph of victorian woman", (20, "sample_dpmpp_2m", 280823642470253, None, None),
        ("checkpoint v1-5-pruned-emaonly.ckpt",), "watermark, text"),
    "sd-parsers_parsers_ComfyUI_night_evening_day_morning_cropped.png": Fact(
        Tool.COMFYUI, "(best quality) (night:1.3)", (13, "dpmpp_sde", 335608130539327, 704, 1280),
        ("vae vae-ft-mse-840000-ema-pruned.safetensors", "checkpoint Anything-V3.0.ckpt",
         "checkpoint AbyssOrangeMix2_hard.safetensors"), "(hands), text"),
    "sd-parsers_parsers_Fooocus_fooocus1_cropped.png": Fact(
        Tool.FOOOCUS, "a smiling goldfish", (30, "dpmpp_2m_sde_gpu", 6952411511246973023, 768, 1280),
        ("checkpoint juggernautXL_v8Rundiffusion autov2:aeb7e9e689",)),
    "Image-MetaHub_cli_a1111.png": Fact(
        Tool.A1111, "a photograph of an astronaut", (28, "DPM++ 2M", 2895438046, 512, 768),
        ("checkpoint v1-5-pruned-emaonly autov2:6ce0161689", "lora detailTweaker 0.8"), "blurry, low quality"),
}  # fmt: skip

SILENT = {
    "sd-parsers_bad_images_empty_file.png": ("this is no PNG, JPEG or WebP, but empty",),
    "sd-parsers_bad_images_empty_image.png": (),
    "stable-diffusion-w_modules_textual_inversion_test_embedding.png": (),
}

TEXTS = {
    "a1111_hashes_json.txt": Fact(
        Tool.A1111, "photo of a duck", (15, "UniPC", 235284042, 512, 400),
        ("checkpoint realistic_realisticVisionV20_v20 autov2:c0d1994c73", "vae autov2:c6a580b13a"), "monochrome"),
    "a1111_vae_hash.txt": Fact(
        Tool.A1111, "test123", (20, "Euler a", 3589107295, 1024, 1028),
        ("checkpoint nightvisionXL_v0770_BakedVAE autov2:9aa0c3e54d", "vae sdxl_vae.safetensors autov2:235745af8d"),
        "test, easy negative"),
    "a1111_old_8hex.txt": Fact(
        Tool.A1111, "girl with an artist's beret", (20, "Euler a", 965400086, 512, 512),
        ("checkpoint autov1:45dee52b",),
        "blurry, (((deformed)))"),
    "a1111_lora_hash_12.txt": Fact(
        Tool.A1111, "masterpiece,gufeng boy", (30, "DPM++ 2M Karras", 1008176401, 512, 768),
        ("checkpoint majicMIX alpha 麦橘男团 autov2:87ce93011a",
        "lora gufeng boy_20230805210621 0.8 autov3:60129e9d06ab",
         "upscaler R-ESRGAN 4x+"), "(worst quality:2),lowres"),
    "a1111_lora_hashes_10.txt": Fact(
        Tool.A1111, "magical fantasy forest", (30, "DPM++ 3M", 2921279476, 888, 1184),
        ("checkpoint jibMixRealisticXL_v180SkinSupreme autov2:501235c0cd",
         "vae sdxl-vae-fp16-fix.safetensors autov2:f03e48fe77", "lora CosmicStyleSDXL 1.2 autov2:ccfe5cfff7",
         "lora TrendCraft_The_Peoples_Style_Detailer-v2.3I-4_15_2025-SDXL 0.88 autov2:cb53ea89e2",
         "lora add-detail-xl 0.8 autov2:0d9bd1b873"), "ugly, bad anatomy"),
    "a1111_ti_hashes.txt": Fact(
        Tool.A1111, "a quiet harbour", (40, "DPM++ 2M Karras", 1429876294, 512, 512),
        ("checkpoint some_model_20 autov2:61bc7001e8", "embedding EasyNegativeV2 autov2:339cc9210f",
         "embedding FastNegativeV2 autov2:a7465e7cc2"), "EasyNegativeV2, FastNegativeV2"),
    "civitai_generator.txt": Fact(
        Tool.CIVITAI, "a lighthouse on a cliff at dusk", (40, "DPM++ 2M Karras", 2027225909, 1216, 832),
        ("checkpoint Plant Milk 🌿 - Model Suite · Hemp II 1714314",), "photo, blurry, watermark"),
    "civitai_air.txt": Fact(
        Tool.COMFYUI, "A generic prompt text", (4, "Euler", 521842852, 1024, 1024),
        ("checkpoint generic_model_v2 67890", "lora Generic Lora · v1.0 1 22222")),
    "civitai_brackets.txt": Fact(
        Tool.CIVITAI, "a robot", (8, "Euler", 12346789098, 832, 1216),
        ("checkpoint Some model name here [Pony XL] which hopefully doesnt contains half pair of quotes and brackets"
         " · v2.0 123456", "lycoris some style · v1.0 pony 0.7 11111111",
         "lora name for 33333333333 · version name here 3333333")),
    "comfy_image_saver_lora_n.txt": Fact(
        Tool.A1111, "Shimmering metal forms", (25, "dpmpp_2m_sgm_uniform", 471889513588087, None, None),
        ("checkpoint Fluxmania V5P.safetensors autov2:8ae0583b06", "vae ae.sft",
         "lora ArtVador I.safetensors 0.65 autov2:08f7133a58"), "flat color"),
    "no_negative_one_line.txt": Fact(
        Tool.CIVITAI, "Negative space, fog, BLACK", (23, "Undefined", 1760020955, 832, 1216),
        ("checkpoint Z Image · Turbo 2442439",)),
    "addnet_parens.txt": Fact(
        Tool.A1111, "a bridge", (20, "Euler a", 59944576, 512, 512),
        ("checkpoint AnyLoRA autov2:ef49fbb25f", "lora myStyle 0.8 autov3:e96f805afa76")),
}  # fmt: skip

CHUNKS = {
    "automatic1111_cropped_png.json": ("photo of a duck", 235284042,
    "checkpoint realistic_realisticVisionV20_v20 autov2:c0d1994c73"),
    "img2img_cropped_png.json": ("photograph of victorian woman", 280823642470253,
    "checkpoint v1-5-pruned-emaonly.ckpt"),
    "night_evening_day_morning_cropped_png.json": ("(best quality) (night:1.3)", 335608130539327,
    "checkpoint Anything-V3.0.ckpt"),
    "unclip_2pass_cropped_png.json": (
        "\n(waifu, anime", 1106257833005336, "checkpoint wd-1-5-beta2-aesthetic-unclip-h-fp32.safetensors"),
    "noisy_latents_3_subjects_cropped_png.json": ("(solo) girl", 890421140397575, "checkpoint Anything-V3.0.ckpt"),
    "fooocus1_cropped_png.json": (
        "a smiling goldfish", 6952411511246973023, "checkpoint juggernautXL_v8Rundiffusion autov2:aeb7e9e689"),
    "invokeai_dream1_png.json": ("professional full body photo", 2980747362, ""),
    "invokeai_imeta1_png.json": ("digital artwork, oil painting", 3293022630,
    "ip-adapter ip-adapter-plus_sdxl_vit-h 0.45"),
    "invokeai_sdmeta1_png.json": (
        "professional full body photo", 2980747362, "checkpoint deliberateForInvoke_v08 "
        "sha256:56d1442a0feefd64836a19ac8e3527ec71c884fc962e246ddf67b03e42921272"),
    "novelai1_cropped_png.json": ("masterpiece, best quality,  cat", 2253955223, "checkpoint Stable Diffusion"),
}  # fmt: skip


def spelt(found: Parameters) -> tuple[str, ...]:
    """The needs, one line each: kind, name or title, weight, digests, version id."""
    lines = []
    for need in found.needs:
        words: list[object] = [need.kind, need.name or need.title]
        if need.weight is not None:
            words.append(f"{need.weight:g}")
        words += [*need.digests, need.version_id or ""]
        lines.append(" ".join(str(word) for word in words if str(word)))
    return tuple(lines)


def check(found: Parameters | None, fact: Fact) -> None:
    assert found is not None
    assert found.tool is fact.tool
    assert found.prompt.startswith(fact.prompt)
    assert found.negative.startswith(fact.negative)
    assert (found.steps, found.sampler, found.seed, found.width, found.height) == fact.numbers
    assert spelt(found) == fact.needs


def opened(path: Path) -> Picture:
    with FileSource(path) as source:
        return read_picture(source)


@pytest.mark.parametrize("name", IMAGES)
def test_a_real_picture_says_how_it_was_made(corpus: Path, name: str) -> None:
    picture = opened(corpus / "images" / name)
    assert picture.problems == ()
    check(read_parameters(picture), IMAGES[name])


@pytest.mark.parametrize("name", SILENT)
def test_a_real_picture_that_says_nothing_is_silent(corpus: Path, name: str) -> None:
    picture = opened(corpus / "images" / name)
    assert read_parameters(picture) is None
    assert picture.problems == SILENT[name]


@pytest.mark.parametrize("name", TEXTS)
def test_a_real_infotext_is_read(corpus: Path, name: str) -> None:
    check(said({"parameters": (corpus / "infotext" / name).read_text("utf-8")}), TEXTS[name])


@pytest.mark.parametrize("name", CHUNKS)
def test_real_chunks_are_read_from_the_picture_as_recorded_and_say_the_same(corpus: Path, name: str) -> None:
    recorded = json.loads((corpus / "infotext" / name).read_text("utf-8"))
    picture = opened(corpus / "infotext" / "raw" / name.replace("_png.json", ".png"))
    assert picture.texts == recorded
    found = said(recorded)
    prompt, seed, need = CHUNKS[name]
    assert found.prompt.startswith(prompt)
    assert found.seed == seed
    assert not need or need in spelt(found)


def test_a_real_jpeg_is_read_as_recorded(corpus: Path) -> None:
    recorded = json.loads((corpus / "infotext" / "automatic1111_cropped_jpg.json").read_text("utf-8"))
    picture = opened(corpus / "infotext" / "raw" / "automatic1111_cropped.jpg")
    assert picture.texts == {"exif:UserComment": recorded["_exif_UserComment"]}
    check(read_parameters(picture), IMAGES["sd-parsers_parsers_AUTOMATIC1111_automatic1111_cropped.png"])


def test_every_file_of_the_corpus_has_its_facts(corpus: Path) -> None:
    images = {path.name for path in (corpus / "images").iterdir() if path.suffix != ".md"}
    texts = {path.name for path in (corpus / "infotext").iterdir() if path.suffix in (".txt", ".json")}
    assert images == IMAGES.keys() | SILENT.keys()
    assert texts == TEXTS.keys() | CHUNKS.keys() | {"automatic1111_cropped_jpg.json"}


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "no_negative_one_line.txt"])
def test_a_real_infotext_survives_being_written(corpus: Path, name: str) -> None:
    first = said({"parameters": (corpus / "infotext" / name).read_text("utf-8")})
    second = said({"parameters": write_infotext(first)})
    assert (second.prompt, second.negative, second.settings) == (first.prompt, first.negative, first.settings)
    assert spelt(second) == spelt(first)


def test_utf8_in_a_latin1_chunk_of_a_real_picture_is_mended(corpus: Path) -> None:
    assert "#テスト" in opened(corpus / "images" / "sd-metadata_png_stability-matrix.png").texts["parameters"]
