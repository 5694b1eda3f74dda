"""Headers built from the architectures: key and shape lists of models that were never downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sdkeep.formats.contents import Container, Contents, Tensor

Header = dict[str, tuple[int, ...]]

CONTEXT = {"sd1": 768, "sd2": 1024, "sdxl": 2048, "sdxl-refiner": 1280}


def contents(
    header: Mapping[str, tuple[int, ...]],
    metadata: dict[str, str] | None = None,
    container: Container = Container.SAFETENSORS,
    dtype: str = "F16",
) -> Contents:
    """A reading of a file with these tensors."""
    tensors = tuple(Tensor(name, dtype, tuple(shape)) for name, shape in header.items())
    return Contents(container, 0, tensors, metadata or {})


def below(prefix: str, header: Mapping[str, tuple[int, ...]]) -> Header:
    """The same tensors with a prefix before their names."""
    return {prefix + name: shape for name, shape in header.items()}


def unet(family: str, *, channels: int = 4, adm: int | None = None) -> Header:
    """A UNet in the single-file layout, a few layers of each sort."""
    width = 384 if family == "sdxl-refiner" else 320
    context = CONTEXT[family]
    adm = adm or {"sdxl": 2816, "sdxl-refiner": 2560}.get(family)
    block = "4.1" if family.startswith("sdxl") else "1.1"
    inner = width * 2 if family.startswith("sdxl") else width
    header: Header = {
        "time_embed.0.weight": (width * 4, width),
        "input_blocks.0.0.weight": (width, channels, 3, 3),
        "out.2.weight": (4, width, 3, 3),
    }
    depth = {"sdxl": 2, "sdxl-refiner": 4}.get(family, 1)
    for layer in range(depth):
        stem = f"input_blocks.{block}.transformer_blocks.{layer}"
        header[f"{stem}.norm1.weight"] = (inner,)
        header[f"{stem}.attn1.to_k.weight"] = (inner, inner)
        header[f"{stem}.attn2.to_k.weight"] = (inner, context)
    if adm:
        header["label_emb.0.0.weight"] = (width * 4, adm)
    return header


def diffusers_unet(family: str, *, channels: int = 4) -> Header:
    """A UNet in the diffusers layout."""
    context = CONTEXT[family]
    header: Header = {
        "conv_in.weight": (320, channels, 3, 3),
        "time_embedding.linear_1.weight": (1280, 320),
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight": (640, context),
        "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight": (1280, context),
    }
    if family == "sdxl":
        header["add_embedding.linear_1.weight"] = (1280, 2816)
    return header


def vae(channels: int = 4) -> Header:
    """An autoencoder in the single-file layout."""
    return {
        "encoder.conv_in.weight": (128, 3, 3, 3),
        "encoder.down.0.block.0.norm1.weight": (128,),
        "decoder.conv_in.weight": (512, channels, 3, 3),
        "decoder.up.0.block.0.norm1.weight": (256,),
        "decoder.conv_out.weight": (3, 128, 3, 3),
        "post_quant_conv.weight": (channels, channels, 1, 1),
    }


def clip(width: int) -> Header:
    """A CLIP text model in transformers' layout."""
    return {
        "text_model.embeddings.token_embedding.weight": (49408, width),
        "text_model.embeddings.position_embedding.weight": (77, width),
        "text_model.encoder.layers.0.self_attn.k_proj.weight": (width, width),
        "text_model.encoder.layers.0.mlp.fc1.weight": (width * 4, width),
        "text_model.final_layer_norm.weight": (width,),
    }


def checkpoint(family: str, *, channels: int = 4, adm: int | None = None) -> Header:
    """A whole single-file checkpoint: UNet, autoencoder, text encoders."""
    header = below("model.diffusion_model.", unet(family, channels=channels, adm=adm))
    header |= below("first_stage_model.", vae())
    if family == "sd1":
        header |= below("cond_stage_model.transformer.", clip(768))
    elif family == "sd2":
        header["cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight"] = (3072, 1024)
        header["cond_stage_model.model.token_embedding.weight"] = (49408, 1024)
    elif family == "sdxl":
        header |= below("conditioner.embedders.0.transformer.", clip(768))
        header["conditioner.embedders.1.model.ln_final.weight"] = (1280,)
        header["conditioner.embedders.1.model.token_embedding.weight"] = (49408, 1280)
    else:
        header["conditioner.embedders.0.model.token_embedding.weight"] = (49408, 1280)
    return header


def layers(family: str, text: bool = True) -> list[tuple[str, int, int]]:
    """Modules of an adapter in kohya's naming: name, input width, output width."""
    context = CONTEXT[family]
    deep = family == "sdxl"
    block, inner = ("down_blocks_1", 640) if deep else ("down_blocks_0", 320)
    found = []
    for layer in range(2 if deep else 1):
        stem = f"lora_unet_{block}_attentions_0_transformer_blocks_{layer}"
        found += [
            (f"{stem}_attn1_to_q", inner, inner),
            (f"{stem}_attn2_to_k", context, inner),
            (f"{stem}_attn2_to_v", context, inner),
            (f"{stem}_ff_net_0_proj", inner, inner * 8),
        ]
    if text and deep:
        found += [("lora_te1_text_model_encoder_layers_0_mlp_fc1", 768, 3072)]
        found += [("lora_te2_text_model_encoder_layers_0_mlp_fc1", 1280, 5120)]
    elif text:
        found += [("lora_te_text_model_encoder_layers_0_mlp_fc1", context, context * 4)]
    return found


def lora(
    modules: Iterable[tuple[str, int, int]], rank: int = 16, *, up: str = "lora_up", down: str = "lora_down"
) -> Header:
    """Low-rank pairs with their scales, as kohya's trainer writes them."""
    header: Header = {}
    for name, inputs, outputs in modules:
        header[f"{name}.{down}.weight"] = (rank, inputs)
        header[f"{name}.{up}.weight"] = (outputs, rank)
        header[f"{name}.alpha"] = ()
    return header


def locon(modules: Iterable[tuple[str, int, int]], rank: int = 16) -> Header:
    """LoRA with a 3x3 convolution besides."""
    header = lora(modules, rank)
    header["lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight"] = (8, 320, 3, 3)
    header["lora_unet_down_blocks_0_resnets_0_conv1.lora_up.weight"] = (320, 8, 1, 1)
    return header


def dora(modules: Iterable[tuple[str, int, int]]) -> Header:
    """LoRA with the magnitude of each weight's columns."""
    modules = list(modules)
    return lora(modules) | {f"{name}.dora_scale": (1, inputs) for name, inputs, _ in modules}


def loha(modules: Iterable[tuple[str, int, int]], rank: int = 8) -> Header:
    """Hadamard products of two low-rank pairs."""
    header: Header = {}
    for name, inputs, outputs in modules:
        for pair in ("w1", "w2"):
            header[f"{name}.hada_{pair}_a"] = (outputs, rank)
            header[f"{name}.hada_{pair}_b"] = (rank, inputs)
        header[f"{name}.alpha"] = ()
    return header


def lokr(modules: Iterable[tuple[str, int, int]], rank: int = 4) -> Header:
    """Kronecker products: a whole left factor, a low-rank right one."""
    header: Header = {}
    for name, inputs, outputs in modules:
        header[f"{name}.lokr_w1"] = (16, 16)
        header[f"{name}.lokr_w2_a"] = (outputs // 16, rank)
        header[f"{name}.lokr_w2_b"] = (rank, inputs // 16)
        header[f"{name}.alpha"] = ()
    return header


def ia3(modules: Iterable[tuple[str, int, int]]) -> Header:
    """One vector for each layer."""
    header: Header = {}
    for name, _, outputs in modules:
        header[f"{name}.weight"] = (outputs, 1)
        header[f"{name}.on_input"] = ()
    return header


def oft(modules: Iterable[tuple[str, int, int]]) -> Header:
    """Orthogonal blocks."""
    header: Header = {}
    for name, _, outputs in modules:
        header[f"{name}.oft_blocks"] = (4, outputs // 4, outputs // 4)
        header[f"{name}.alpha"] = ()
    return header


def difference(modules: Iterable[tuple[str, int, int]]) -> Header:
    """Whole differences of weights."""
    return {f"{name}.diff": (outputs, inputs) for name, inputs, outputs in modules}


def peft(family: str, *, text: bool = False) -> Header:
    """An adapter as diffusers writes it."""
    header: Header = {}
    for name, inputs, outputs in layers(family, text=text):
        stem = name.removeprefix("lora_unet_")
        for old, new in (
            ("down_blocks_0_attentions_0_transformer_blocks_", "unet.down_blocks.0.attentions.0.transformer_blocks."),
            ("down_blocks_1_attentions_0_transformer_blocks_", "unet.down_blocks.1.attentions.0.transformer_blocks."),
            ("_attn1_to_q", ".attn1.to_q"),
            ("_attn2_to_", ".attn2.to_"),
            ("_ff_net_0_proj", ".ff.net.0.proj"),
        ):
            stem = stem.replace(old, new)
        header[f"{stem}.lora_A.weight"] = (16, inputs)
        header[f"{stem}.lora_B.weight"] = (outputs, 16)
    return header


def flux(*, guidance: bool = True, channels: int = 64) -> Header:
    """The transformer of FLUX.1 in its publisher's layout."""
    header: Header = {
        "img_in.weight": (3072, channels),
        "txt_in.weight": (3072, 4096),
        "time_in.in_layer.weight": (3072, 256),
        "vector_in.in_layer.weight": (3072, 768),
        "double_blocks.0.img_attn.norm.key_norm.scale": (128,),
        "double_blocks.0.img_attn.qkv.weight": (9216, 3072),
        "single_blocks.0.linear1.weight": (21504, 3072),
    }
    if guidance:
        header["guidance_in.in_layer.weight"] = (3072, 256)
    return header


def sd3(width: int = 1536, *, attn2: bool = False, rms: bool = False) -> Header:
    """The transformer of SD3 and its successors."""
    header: Header = {
        "x_embedder.proj.weight": (width, 16, 2, 2),
        "context_embedder.weight": (width, 4096),
        "joint_blocks.0.context_block.attn.qkv.weight": (width * 3, width),
        "joint_blocks.0.x_block.attn.qkv.weight": (width * 3, width),
    }
    if attn2:
        header["joint_blocks.0.x_block.attn2.qkv.weight"] = (width * 3, width)
    if rms:
        header["joint_blocks.0.x_block.attn.ln_q.weight"] = (64,)
    return header
