"""The closed vocabularies: kinds, families, formats, precisions. Ids are lower-case kebab and never change."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Vocabulary(StrEnum):
    """An enumeration of ids whose unknown outside values become its `unknown` member, never an exception."""

    @classmethod
    def of(cls, text: str | None) -> Self:
        """The member spelt `text` (case, `_` and spaces forgiven), else `unknown`."""
        word = (text or "").strip().lower().replace("_", "-").replace(" ", "-")
        try:
            return cls(word)
        except ValueError:
            return cls("unknown")


class Kind(Vocabulary):
    """What a file is to a WebUI."""

    CHECKPOINT = "checkpoint"
    LORA = "lora"
    LYCORIS = "lycoris"
    EMBEDDING = "embedding"
    HYPERNETWORK = "hypernetwork"
    AESTHETIC_GRADIENT = "aesthetic-gradient"
    VAE = "vae"
    VAE_APPROX = "vae-approx"
    CONTROLNET = "controlnet"
    T2I_ADAPTER = "t2i-adapter"
    IP_ADAPTER = "ip-adapter"
    UPSCALER = "upscaler"
    TEXT_ENCODER = "text-encoder"
    CLIP_VISION = "clip-vision"
    DIFFUSION_MODEL = "diffusion-model"
    MOTION_MODULE = "motion-module"
    DETECTION = "detection"
    POSES = "poses"
    WILDCARDS = "wildcards"
    WORKFLOW = "workflow"
    CONFIG = "config"
    OTHER = "other"
    UNKNOWN = "unknown"


class Family(Vocabulary):
    """The architecture a file belongs to, as its structure shows it (Pony and Illustrious are `sdxl`)."""

    SD1 = "sd1"
    SD2 = "sd2"
    SDXL = "sdxl"
    SDXL_REFINER = "sdxl-refiner"
    SD3 = "sd3"
    FLUX1 = "flux1"
    FLUX2 = "flux2"
    CASCADE = "cascade"
    PIXART = "pixart"
    AURAFLOW = "auraflow"
    HUNYUAN_DIT = "hunyuan-dit"
    HUNYUAN_VIDEO = "hunyuan-video"
    HUNYUAN_IMAGE = "hunyuan-image"
    KOLORS = "kolors"
    LUMINA2 = "lumina2"
    CHROMA = "chroma"
    HIDREAM = "hidream"
    QWEN_IMAGE = "qwen-image"
    Z_IMAGE = "z-image"
    ANIMA = "anima"
    KREA2 = "krea2"
    OMNIGEN2 = "omnigen2"
    WAN = "wan"
    LTX = "ltx"
    MOCHI = "mochi"
    COSMOS = "cosmos"
    SVD = "svd"
    UNKNOWN = "unknown"


class Format(Vocabulary):
    """How the bytes of a file are laid out."""

    SAFETENSORS = "safetensors"
    PICKLE = "pickle"
    GGUF = "gguf"
    DIFFUSERS = "diffusers"
    ONNX = "onnx"
    COREML = "coreml"
    ZIP = "zip"
    YAML = "yaml"
    IMAGE = "image"
    OTHER = "other"
    UNKNOWN = "unknown"


class Precision(Vocabulary):
    """The number format most weights of a file are stored in."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    FP8 = "fp8"
    INT8 = "int8"
    NF4 = "nf4"
    INT4 = "int4"
    FP64 = "fp64"
    MIXED = "mixed"
    UNKNOWN = "unknown"


class Extent(Vocabulary):
    """Whether a checkpoint carries everything training needs or only what making pictures needs."""

    FULL = "full"
    PRUNED = "pruned"
    UNKNOWN = "unknown"


class Role(Vocabulary):
    """What one file of a release is for."""

    MODEL = "model"
    PRUNED_MODEL = "pruned-model"
    NEGATIVE = "negative"
    VAE = "vae"
    CONFIG = "config"
    TEXT_ENCODER = "text-encoder"
    DIFFUSION_MODEL = "diffusion-model"
    TRAINING_DATA = "training-data"
    ARCHIVE = "archive"
    WORKFLOW = "workflow"
    OTHER = "other"
    UNKNOWN = "unknown"


class Access(Vocabulary):
    """What stands between a person and the bytes."""

    FREE = "free"
    LOGIN = "login"
    EARLY = "early-access"
    PAID = "paid"
    GATED = "gated"
    DISABLED = "disabled"
    ARCHIVED = "archived"
    UNKNOWN = "unknown"


class NsfwLevel(StrEnum):
    """The ladder that search, previews and thumbnails are cut at, mildest first."""

    PG = "pg"
    PG13 = "pg13"
    R = "r"
    X = "x"
    XXX = "xxx"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return list(NsfwLevel).index(self)
