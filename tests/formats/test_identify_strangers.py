"""Models that resemble better-known ones: each is named right or left open, and never called what it is not."""

from __future__ import annotations

import pytest

from sdkeep.formats.identify import identify
from sdkeep.ground.identity import Confidence
from tests.makers.headers import Header, below, checkpoint, contents


def blocks(stem: str, count: int, **shapes: tuple[int, ...]) -> Header:
    """The same tensors in each of several blocks; `__` stands for a dot."""
    return {f"{stem}{i}.{key.replace('__', '.')}": shape for i in range(count) for key, shape in shapes.items()}


def peft(stem: str, inner: int, outer: int) -> Header:
    return {f"{stem}.lora_A.weight": (16, inner), f"{stem}.lora_B.weight": (outer, 16)}


def unet(channels: int, context: int) -> Header:
    first = {"conv_in.weight": (320, channels, 3, 3), "time_embedding.linear_1.weight": (1280, 320)}
    return first | {
        f"down_blocks.{b}.attentions.0.transformer_blocks.0.attn2.to_k.weight": (320, context) for b in range(3)
    }


def ip_adapter(context: int, **projection: tuple[int, ...]) -> Header:
    keys = {f"ip_adapter.{2 * i + 1}.to_k_ip.weight": (width, context) for i, width in enumerate((320, 640, 1280))}
    return keys | {f"image_proj.{key.replace('__', '.')}": shape for key, shape in projection.items()}


def motion(*widths: int) -> Header:
    stem = "down_blocks.{}.motion_modules.{}.temporal_transformer.{}"
    return {
        stem.format(b, m, key): (width,)
        for b, width in enumerate(widths)
        for m in range(2)
        for key in ("norm.weight", "proj_in.bias")
    }


def lora(stem: str, count: int, inner: int, outer: int) -> Header:
    return {key: shape for i in range(count) for key, shape in peft(stem.format(i), inner, outer).items()}


NAMED: list[tuple[str, Header, str, str, str]] = [
    ("animatediff for sd1", motion(320, 640, 1280, 1280), "motion-module", "sd1", ""),
    ("animatediff for sdxl", motion(320, 640, 1280), "motion-module", "sdxl", ""),
    ("ip-adapter plus sdxl", ip_adapter(2048, latents=(1, 16, 1280)), "ip-adapter", "sdxl", "plus"),
    ("ip-adapter plus kolors", ip_adapter(2048, latents=(1, 16, 2048)), "ip-adapter", "kolors", "plus"),
    ("ip-adapter faceid", ip_adapter(768, proj__0__weight=(1024, 512)), "ip-adapter", "sd1", "faceid"),
    (
        "instantid",
        ip_adapter(2048, latents=(1, 16, 1280), proj_in__weight=(1280, 512)),
        "ip-adapter",
        "sdxl",
        "instantid",
    ),
    (
        "ip-adapter of another projection",
        {f"ip_adapter.{i}.to_k_ip.weight": (3072, 4096) for i in range(57)}
        | {"image_proj.proj.0.weight": (2304, 1152)},
        "ip-adapter",
        "flux1",
        "",
    ),
    ("depth estimator on sd2", unet(8, 1024), "diffusion-model", "sd2", ""),
    (
        "kolors lora",
        lora("unet.down_blocks.1.attentions.0.transformer_blocks.{}.attn2.to_k", 2, 2048, 640)
        | peft("unet.encoder_hid_proj", 4096, 2048),
        "lora",
        "kolors",
        "",
    ),
    (
        "wan lora",
        lora("diffusion_model.blocks.{}.cross_attn.k", 40, 5120, 5120)
        | lora("diffusion_model.blocks.{}.ffn.0", 40, 5120, 13824),
        "lora",
        "wan",
        "",
    ),
    (
        "wan lora of self attention only",
        lora("diffusion_model.blocks.{}.self_attn.q", 40, 5120, 5120),
        "lora",
        "wan",
        "",
    ),
    (
        "pixart sigma",
        blocks("blocks.", 28, attn__qkv__weight=(3456, 1152), cross_attn__kv_linear__weight=(2304, 1152))
        | {"x_embedder.proj.weight": (1152, 4, 2, 2), "t_block.1.weight": (6912, 1152)},
        "diffusion-model",
        "pixart",
        "sigma",
    ),
    (
        "flux depth control",
        blocks("double_blocks.", 19, img_attn__norm__key_norm__scale=(128,), img_attn__proj__weight=(3072, 3072))
        | {"img_in.weight": (3072, 128), "txt_in.weight": (3072, 4096)},
        "diffusion-model",
        "flux1",
        "control",
    ),
    (
        "z-image lora in diffusers' names",
        lora("diffusion_model.layers.{}.attention.to_q", 30, 3840, 3840),
        "lora",
        "z-image",
        "",
    ),
    (
        "x4 upscaler",
        {
            "model.diffusion_model.input_blocks.0.0.weight": (256, 7, 3, 3),
            "model.diffusion_model.label_emb.weight": (1000, 1024),
            "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (512, 1024),
        },
        "diffusion-model",
        "sd2",
        "upscaler",
    ),
    (
        "playground",
        checkpoint("sdxl") | {"edm_mean": (1, 4, 1, 1), "edm_std": (1, 4, 1, 1)},
        "checkpoint",
        "sdxl",
        "playground",
    ),
]

OPEN: list[tuple[str, Header]] = [
    ("cogvideo", blocks("transformer_blocks.", 30, attn1__to_q__weight=(1920, 1920), norm1__weight=(1920,))),
    ("sana", blocks("transformer_blocks.", 20, attn1__to_q__weight=(2240, 2240), attn2__to_k__weight=(2240, 2240))),
    ("if", {"conv_in.weight": (320, 3, 3, 3), "encoder_hid_proj.weight": (2816, 4096)}),
    ("kandinsky", {"conv_in.weight": (384, 4, 3, 3), "encoder_hid_proj.image_embeds.weight": (24576, 1280)}),
    (
        "allegro",
        blocks("transformer_blocks.", 32, attn1__to_q__weight=(2304, 2304), attn2__to_k__weight=(2304, 2304))
        | {
            "pos_embed.proj.weight": (2304, 4, 2, 2),
            "adaln_single.linear.weight": (13824, 2304),
            "scale_shift_table": (2, 2304),
        },
    ),
    (
        "sana in its own names",
        blocks("blocks.", 20, attn__qkv__weight=(6720, 2240), cross_attn__kv_linear__weight=(4480, 2240))
        | {"x_embedder.proj.weight": (2240, 32, 1, 1), "t_block.1.weight": (13440, 2240)},
    ),
    ("modelscope video", unet(4, 1024) | {"transformer_in.proj_in.weight": (512, 320)}),
    (
        "zeroscope in its own names",
        {
            "input_blocks.0.0.weight": (320, 4, 3, 3),
            "input_blocks.0.1.proj_in.weight": (512, 320),
            "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 1024),
        },
    ),
    (
        "videocrafter",
        below(
            "model.diffusion_model.",
            {
                "input_blocks.0.0.weight": (320, 4, 3, 3),
                "init_attn.0.proj_in.weight": (320, 320),
                "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 1024),
            },
        ),
    ),
    (
        "tune-a-video",
        unet(4, 768) | {"down_blocks.0.attentions.0.transformer_blocks.0.attn_temp.to_q.weight": (320, 320)},
    ),
    (
        "cogvideox",
        blocks("transformer_blocks.", 42, attn1__to_q__weight=(3072, 3072), norm1__linear__weight=(18432, 512))
        | {"patch_embed.proj.weight": (3072, 16, 2, 2)},
    ),
    (
        "hunyuan3d, made like flux",
        blocks("double_blocks.", 8, img_attn__norm__key_norm__scale=(64,), img_attn__proj__weight=(1024, 1024))
        | {"latent_in.weight": (1024, 64)},
    ),
    (
        "open-sora",
        blocks("spatial_blocks.", 28, attn__qkv__weight=(3456, 1152), cross_attn__kv_linear__weight=(2304, 1152))
        | {"x_embedder.proj.weight": (1152, 4, 1, 2, 2), "t_block.1.weight": (6912, 1152)},
    ),
    (
        "vqgan",
        {
            "encoder.conv_in.weight": (128, 3, 3, 3),
            "decoder.conv_in.weight": (512, 4, 3, 3),
            "quantize.embedding.weight": (16384, 4),
            "decoder.up.0.block.0.norm1.weight": (128,),
        },
    ),
    ("bert", blocks("encoder.layer.", 12, attention__self__query__weight=(768, 768))),
    ("yolo", blocks("model.", 22, conv__weight=(64, 32, 3, 3))),
    ("whisper", blocks("model.decoder.layers.", 6, encoder_attn__k_proj__weight=(512, 512))),
    ("a language model's lora", lora("base_model.model.model.layers.{}.self_attn.q_proj", 32, 4096, 4096)),
    ("cogvideo lora", lora("transformer.transformer_blocks.{}.attn1.to_q", 30, 1920, 1920)),
    ("sana lora", lora("transformer.transformer_blocks.{}.attn1.to_q", 20, 2240, 2240)),
    (
        "text encoder lora of flux or sdxl",
        {
            f"lora_te1_text_model_encoder_layers_{i}_mlp_fc1.{end}.weight": shape
            for i in range(12)
            for end, shape in (("lora_down", (8, 768)), ("lora_up", (3072, 8)))
        },
    ),
    ("two layers of nothing in particular", {"fc1.weight": (10, 10), "fc2.weight": (2, 10)}),
]


@pytest.mark.parametrize(("name", "header", "kind", "family", "variant"), NAMED, ids=[case[0] for case in NAMED])
def test_a_lookalike_is_called_what_it_is(name: str, header: Header, kind: str, family: str, variant: str) -> None:
    found = identify(contents(header))
    assert (found.kind, found.family, found.variant) == (kind, family, variant)


@pytest.mark.parametrize(("name", "header"), OPEN, ids=[case[0] for case in OPEN])
def test_what_is_not_known_is_left_open(name: str, header: Header) -> None:
    assert identify(contents(header)).family == "unknown"


@pytest.mark.parametrize("context", [768, 1024])
def test_eight_channels_alone_are_no_certainty(context: int) -> None:
    """InstructPix2Pix, IC-Light, Zero123's UNet and depth estimators cannot be told apart by it."""
    found = identify(contents(unet(8, context)))
    assert found.confidence is not Confidence.CERTAIN
    assert "look alike" in found.evidence[-1]


def test_the_layout_of_the_sd_families_at_a_size_of_its_own_is_a_checkpoint_of_no_family() -> None:
    small = {
        "input_blocks.0.0.weight": (64, 4, 3, 3),
        "time_embed.0.weight": (256, 64),
        "middle_block.1.transformer_blocks.0.attn2.to_k.weight": (64, 64),
    }
    parts = {
        "first_stage_model.decoder.conv_in.weight": (32, 4, 3, 3),
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 64),
    }
    found = identify(contents(below("model.diffusion_model.", small) | parts))
    assert (found.kind, found.family, found.confidence) == ("checkpoint", "unknown", Confidence.LIKELY)
