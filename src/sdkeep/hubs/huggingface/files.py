"""What a path inside a repository is: role, format, precision and extent, told from its name alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sdkeep.ground.kinds import Extent, Format, Kind, Precision, Role

_ENDINGS = {
    "safetensors": Format.SAFETENSORS,
    "sft": Format.SAFETENSORS,
    "ckpt": Format.PICKLE,
    "pt": Format.PICKLE,
    "pth": Format.PICKLE,
    "bin": Format.PICKLE,
    "gguf": Format.GGUF,
    "onnx": Format.ONNX,
    "yaml": Format.YAML,
    "yml": Format.YAML,
    "json": Format.OTHER,
}
_PICTURES = frozenset({"png", "jpg", "jpeg", "webp", "gif"})
_CLIPS = frozenset({"mp4", "webm"})
_COMPONENTS = {
    "unet": Role.DIFFUSION_MODEL,
    "transformer": Role.DIFFUSION_MODEL,
    "prior": Role.DIFFUSION_MODEL,
    "decoder": Role.DIFFUSION_MODEL,
    "vae": Role.VAE,
    "vqgan": Role.VAE,
    "text_encoder": Role.TEXT_ENCODER,
    "text_encoder_2": Role.TEXT_ENCODER,
    "text_encoder_3": Role.TEXT_ENCODER,
    "image_encoder": Role.OTHER,
    "safety_checker": Role.OTHER,
    "feature_extractor": Role.OTHER,
    "scheduler": Role.OTHER,
    "tokenizer": Role.OTHER,
    "tokenizer_2": Role.OTHER,
    "tokenizer_3": Role.OTHER,
    "vae_encoder": Role.VAE,
    "vae_decoder": Role.VAE,
    "vae_1_0": Role.VAE,
}
_COMPONENT_STEM = re.compile(r"(?:diffusion_pytorch_model|pytorch_model|flax_model|openvino_model|model)(?:\W.*)?")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_TRAINING = re.compile(r"(?:^|/)(?:optimizer|scheduler|scaler|training_args|random_states)[^/]*\.(?:bin|pt|pth)$")
_TRAINING_STEP = re.compile(r"(?:^|/)checkpoint-\d+/")
_PRECISIONS = (
    (re.compile(r"bf16|bfloat16"), Precision.BF16),
    (re.compile(r"fp8|float8|e4m3|e5m2"), Precision.FP8),
    (re.compile(r"fp16|float16|(?<![a-z])(?:f16|half)(?![a-z])"), Precision.FP16),
    (re.compile(r"fp32|float32|(?<![a-z])f32"), Precision.FP32),
    (re.compile(r"nf4|bnb4"), Precision.NF4),
    (re.compile(r"(?<![a-z])int8"), Precision.INT8),
    (re.compile(r"(?<![a-z])int4"), Precision.INT4),
)

WEIGHTS = frozenset({Format.SAFETENSORS, Format.PICKLE, Format.GGUF, Format.ONNX})


def ending(path: str) -> str:
    """The lower-case extension without its dot."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def is_picture(path: str) -> bool:
    """Whether the path is a picture or a clip."""
    return ending(path) in _PICTURES | _CLIPS


def is_clip(path: str) -> bool:
    """Whether the path is a clip."""
    return ending(path) in _CLIPS


def format_of(path: str) -> Format:
    """The layout that the extension promises; a part of a diffusers folder is `diffusers`: it does not stand alone."""
    plain = _ENDINGS.get(ending(path), Format.UNKNOWN)
    if plain in (Format.SAFETENSORS, Format.PICKLE) and (in_component(path) or _SHARD.search(_stem(path))):
        return Format.DIFFUSERS
    return plain


def in_component(path: str) -> bool:
    """Whether the path lies in a component folder of a diffusers pipeline, under the name that diffusers gives it."""
    folder = path.rpartition("/")[0].rpartition("/")[2]
    return folder in _COMPONENTS and bool(_COMPONENT_STEM.fullmatch(_stem(path)))


def role_of(path: str, kind: Kind) -> Role:
    """What the file is for in a repository of this kind."""
    if _TRAINING.search(path) or _TRAINING_STEP.search(path):
        return Role.TRAINING_DATA
    if ending(path) in ("yaml", "yml", "json"):
        return Role.CONFIG
    if in_component(path):
        return _COMPONENTS[path.rpartition("/")[0].rpartition("/")[2]]
    folders = path.lower().split("/")[:-1]
    if kind is not Kind.VAE and (_is_vae(_stem(path).lower()) or any(folder in ("vae", "vaes") for folder in folders)):
        return Role.VAE
    if any(folder in ("text_encoder", "text_encoders", "clip") for folder in folders):
        return Role.TEXT_ENCODER
    return Role.MODEL


def precision_of(path: str) -> Precision:
    """The number format that the name speaks of."""
    stem = _stem(path).lower()
    return next((precision for pattern, precision in _PRECISIONS if pattern.search(stem)), Precision.UNKNOWN)


def extent_of(path: str) -> Extent:
    """Pruned or full, if the name says so."""
    stem = _stem(path).lower()
    if "pruned" in stem or re.search(r"ema.?only", stem):
        return Extent.PRUNED
    return Extent.FULL if re.search(r"(?:^|[^a-z])full(?:[^a-z]|$)", stem) else Extent.UNKNOWN


def primary(paths: Sequence[str], kind: Kind) -> str:
    """The one file that is meant by the repository's name, empty when there are several or none.

    The same stem in several formats counts as one, and its safetensors is it.
    """
    models = [
        path
        for path in paths
        if "/" not in path
        and format_of(path) in WEIGHTS
        and role_of(path, kind) is Role.MODEL
        and not _SHARD.search(_stem(path))
    ]
    if len({_stem(path) for path in models}) != 1:
        return ""
    return min(models, key=lambda path: (format_of(path) is not Format.SAFETENSORS, path))


def _is_vae(stem: str) -> bool:
    return bool(re.search(r"(?:^|[._ -])vae(?:$|[._ -])", stem))


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]
