"""The sample world: four made-up models, one of them malicious, as both hubs publish them.

Everything is built when asked for, deterministically; nobody's model, picture or text is in it. The names and shapes
of the tensors are those of Stable Diffusion 1.5, the numbers in them mean nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from sdkeep.demo.assembling import Header, calling, safetensors, torch_zip
from sdkeep.demo.civitai import SampleCivitai
from sdkeep.demo.civitai_records import Record, SampleFile, SampleVersion, sample_files, sample_model
from sdkeep.demo.huggingface import SampleHuggingFace, SampleRepo
from sdkeep.demo.server import SampleServer

SENTENCE = "This sentence was printed by a model file."
"""What the malicious sample would print, if anything ever ran it."""

CHECKPOINT = 1001
LORA = 1002
MALICIOUS = 1003
MALICIOUS_FILE = 3003
MALICIOUS_NAME = "lanternUltra_free.ckpt"
REPOSITORY = "sdkeep/lantern-vae"

_CARD = """---
license: cc0-1.0
library_name: diffusers
---

# Lantern VAE

A sample autoencoder: the right names and shapes, and numbers that mean nothing.
"""


@dataclass(frozen=True, slots=True)
class World:
    """Both sample hubs, filled."""

    civitai: SampleCivitai
    huggingface: SampleHuggingFace

    def open_on(self, server: SampleServer) -> None:
        """Let `server` answer for both hubs."""
        server.route(self.civitai)
        server.route(self.huggingface.handle)


def sample_world() -> World:
    """The two hubs with their four models; about 20 MB in memory."""
    checkpoint = _checkpoint()
    models = (checkpoint, _lora(checkpoint[1][0].files[0].data), _malicious())
    files = {id_: data for _, versions in models for id_, data in sample_files(versions).items()}
    return World(SampleCivitai([record for record, _ in models], files), SampleHuggingFace({REPOSITORY: _repository()}))


Published = tuple[Record, tuple[SampleVersion, ...]]


def _checkpoint() -> Published:
    data = torch_zip(_sd1(), wrapper="state_dict", folder="lanternHarbour_v10")
    file = SampleFile(3001, "lanternHarbour_v10.ckpt", data, format="PickleTensor", size="pruned")
    versions = (SampleVersion(2001, "v1.0", "SD 1.5", (file,)),)
    about = "<p>Night scenes by the water. An old-style <b>.ckpt</b>, as many models still are.</p>"
    return _model(CHECKPOINT, "Lantern Harbour", "Checkpoint", versions, about), versions


def _lora(trained_on: bytes) -> Published:
    metadata = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": "4",
        "ss_network_alpha": "4",
        "ss_base_model_version": "sd_v1-5",
        "ss_output_name": "paper_lantern",
        "ss_sd_model_name": "lanternHarbour_v10.ckpt",
        "ss_new_sd_model_hash": hashlib.sha256(trained_on).hexdigest(),
        "ss_tag_frequency": json.dumps({"8_lantern": {"paper lantern": 40, "warm light": 31, "night": 24}}),
    }
    file = SampleFile(3002, "paper_lantern.safetensors", safetensors(_kohya(), metadata), size=None)
    versions = (SampleVersion(2002, "v1", "SD 1.5", (file,), ("paper lantern", "warm light")),)
    about = "<p>Hangs paper lanterns into any picture. Weight 0.6 to 0.9.</p>"
    return _model(LORA, "Paper Lantern", "LORA", versions, about), versions


def _malicious() -> Published:
    data = torch_zip(
        _sd1() | _heavy(), wrapper="state_dict", folder="archive", before=calling("os", "system", f"echo {SENTENCE}")
    )
    file = SampleFile(MALICIOUS_FILE, MALICIOUS_NAME, data, format="PickleTensor", size="pruned")
    versions = (SampleVersion(2003, "v3 FREE", "SD 1.5", (file,)),)
    about = "<p>The best lantern model, really, just load it.</p>"
    return _model(MALICIOUS, "Lantern ULTRA free download", "Checkpoint", versions, about), versions


def _model(id_: int, name: str, type_: str, versions: tuple[SampleVersion, ...], about: str) -> Record:
    return sample_model(id_, name, type_, versions, description=about, tags=["sample", "lantern"])


def _repository() -> SampleRepo:
    return SampleRepo(
        {
            "README.md": _CARD.encode(),
            "lantern_vae.safetensors": safetensors(_autoencoder()),
            "lantern_vae.ckpt": torch_zip(_autoencoder()),
        },
        tags=("stable-diffusion", "vae"),
        card={"license": "cc0-1.0", "library_name": "diffusers"},
        downloads=12,
        likes=3,
    )


# shapes


def _sd1() -> dict[str, tuple[int, ...]]:
    """What tells a Stable Diffusion 1 checkpoint: a few layers of the UNet, the autoencoder and the text encoder."""
    block = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0"
    clip = "cond_stage_model.transformer.text_model"
    return {
        "model.diffusion_model.time_embed.0.weight": (1280, 320),
        "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
        f"{block}.norm1.weight": (320,),
        f"{block}.attn1.to_k.weight": (320, 320),
        f"{block}.attn2.to_k.weight": (320, 768),
        "model.diffusion_model.out.2.weight": (4, 320, 3, 3),
        **{f"first_stage_model.{name}": shape for name, shape in _autoencoder().items()},
        f"{clip}.embeddings.position_embedding.weight": (77, 768),
        f"{clip}.encoder.layers.0.self_attn.k_proj.weight": (768, 768),
        f"{clip}.final_layer_norm.weight": (768,),
    }


def _heavy() -> dict[str, tuple[int, ...]]:
    """Enough more that a look before the download pays."""
    return {
        "model.diffusion_model.time_embed.2.weight": (1280, 1280),
        "model.diffusion_model.middle_block.1.transformer_blocks.0.ff.net.2.weight": (1280, 5120),
    }


def _autoencoder() -> Header:
    return {
        "encoder.conv_in.weight": (128, 3, 3, 3),
        "encoder.down.0.block.0.norm1.weight": (128,),
        "decoder.conv_in.weight": (512, 4, 3, 3),
        "decoder.up.0.block.0.norm1.weight": (256,),
        "decoder.conv_out.weight": (3, 128, 3, 3),
        "post_quant_conv.weight": (4, 4, 1, 1),
    }


def _kohya(rank: int = 4) -> Header:
    """A LoRA in the naming of kohya's trainer: pairs of narrow matrices and a scale for each layer."""
    stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0"
    layers = {f"{stem}_attn1_to_q": (320, 320), f"{stem}_attn2_to_k": (768, 320), f"{stem}_attn2_to_v": (768, 320)}
    layers["lora_te_text_model_encoder_layers_0_mlp_fc1"] = (768, 3072)
    header: dict[str, tuple[int, ...]] = {}
    for name, (inputs, outputs) in layers.items():
        header[f"{name}.lora_down.weight"] = (rank, inputs)
        header[f"{name}.lora_up.weight"] = (outputs, rank)
        header[f"{name}.alpha"] = ()
    return header
