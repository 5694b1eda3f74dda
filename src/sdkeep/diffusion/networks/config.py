"""What a checkpoint's networks look like, read off the shapes of its keys. No number of a weight is needed.

Shapes give all sizes but two, for which there are rules that a key of the file's metadata overrides:

    heads of the UNet     8 where `proj_in` is a 1x1 convolution (SD 1); 64 channels each where it is a linear layer
                          (SD 2, SDXL), a single head where the layer is narrower   `sdkeep.unet.heads`, `.head_width`
    heads of text towers  64 channels each, a single one in narrower towers         `sdkeep.text.heads`

See Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (2022), and Podell et al., "SDXL"
(2023). Any width divisible by 32 will do, so the smallest models of a family are read by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sdkeep.ground.errors import FormatError
from sdkeep.ground.kinds import Family

UNET = "model.diffusion_model."
VAE = "first_stage_model."
LABEL_WIDTH = 256
"""Channels that each number among SDXL's size conditions is spread over."""

Shapes = Mapping[str, tuple[int, ...]]


class Prediction(StrEnum):
    """What the UNet's output is: the noise, the velocity (Salimans and Ho 2022), or EDM's mixture (Karras 2022)."""

    EPSILON = "epsilon"
    V = "v"
    EDM = "edm"
    EDM_V = "edm-v"


class Variant(StrEnum):
    """What the UNet is given beside the noisy latent: nothing, a mask with a masked latent, or a picture's latent."""

    PLAIN = "plain"
    INPAINTING = "inpainting"
    PIX2PIX = "instruct-pix2pix"


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """A text tower in transformers' layout (CLIP-L). `prefix` is where its keys are in the checkpoint."""

    prefix: str
    vocab: int = 49408
    length: int = 77
    width: int = 768
    hidden: int = 3072
    layers: int = 12
    heads: int = 12


@dataclass(frozen=True, slots=True)
class OpenClipConfig:
    """A text tower in OpenCLIP's layout (H in SD 2, bigG in SDXL). `projection` is 0 where the file has none."""

    prefix: str
    vocab: int = 49408
    length: int = 77
    width: int = 1024
    hidden: int = 4096
    layers: int = 24
    heads: int = 16
    projection: int = 1024


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """The denoiser.

    `mults` are channels of each level as multiples of `width`, `res_blocks` how many residual blocks it has. `depths`
    count the transformer blocks behind each residual block on the way down, `depths_out` on the way up; `depth_middle`
    is -1 where the middle is a lone residual block and -2 where there is none (distilled SDXL). Heads are either of a
    fixed number or of a fixed width. `labels` is the width of SDXL's extra condition, 0 for none.
    """

    width: int = 320
    mults: tuple[int, ...] = (1, 2, 4, 4)
    res_blocks: tuple[int, ...] = (2, 2, 2, 2)
    depths: tuple[int, ...] = (1, 1, 1, 1, 1, 1, 0, 0)
    depth_middle: int = 1
    depths_out: tuple[int, ...] = (0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1)
    context: int = 768
    channels_in: int = 4
    channels_out: int = 4
    labels: int = 0
    linear: bool = False
    heads: int = 8
    head_width: int = 0
    upcast_attention: bool = False

    def heads_of(self, channels: int) -> int:
        """How many heads attend over so many channels."""
        return max(1, channels // self.head_width) if self.head_width else self.heads


@dataclass(frozen=True, slots=True)
class VaeConfig:
    """The autoencoder: `width` times `mults` are the channels of its levels, `latent` those of a latent."""

    width: int = 128
    mults: tuple[int, ...] = (1, 2, 4, 4)
    res_blocks: int = 2
    latent: int = 4
    z: int = 4
    colours: int = 3

    @property
    def factor(self) -> int:
        """Pixels along a side that one latent stands for."""
        return 2 ** (len(self.mults) - 1)


TextConfig = ClipConfig | OpenClipConfig


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A checkpoint. A part that the file does not hold is None (no towers: an empty tuple).

    `skip` is the hidden state that the UNet was trained with, counted from the last (1); `final_norm` says whether
    the tower's last norm follows. `scale` is what latents are multiplied with behind the encoder.
    """

    family: Family
    unet: UNetConfig | None
    vae: VaeConfig | None
    text: tuple[TextConfig, ...]
    prediction: Prediction = Prediction.EPSILON
    variant: Variant = Variant.PLAIN
    zero_terminal_snr: bool = False
    skip: int = 1
    final_norm: bool = True
    scale: float = 0.18215

    @property
    def size_conditions(self) -> int:
        """How many size numbers SDXL's UNet takes beside the pooled text: 6, or 5 in the refiner; else 0."""
        last = self.text[-1] if self.text else None
        pooled = last.projection if isinstance(last, OpenClipConfig) else 1280
        return (self.unet.labels - pooled) // LABEL_WIDTH if self.unet and self.unet.labels else 0


def infer(shapes: Shapes, metadata: Mapping[str, str] | None = None) -> ModelConfig:
    """The configuration of the networks in `shapes`, whose names are canonical (`names.canonical`).

    Raises `FormatError` (rule `not-a-checkpoint` or `unsupported-network`) for what is none of the three families.
    Whether SD 2 predicts v cannot be seen from shapes: the metadata or a key may say so; see also `checkpoint`.
    """
    said = metadata or {}
    unet, vae, text = _unet(shapes, said), _vae(shapes), _towers(shapes, said)
    if not (unet or vae or text):
        raise _refused("there is no UNet, autoencoder or text tower of SD 1, SD 2 or SDXL in it", "not-a-checkpoint")
    family = _family(unet, text)
    if unet and unet.labels and family not in (Family.SDXL, Family.SDXL_REFINER):
        raise _refused("its UNet takes picture embeddings (unCLIP)", "unsupported-network")
    large = family in (Family.SDXL, Family.SDXL_REFINER)
    return ModelConfig(
        family=family,
        unet=unet,
        vae=vae,
        text=text,
        prediction=_prediction(shapes, said),
        variant=_variant(unet),
        zero_terminal_snr="ztsnr" in shapes,
        skip=_skip(family, text),
        final_norm=not large,
        scale=0.13025 if large else 0.18215,
    )


def _refused(why: str, rule: str) -> FormatError:
    return FormatError(
        "this file is no checkpoint that pictures can be made with", why, "`sdkeep show FILE`", rule=rule
    )


def _count(shapes: Shapes, pattern: str) -> int:
    """How many of `pattern.format(0)`, `pattern.format(1)`, … there are in a row."""
    found = 0
    while pattern.format(found) in shapes:
        found += 1
    return found


def _number(metadata: Mapping[str, str], key: str) -> int:
    """A whole number of the metadata, 0 when it is missing or none."""
    text = metadata.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _prediction(shapes: Shapes, metadata: Mapping[str, str]) -> Prediction:
    if "edm_mean" in shapes and "edm_std" in shapes:
        return Prediction.EDM
    if "edm_vpred.sigma_max" in shapes:
        return Prediction.EDM_V
    if "v_pred" in shapes:
        return Prediction.V
    claimed = metadata.get("modelspec.prediction_type", "").lower().replace("_", "-")
    return Prediction.V if claimed in ("v", "v-prediction", "vpred") else Prediction.EPSILON


def _variant(unet: UNetConfig | None) -> Variant:
    extra = unet.channels_in - unet.channels_out if unet else 0
    known = {0: Variant.PLAIN, 5: Variant.INPAINTING, 4: Variant.PIX2PIX}
    if extra not in known:
        raise _refused(
            f"its UNet takes {extra} extra channels (a depth, upscaling or video model)", "unsupported-network"
        )
    return known[extra]


def _family(unet: UNetConfig | None, text: tuple[TextConfig, ...]) -> Family:
    if len(text) == 2:
        return Family.SDXL
    labelled = unet is not None and unet.labels > 0
    if text:
        if isinstance(text[0], ClipConfig):
            return Family.SDXL if text[0].prefix.startswith("conditioner.") else Family.SD1
        return Family.SDXL_REFINER if labelled and text[0].prefix.startswith("conditioner.") else Family.SD2
    if unet is None:
        return Family.UNKNOWN
    if labelled:
        return Family.SDXL_REFINER if unet.labels == 2560 else Family.SDXL
    return Family.SD2 if unet.linear else Family.SD1


def _skip(family: Family, text: tuple[TextConfig, ...]) -> int:
    """SD 2 and SDXL use the penultimate state; converted SD 2 files (23 layers) have lost the layer behind it."""
    if family is Family.SD1 or (family is Family.SD2 and text and text[0].layers == 23):
        return 1
    return 2


_TOWERS = (
    "cond_stage_model.transformer.text_model.",
    "cond_stage_model.model.",
    "conditioner.embedders.0.transformer.text_model.",
    "conditioner.embedders.0.model.",
    "conditioner.embedders.1.model.",
)


def _towers(shapes: Shapes, metadata: Mapping[str, str]) -> tuple[TextConfig, ...]:
    found = (_clip(shapes, prefix, metadata) or _open_clip(shapes, prefix, metadata) for prefix in _TOWERS)
    return tuple(tower for tower in found if tower)


def _heads(width: int, metadata: Mapping[str, str]) -> int:
    heads = _number(metadata, "sdkeep.text.heads") or max(1, width // 64)
    if width % heads:
        raise _refused(f"{width} channels of a text tower make no {heads} heads", "unsupported-network")
    return heads


def _clip(shapes: Shapes, prefix: str, metadata: Mapping[str, str]) -> ClipConfig | None:
    layers = _count(shapes, prefix + "encoder.layers.{}.layer_norm1.weight")
    match [
        shapes.get(prefix + "embeddings.token_embedding.weight"),
        shapes.get(prefix + "embeddings.position_embedding.weight"),
        shapes.get(prefix + "encoder.layers.0.mlp.fc1.weight"),
    ]:
        case [(vocab, width), (length, _), (hidden, _)]:
            return ClipConfig(prefix, vocab, length, width, hidden, layers, _heads(width, metadata))
    return None


def _open_clip(shapes: Shapes, prefix: str, metadata: Mapping[str, str]) -> OpenClipConfig | None:
    layers = _count(shapes, prefix + "transformer.resblocks.{}.ln_1.weight")
    projection = shapes.get(prefix + "text_projection", (0, 0))[-1]
    match [
        shapes.get(prefix + "token_embedding.weight"),
        shapes.get(prefix + "positional_embedding"),
        shapes.get(prefix + "transformer.resblocks.0.mlp.c_fc.weight"),
    ]:
        case [(vocab, width), (length, _), (hidden, _)]:
            return OpenClipConfig(prefix, vocab, length, width, hidden, layers, _heads(width, metadata), projection)
    return None


def _unet(shapes: Shapes, metadata: Mapping[str, str]) -> UNetConfig | None:
    first, last = shapes.get(UNET + "input_blocks.0.0.weight"), shapes.get(UNET + "out.2.weight")
    if first is None or last is None or len(first) != 4 or len(last) != 4:
        return None
    width = first[0]
    if width == 0 or width % 32:
        raise _refused(f"its UNet begins with {width} channels, which 32 groups do not divide", "unsupported-network")
    mults, res_blocks, depths = _way_down(shapes, width)
    middle = _depth(shapes, "middle_block.1")
    if not middle:
        middle = -1 if UNET + "middle_block.0.in_layers.0.weight" in shapes else -2
    linear, context = _attention(shapes)
    heads, head_width = _number(metadata, "sdkeep.unet.heads"), _number(metadata, "sdkeep.unet.head_width")
    if not heads and not head_width:
        heads, head_width = (0, 64) if linear else (8, 0)
    labels = shapes.get(UNET + "label_emb.0.0.weight", (0, 0))[-1]
    return UNetConfig(
        width=width,
        mults=mults,
        res_blocks=res_blocks,
        depths=depths,
        depth_middle=middle,
        depths_out=tuple(_depth(shapes, f"output_blocks.{step}.1") for step in range(sum(res_blocks) + len(mults))),
        context=context,
        channels_in=first[1],
        channels_out=last[0],
        labels=labels,
        linear=linear,
        heads=0 if head_width else heads,
        head_width=head_width,
        upcast_attention=linear and not labels,
    )


def _depth(shapes: Shapes, block: str) -> int:
    return _count(shapes, f"{UNET}{block}.transformer_blocks.{{}}.norm1.weight")


def _way_down(shapes: Shapes, width: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Channels, residual blocks and transformer depths, level by level: a level ends with an `op` that halves."""
    mults: list[int] = []
    res_blocks, depths = [0], []
    step = 1
    while True:
        name = f"input_blocks.{step}.0."
        if UNET + name + "op.weight" in shapes and res_blocks[-1]:
            res_blocks.append(0)
        elif (shape := shapes.get(UNET + name + "out_layers.3.weight")) is not None:
            if not res_blocks[-1]:
                mults.append(max(1, shape[0] // width))
            res_blocks[-1] += 1
            depths.append(_depth(shapes, f"input_blocks.{step}.1"))
        else:
            return tuple(mults), tuple(res_blocks[: len(mults)]), tuple(depths)
        step += 1


def _attention(shapes: Shapes) -> tuple[bool, int]:
    """Whether the layers around attention are linear, and how wide the text is."""
    linear, context = False, 0
    for name, shape in shapes.items():
        if name.startswith(UNET) and name.endswith(".proj_in.weight"):
            linear = len(shape) == 2
        elif name.startswith(UNET) and name.endswith(".transformer_blocks.0.attn2.to_k.weight") and len(shape) == 2:
            context = shape[1]
    return linear, context


def _vae(shapes: Shapes) -> VaeConfig | None:
    match [
        shapes.get(VAE + "encoder.conv_in.weight"),
        shapes.get(VAE + "decoder.conv_in.weight"),
        shapes.get(VAE + "post_quant_conv.weight"),
    ]:
        case [(width, colours, _, _), (_, z, _, _), (_, latent, _, _)] if width and width % 32 == 0:
            levels = max(1, _count(shapes, VAE + "encoder.down.{}.block.0.conv1.weight"))
            outs = (shapes.get(f"{VAE}encoder.down.{at}.block.0.conv1.weight", (width,))[0] for at in range(levels))
            res_blocks = _count(shapes, VAE + "encoder.down.0.block.{}.conv1.weight")
            return VaeConfig(width, tuple(max(1, out // width) for out in outs), res_blocks, latent, z, colours)
    return None
