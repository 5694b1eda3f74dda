"""Identification of real files and of recorded key lists, none of which is part of the project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdkeep.formats.contents import Container, Contents, Tensor
from sdkeep.formats.identify import identify
from sdkeep.formats.look import look
from sdkeep.formats.metadata import edges
from sdkeep.formats.source import FileSource
from sdkeep.ground.identity import Identity
from sdkeep.ground.lineage import Trust

pytestmark = pytest.mark.corpus

FAMILIES = {"qwen": "qwen-image", "zimage": "z-image", "none": "unknown", "sd-any": "unknown"}
KINDS = {"lycoris": "lora", "diffusion-model": "checkpoint"}

FILES = [
    ("ti_a1111_bad-hands-5.pt", "embedding", "sd1"),
    ("ti_a1111_sd2_flora.pt", "embedding", "sd2"),
    ("ti_ldm_anya.pt", "embedding", "sd1"),
    ("ti_ldm_mps_numpy_embeddings.pt", "embedding", "sd1"),
    ("ti_diffusers_birb_learned_embeds.bin", "embedding", "sd1"),
    ("ti_diffusers_frida10_learned_embeds.bin", "embedding", "sd1"),
    ("ti_sdxl_emb_emb2_myPuppet.pt", "embedding", "sdxl"),
    ("ti_emb_params_EasyNegative_found_in_models_Lora.safetensors", "embedding", "sd1"),
    ("aesthetic_laion_7plus.pt", "aesthetic-gradient", "sd1"),
    ("lycoris_lokr_dim4_smart_falcon.safetensors", "lycoris", "sd1"),
    ("lora_diffusers_attnproc_catundchat.bin", "lora", "sd1"),
    ("lora_diffusers_unet_2100.safetensors", "lora", "sd1"),
    ("lora_kohya_noalpha_doubleprefix.safetensors", "lora", "sd1"),
    ("lora_cloneofsimo_disney_inpainting.safetensors", "lora", "sd1"),
    ("taef2_decoder.pth", "vae-approx", "flux2"),
    ("vaeapprox_sd1_model.pt", "vae-approx", "unknown"),
    ("notsd_lora_sam_rank2.safetensors", "unknown", "unknown"),
    ("bare_prompt_embedding_cat.pt", "unknown", "unknown"),
    ("sac_linear_vit_l_14.pth", "unknown", "unknown"),
    ("legacy_lpips_v0.1_alex.pth", "unknown", "unknown"),
    ("legacy_mtcnn_pnet.pt", "unknown", "unknown"),
    ("lightning_0.8.5_old.ckpt", "unknown", "unknown"),
    ("torchscript_silero_vad.jit", "unknown", "unknown"),
    ("zip_karlo_ViT-L-14_stats.th", "unknown", "unknown"),
    ("safetensors_overall_all_dtypes.safetensors", "unknown", "unknown"),
    ("damaged_html_saved_as_ViT-L-14_stats.th", "unknown", "unknown"),
]

LAYOUTS = [
    ("sd1_lora_kohya_shinkai_makoto_offset", "lora", "sd1"),
    ("sdxl_unet_juggernaut_xl_v9", "diffusion-model", "sdxl"),
    ("sdxl_te2_juggernaut_xl_v9", "text-encoder", "unknown"),
    ("sdxl_vae_juggernaut_xl_v9", "vae", "unknown"),
    ("ipadapter_sd1_standard", "ip-adapter", "sd1"),
    ("ipadapter_image_encoder_sd1", "clip-vision", "unknown"),
    ("controlnet_canny", "controlnet", "sd1"),
    ("upscaler_swinir", "upscaler", "unknown"),
]


def recorded(path: Path) -> Identity:
    if not path.exists():
        path = path.with_suffix(".stripped.json")
    data = json.loads(path.read_text("utf-8"))
    tensors = data.get("tensors") or data.get("params_ema") or data
    listed = [(name, facts) for name, facts in tensors.items() if isinstance(facts, dict) and "shape" in facts]
    return identify(
        Contents(
            Container.SAFETENSORS,
            0,
            tuple(Tensor(name, facts.get("dtype") or "", tuple(facts["shape"])) for name, facts in listed),
            data.get("__metadata__") or {},
        )
    )


def test_recorded_headers_are_right_or_admittedly_unknown(corpus: Path) -> None:
    right, wrong = 0, []
    for expected in json.loads((corpus / "headers/expected.json").read_text("utf-8")):
        identity = recorded(corpus / f"headers/{expected['file']}.json")
        kind, family = expected["kind"].replace("_", "-"), FAMILIES.get(expected["base"], expected["base"])
        same = KINDS.get(identity.kind, str(identity.kind)) == kind
        if same and identity.family == family:
            right += 1
        elif not (same or identity.kind == "unknown") or identity.family not in ("unknown", family):
            wrong.append((expected, identity))
    assert not wrong
    assert right >= 48


@pytest.mark.parametrize(("name", "kind", "family"), FILES, ids=[f[0] for f in FILES])
def test_a_real_file_is_known_through_its_container(corpus: Path, name: str, kind: str, family: str) -> None:
    with FileSource(corpus / "models" / name) as source:
        identity = identify(look(source))
    assert (identity.kind, identity.family) == (kind, family)


@pytest.mark.parametrize(("name", "kind", "family"), LAYOUTS, ids=[f[0] for f in LAYOUTS])
def test_the_layout_of_a_real_model_is_known(corpus: Path, name: str, kind: str, family: str) -> None:
    identity = recorded(corpus / f"models/layouts/{name}.json")
    assert (identity.kind, identity.family) == (kind, family)


def test_a_trained_embedding_and_a_trained_adapter_name_their_parents(corpus: Path) -> None:
    with FileSource(corpus / "models/ti_a1111_bad-hands-5.pt") as source:
        read = look(source)
    assert [edge.parent.value for edge in edges(read.metadata, read.extras)] == ["autov2:5d2f8777af"]
    with FileSource(corpus / "models/lycoris_lokr_dim4_smart_falcon.safetensors") as source:
        read = look(source)
    assert [edge.parent.trust for edge in edges(read.metadata)] == [Trust.SHA256]
