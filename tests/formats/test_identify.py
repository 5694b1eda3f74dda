"""Identification from keys and shapes, on headers built in code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdkeep.formats.contents import Container, Contents, Tensor
from sdkeep.formats.identify import identify
from sdkeep.ground.identity import Confidence, Identity
from sdkeep.ground.kinds import Format, Kind, Precision
from tests.makers import headers as make
from tests.makers.headers import Header, contents

EMBEDDING: dict[str, Header] = {
    "sd1": {"emb_params": (8, 768)},
    "sd2": {"emb_params": (4, 1024)},
    "sdxl": {"clip_g": (8, 1280), "clip_l": (8, 768)},
}

MODELS: list[tuple[str, Header, str, str, str]] = [
    ("sd1 checkpoint", make.checkpoint("sd1"), "checkpoint", "sd1", ""),
    ("sd1 inpainting", make.checkpoint("sd1", channels=9), "checkpoint", "sd1", "inpainting"),
    ("instruct-pix2pix", make.checkpoint("sd1", channels=8), "checkpoint", "sd1", "instruct-pix2pix"),
    ("sd2 checkpoint", make.checkpoint("sd2"), "checkpoint", "sd2", ""),
    ("sd2 depth", make.checkpoint("sd2", channels=5), "checkpoint", "sd2", "depth"),
    ("sd2 inpainting", make.checkpoint("sd2", channels=9), "checkpoint", "sd2", "inpainting"),
    ("sd2 unclip", make.checkpoint("sd2", adm=2048), "checkpoint", "sd2", "unclip"),
    ("sdxl checkpoint", make.checkpoint("sdxl"), "checkpoint", "sdxl", ""),
    ("sdxl inpainting", make.checkpoint("sdxl", channels=9), "checkpoint", "sdxl", "inpainting"),
    ("sdxl edit", make.checkpoint("sdxl", channels=8), "checkpoint", "sdxl", "instruct-pix2pix"),
    ("sdxl v-prediction", make.checkpoint("sdxl") | {"v_pred": ()}, "checkpoint", "sdxl", "v-prediction"),
    ("refiner", make.checkpoint("sdxl-refiner"), "checkpoint", "sdxl-refiner", "refiner"),
    ("kolors", make.unet("sdxl", adm=5632), "diffusion-model", "kolors", ""),
    ("wrapped state dict", make.below("state_dict.", make.checkpoint("sd1")), "checkpoint", "sd1", ""),
    ("sd1 unet alone", make.unet("sd1"), "diffusion-model", "sd1", ""),
    ("sdxl unet, prefixed", make.below("model.diffusion_model.", make.unet("sdxl")), "diffusion-model", "sdxl", ""),
    ("diffusers sd1 unet", make.diffusers_unet("sd1"), "diffusion-model", "sd1", ""),
    ("diffusers sd2 unet", make.diffusers_unet("sd2"), "diffusion-model", "sd2", ""),
    ("diffusers sdxl unet", make.diffusers_unet("sdxl", channels=9), "diffusion-model", "sdxl", "inpainting"),
    ("sd3 medium", make.sd3(), "diffusion-model", "sd3", "3-medium"),
    ("sd3.5 medium", make.sd3(attn2=True, rms=True), "diffusion-model", "sd3", "3.5-medium"),
    ("sd3.5 large", make.sd3(2432, rms=True), "diffusion-model", "sd3", "3.5-large"),
    ("flux dev", make.flux(), "diffusion-model", "flux1", "dev"),
    ("flux schnell", make.flux(guidance=False), "diffusion-model", "flux1", "schnell"),
    ("flux fill", make.flux(channels=384), "diffusion-model", "flux1", "fill"),
    (
        "flux all in one",
        make.below("model.diffusion_model.", make.flux())
        | make.below("vae.", make.vae(16))
        | make.below("text_encoders.clip_l.transformer.", make.clip(768)),
        "checkpoint",
        "flux1",
        "dev",
    ),
    ("vae", make.vae(), "vae", "unknown", ""),
    ("vae, prefixed", make.below("first_stage_model.", make.vae()), "vae", "unknown", ""),
    ("vae of 16 channels", make.vae(16), "vae", "unknown", ""),
    ("clip-l", make.clip(768), "text-encoder", "unknown", "clip-l"),
    ("clip-g", make.clip(1280), "text-encoder", "unknown", "clip-g"),
    ("open clip h", make.clip(1024), "text-encoder", "sd2", "open-clip-h"),
    (
        "t5-xxl",
        {"shared.weight": (32128, 4096), "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)},
        "text-encoder",
        "unknown",
        "t5-xxl",
    ),
    (
        "clip vision",
        {
            "vision_model.embeddings.patch_embedding.weight": (1280, 3, 14, 14),
            "vision_model.encoder.layers.0.self_attn.k_proj.weight": (1280, 1280),
        },
        "clip-vision",
        "unknown",
        "",
    ),
    (
        "controlnet sd1",
        make.below("control_model.", make.unet("sd1") | {"input_hint_block.0.weight": (16, 3, 3, 3)}),
        "controlnet",
        "sd1",
        "",
    ),
    (
        "controlnet sdxl, diffusers",
        make.diffusers_unet("sdxl") | {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3)},
        "controlnet",
        "sdxl",
        "",
    ),
    (
        "controlnet flux",
        {
            "controlnet_blocks.0.weight": (3072, 3072),
            "controlnet_x_embedder.weight": (3072, 64),
            "transformer_blocks.0.attn.to_q.weight": (3072, 3072),
        },
        "controlnet",
        "flux1",
        "",
    ),
    (
        "control-lora",
        {
            "lora_controlnet": (),
            "input_hint_block.0.weight": (16, 3, 3, 3),
            "input_blocks.4.1.transformer_blocks.0.attn2.to_k.down": (128, 2048),
            "input_blocks.4.1.transformer_blocks.0.attn2.to_k.up": (640, 128),
        },
        "controlnet",
        "sdxl",
        "control-lora",
    ),
    (
        "t2i-adapter sd1",
        {"adapter.conv_in.weight": (320, 192, 3, 3), "adapter.body.0.resnets.0.block1.weight": (320, 320, 3, 3)},
        "t2i-adapter",
        "sd1",
        "",
    ),
    (
        "t2i-adapter sdxl",
        {"adapter.conv_in.weight": (320, 768, 3, 3), "adapter.body.0.resnets.0.block1.weight": (320, 320, 3, 3)},
        "t2i-adapter",
        "sdxl",
        "",
    ),
    (
        "ip-adapter sdxl",
        {"image_proj.proj.weight": (8192, 1280), "ip_adapter.1.to_k_ip.weight": (640, 2048)},
        "ip-adapter",
        "sdxl",
        "",
    ),
    (
        "ip-adapter faceid, which is mostly LoRA keys",
        {
            "image_proj.proj.0.weight": (1024, 512),
            "ip_adapter.1.to_k_ip.weight": (320, 768),
            **{f"ip_adapter.{n}.to_q_lora.down.weight": (128, 320) for n in range(16)},
            **{f"ip_adapter.{n}.to_q_lora.up.weight": (320, 128) for n in range(16)},
        },
        "ip-adapter",
        "sd1",
        "faceid",
    ),
    (
        "motion module",
        {
            "down_blocks.0.motion_modules.0.temporal_transformer.norm.weight": (320,),
            "down_blocks.3.motion_modules.0.temporal_transformer.norm.weight": (1280,),
            "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.to_q.weight": (
                320,
                320,
            ),
        },
        "motion-module",
        "sd1",
        "",
    ),
    (
        "esrgan, old keys",
        {"model.0.weight": (64, 3, 3, 3), "model.1.sub.0.RDB1.conv1.0.weight": (32, 64, 3, 3)},
        "upscaler",
        "unknown",
        "esrgan",
    ),
    (
        "esrgan, new keys in params_ema",
        make.below(
            "params_ema.",
            {
                "conv_first.weight": (64, 3, 3, 3),
                "body.0.rdb1.conv1.weight": (32, 64, 3, 3),
                "conv_last.weight": (3, 64, 3, 3),
            },
        ),
        "upscaler",
        "unknown",
        "esrgan",
    ),
    (
        "taesd decoder",
        {"1.weight": (64, 4, 3, 3), "3.conv.0.weight": (64, 64, 3, 3), "3.skip.weight": (64, 64, 1, 1)},
        "vae-approx",
        "unknown",
        "taesd",
    ),
    (
        "hypernetwork sd1",
        {f"{w}.{n}.linear.0.weight": (w * 2, w) for w in (320, 640, 768, 1280) for n in (0, 1)},
        "hypernetwork",
        "sd1",
        "",
    ),
    (
        "hypernetwork sd2",
        {f"{w}.{n}.linear.0.weight": (w * 2, w) for w in (320, 640, 1024, 1280) for n in (0, 1)},
        "hypernetwork",
        "sd2",
        "",
    ),
    ("embedding sd1", EMBEDDING["sd1"], "embedding", "sd1", ""),
    ("embedding sd2", EMBEDDING["sd2"], "embedding", "sd2", ""),
    ("embedding sdxl", EMBEDDING["sdxl"], "embedding", "sdxl", ""),
    ("embedding of a token", {"<style>": (768,)}, "embedding", "sd1", ""),
]

ADAPTERS: list[tuple[str, Header, str, str, str, int | None]] = [
    ("lora sd1", make.lora(make.layers("sd1")), "lora", "sd1", "lora", 16),
    ("lora sd2", make.lora(make.layers("sd2")), "lora", "sd2", "lora", 16),
    ("lora sdxl", make.lora(make.layers("sdxl"), 32), "lora", "sdxl", "lora", 32),
    ("lora sdxl without text encoders", make.lora(make.layers("sdxl", text=False)), "lora", "sdxl", "lora", 16),
    (
        "lora sdxl in the publisher's names",
        make.lora([("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 2048, 640)]),
        "lora",
        "sdxl",
        "lora",
        16,
    ),
    (
        "lora sdxl of self attention only",
        make.lora(
            [(f"lora_unet_down_blocks_2_attentions_0_transformer_blocks_{n}_attn1_to_k", 1280, 1280) for n in range(10)]
        ),
        "lora",
        "sdxl",
        "lora",
        16,
    ),
    ("lora peft sd1", make.peft("sd1"), "lora", "sd1", "lora", 16),
    ("lora peft sdxl", make.peft("sdxl"), "lora", "sdxl", "lora", 16),
    ("locon", make.locon(make.layers("sd1")), "lycoris", "sd1", "locon", 16),
    ("dora", make.dora(make.layers("sdxl")), "lora", "sdxl", "dora", 16),
    ("loha", make.loha(make.layers("sd2")), "lycoris", "sd2", "loha", 8),
    ("lokr", make.lokr(make.layers("sdxl")), "lycoris", "sdxl", "lokr", 4),
    ("full", make.difference(make.layers("sd1")), "lycoris", "sd1", "full", None),
    (
        "flux kohya",
        make.lora(
            [
                ("lora_unet_double_blocks_0_img_attn_qkv", 3072, 9216),
                ("lora_unet_double_blocks_0_img_mod_lin", 3072, 18432),
            ]
        ),
        "lora",
        "flux1",
        "lora",
        16,
    ),
    (
        "flux diffusers",
        make.lora([("transformer.single_transformer_blocks.0.norm.linear", 3072, 9216)], up="lora_B", down="lora_A"),
        "lora",
        "flux1",
        "lora",
        16,
    ),
    (
        "flux2",
        make.lora([("diffusion_model.double_blocks.0.img_attn.qkv", 6144, 18432)], up="lora_B", down="lora_A"),
        "lora",
        "flux2",
        "lora",
        16,
    ),
    (
        "hunyuan video, which has more of the blocks that FLUX.1 has",
        make.lora([(f"diffusion_model.double_blocks.{n}.img_attn.qkv", 3072, 9216) for n in range(20)]),
        "lora",
        "hunyuan-video",
        "lora",
        16,
    ),
    ("sd3", make.lora([("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536, 4608)]), "lora", "sd3", "lora", 16),
    (
        "wan",
        make.lora([("diffusion_model.blocks.0.cross_attn.k", 5120, 5120)], up="lora_B", down="lora_A"),
        "lora",
        "wan",
        "lora",
        16,
    ),
    (
        "z-image",
        make.lora([("diffusion_model.layers.0.attention.to_q", 3840, 3840)], up="lora_B", down="lora_A"),
        "lora",
        "z-image",
        "lora",
        16,
    ),
]

STRANGERS: list[tuple[str, Header]] = [
    ("resnet", {"conv1.weight": (64, 3, 7, 7), "layer1.0.conv1.weight": (64, 64, 3, 3), "fc.weight": (1000, 2048)}),
    (
        "bert",
        {
            "bert.embeddings.word_embeddings.weight": (30522, 768),
            "bert.encoder.layer.0.attention.self.query.weight": (768, 768),
        },
    ),
    ("segment-anything adapter", {f"w_{side}_{n:03}": (2, 768) for side in "ab" for n in range(24)}),
    (
        "language model adapter",
        {
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": (8, 4096),
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": (4096, 8),
        },
    ),
    (
        "vision transformer",
        {
            "blocks.0.attn.qkv.weight": (2304, 768),
            "patch_embed.proj.weight": (768, 3, 16, 16),
            "head.weight": (10, 768),
        },
    ),
    ("one layer", {"weight": (768, 768), "bias": (768,)}),
    ("one bias", {"bias": (768,)}),
    ("audio codec", {"encoder.conv_in.weight": (64, 1, 7), "decoder.conv_in.weight": (512, 128, 7)}),
    ("gpt-2", {"h.0.attn.c_attn.weight": (768, 2304), "wte.weight": (50257, 768)}),
]


def known(header: Header, **options: object) -> Identity:
    return identify(contents(header, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(("header", "kind", "family", "variant"), [m[1:] for m in MODELS], ids=[m[0] for m in MODELS])
def test_a_model_is_known_by_its_structure(header: Header, kind: str, family: str, variant: str) -> None:
    identity = known(header)
    assert (identity.kind, identity.family, identity.variant) == (kind, family, variant)
    assert identity.confidence is not Confidence.NONE
    assert identity.evidence or len(header) < 3


@pytest.mark.parametrize(
    ("header", "kind", "family", "algorithm", "rank"), [a[1:] for a in ADAPTERS], ids=[a[0] for a in ADAPTERS]
)
def test_an_adapter_is_known_by_the_modules_it_changes(
    header: Header, kind: str, family: str, algorithm: str, rank: int | None
) -> None:
    identity = known(header)
    assert (identity.kind, identity.family, identity.algorithm, identity.rank) == (kind, family, algorithm, rank)


@pytest.mark.parametrize(("build", "algorithm"), [(make.ia3, "ia3"), (make.oft, "oft")], ids=["ia3", "oft"])
def test_an_adapter_that_tells_no_widths_keeps_its_algorithm_and_admits_the_family(
    build: object, algorithm: str
) -> None:
    header = build(make.layers("sd1", text=False))  # type: ignore[operator]
    identity = known(header)
    assert (identity.kind, identity.algorithm) == (Kind.LYCORIS, algorithm)
    assert identity.family == "unknown"
    assert identity.confidence is not Confidence.CERTAIN


@pytest.mark.parametrize("header", [s[1] for s in STRANGERS], ids=[s[0] for s in STRANGERS])
def test_what_is_no_image_model_stays_unknown(header: Header) -> None:
    identity = known(header)
    assert identity.family == "unknown"
    assert identity.kind is Kind.UNKNOWN or identity.confidence is Confidence.GUESS


def test_a_checkpoint_that_kept_a_stray_adapter_key_is_still_a_checkpoint() -> None:
    stray = {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": (4, 320, 1, 1)}
    assert known(make.checkpoint("sd1") | stray).kind is Kind.CHECKPOINT


def test_a_new_model_that_brings_an_autoencoder_is_not_called_one() -> None:
    stranger = {f"model.diffusion_model.brand_new_block.{n}.weight": (64, 64) for n in range(60)}
    identity = known(stranger | make.below("vae.", make.vae()) | make.below("te.", make.clip(768)))
    assert identity.kind is Kind.UNKNOWN


def test_the_parts_of_a_checkpoint_are_listed() -> None:
    assert known(make.checkpoint("sdxl")).components == ("unet", "vae", "text-encoder", "text-encoder-2")
    assert known(make.checkpoint("sd1") | {"model_ema.decay": ()}).components[-1] == "ema"
    assert known(make.lora(make.layers("sdxl"))).components == ("unet", "text-encoder", "text-encoder-2")
    assert known(make.unet("sd1")).components == ("unet",)


def test_the_evidence_names_the_key_and_the_shape_that_decided() -> None:
    identity = known(make.checkpoint("sd2"))
    assert (
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight [320, 1024]" in identity.evidence
    )
    assert any("v-prediction" in line for line in identity.evidence)


def test_a_shared_structure_lowers_the_confidence_and_says_who_shares_it() -> None:
    identity = known(make.vae())
    assert identity.confidence is Confidence.LIKELY
    assert any("SD1, SD2 and SDXL" in line for line in identity.evidence)


@pytest.mark.parametrize(
    ("dtypes", "precision"),
    [
        ({"F16": 90, "F32": 5}, Precision.FP16),
        ({"BF16": 10}, Precision.BF16),
        ({"F8_E4M3": 100, "F16": 20}, Precision.FP8),
        ({"float8_e4m3fnuz": 100}, Precision.FP8),
        ({"F32": 50, "F16": 100}, Precision.MIXED),
        ({"I64": 500, "F16": 1}, Precision.FP16),
        ({"I64": 1}, Precision.UNKNOWN),
    ],
)
def test_precision_is_what_most_bytes_of_weights_are_stored_in(dtypes: dict[str, int], precision: Precision) -> None:
    tensors = tuple(Tensor(f"w{n}", dtype, (size, 10)) for n, (dtype, size) in enumerate(dtypes.items()))
    assert identify(Contents(Container.SAFETENSORS, 0, tensors)).precision is precision


def test_quantised_weights_are_known_by_their_markers() -> None:
    packed = {"double_blocks.0.x.weight": (100, 1), "double_blocks.0.x.weight.quant_state.bitsandbytes__nf4": (90,)}
    assert known(packed, dtype="U8").precision is Precision.NF4
    assert known({"a.weight": (8, 8), "a.SCB": (8,)}, dtype="I8").precision is Precision.INT8


def test_parameters_leave_averages_and_counters_out() -> None:
    header = make.unet("sd1")
    alone = known(header).parameters
    assert known(header | make.below("model_ema.", header)).parameters == alone


def test_a_bare_vector_is_an_aesthetic_gradient_only_in_a_pickle() -> None:
    assert known({"tensor": (1, 768)}, container=Container.TORCH_ZIP).kind is Kind.AESTHETIC_GRADIENT
    assert known({"tensor": (1, 768)}).kind is Kind.UNKNOWN
    assert known({"tensor": (1, 77, 768)}, container=Container.TORCH_ZIP).kind is Kind.UNKNOWN


def test_metadata_is_reported_as_a_claim_and_decides_nothing() -> None:
    lying = {"ss_base_model_version": "sdxl_base_v1-0", "modelspec.title": "Anything"}
    identity = known(make.lora(make.layers("sd1")), metadata=lying)
    assert identity.family == "sd1"
    assert identity.claims.family == "sdxl"
    assert identity.claims.title == "Anything"


def test_nothing_is_known_of_a_file_without_tensors() -> None:
    identity = identify(Contents(Container.HTML, 100))
    assert identity.kind is Kind.UNKNOWN
    assert identity.format is Format.UNKNOWN


WORDS = st.sampled_from(
    [
        "model",
        "diffusion_model",
        "input_blocks",
        "0",
        "1",
        "attn2",
        "to_k",
        "weight",
        "lora_down",
        "lora_up",
        "lokr_w1",
        "hada_w1_b",
        "alpha",
        "encoder",
        "decoder",
        "conv_in",
        "emb_params",
        "lora_unet_x",
        "",
        "\n",
        "té",
        "<a>",
        "768",
    ]
)
NAMES = st.lists(WORDS, min_size=0, max_size=8).map(".".join) | st.text(max_size=30)
SHAPES = st.lists(st.integers(0, 4096), max_size=6).map(tuple)


@given(st.lists(st.tuples(NAMES, SHAPES, st.sampled_from(["F16", "", "I64", "weird"])), max_size=30), st.booleans())
def test_no_list_of_keys_and_shapes_breaks_it(tensors: list[tuple[str, tuple[int, ...], str]], pickled: bool) -> None:
    container = Container.TORCH_ZIP if pickled else Container.SAFETENSORS
    read = tuple(Tensor(name, dtype, shape) for name, shape, dtype in tensors)
    identity = identify(Contents(container, 0, read))
    assert isinstance(identity.kind, Kind)
    assert identity.kind is Kind.UNKNOWN or identity.confidence is not Confidence.NONE
