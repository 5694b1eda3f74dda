"""Civitai's vocabulary in ours. A word that is not here becomes `unknown`, with the raw text kept beside it."""

from __future__ import annotations

from sdkeep.ground.kinds import Extent, Format, Kind, NsfwLevel, Precision, Role

KINDS = {
    "checkpoint": Kind.CHECKPOINT,
    "textualinversion": Kind.EMBEDDING,
    "hypernetwork": Kind.HYPERNETWORK,
    "aestheticgradient": Kind.AESTHETIC_GRADIENT,
    "lora": Kind.LORA,
    "locon": Kind.LYCORIS,
    "dora": Kind.LORA,
    "controlnet": Kind.CONTROLNET,
    "upscaler": Kind.UPSCALER,
    "motionmodule": Kind.MOTION_MODULE,
    "vae": Kind.VAE,
    "textencoder": Kind.TEXT_ENCODER,
    "clip": Kind.TEXT_ENCODER,
    "unet": Kind.DIFFUSION_MODEL,
    "clipvision": Kind.CLIP_VISION,
    "poses": Kind.POSES,
    "wildcards": Kind.WILDCARDS,
    "workflows": Kind.WORKFLOW,
    "comfyworkflows": Kind.WORKFLOW,
    "detection": Kind.DETECTION,
    "visionlanguage": Kind.OTHER,
    "llm": Kind.OTHER,
    "other": Kind.OTHER,
}

TYPES = {
    Kind.CHECKPOINT: ("Checkpoint",),
    Kind.EMBEDDING: ("TextualInversion",),
    Kind.HYPERNETWORK: ("Hypernetwork",),
    Kind.AESTHETIC_GRADIENT: ("AestheticGradient",),
    Kind.LORA: ("LORA", "DoRA"),
    Kind.LYCORIS: ("LoCon",),
    Kind.CONTROLNET: ("Controlnet",),
    Kind.UPSCALER: ("Upscaler",),
    Kind.MOTION_MODULE: ("MotionModule",),
    Kind.VAE: ("VAE",),
    Kind.TEXT_ENCODER: ("TextEncoder", "CLIP"),
    Kind.DIFFUSION_MODEL: ("UNet", "Checkpoint"),
    Kind.CLIP_VISION: ("CLIPVision",),
    Kind.POSES: ("Poses",),
    Kind.WILDCARDS: ("Wildcards",),
    Kind.WORKFLOW: ("Workflows", "ComfyWorkflows"),
    Kind.DETECTION: ("Detection",),
    Kind.OTHER: ("Other", "VisionLanguage", "LLM"),
}

ROLES = {
    "model": Role.MODEL,
    "pruned model": Role.PRUNED_MODEL,
    "negative": Role.NEGATIVE,
    "training data": Role.TRAINING_DATA,
    "vae": Role.VAE,
    "config": Role.CONFIG,
    "archive": Role.ARCHIVE,
    "text encoder": Role.TEXT_ENCODER,
    "unet": Role.DIFFUSION_MODEL,
    "diffusion model": Role.DIFFUSION_MODEL,
    "workflow": Role.WORKFLOW,
    "controlnet": Role.MODEL,
    "upscaler": Role.MODEL,
    "vision encoder": Role.OTHER,
    "clipvision": Role.OTHER,
    "enhancement lora": Role.OTHER,
    "other": Role.OTHER,
}

_FORMATS = {
    "safetensor": Format.SAFETENSORS,
    "pickletensor": Format.PICKLE,
    "gguf": Format.GGUF,
    "diffusers": Format.DIFFUSERS,
    "core ml": Format.COREML,
    "onnx": Format.ONNX,
    "other": Format.OTHER,
}

_ENDINGS = {
    "safetensors": Format.SAFETENSORS,
    "sft": Format.SAFETENSORS,
    "ckpt": Format.PICKLE,
    "pt": Format.PICKLE,
    "pth": Format.PICKLE,
    "bin": Format.PICKLE,
    "gguf": Format.GGUF,
    "onnx": Format.ONNX,
    "zip": Format.ZIP,
    "yaml": Format.YAML,
    "yml": Format.YAML,
    "png": Format.IMAGE,
    "webp": Format.IMAGE,
    "jpg": Format.IMAGE,
    "jpeg": Format.IMAGE,
}

_PRECISIONS = {"nf4": Precision.NF4, "int4": Precision.INT4, "int8": Precision.INT8, "mxfp8": Precision.FP8}

_OLD_LEVELS = {"none": NsfwLevel.PG, "soft": NsfwLevel.PG13, "mature": NsfwLevel.R, "x": NsfwLevel.X}

SORTS = (
    "Highest Rated",
    "Most Downloaded",
    "Most Liked",
    "Most Discussed",
    "Most Collected",
    "Most Images",
    "Newest",
    "Oldest",
)
PERIODS = ("AllTime", "Year", "Month", "Week", "Day")


def kind(text: str) -> Kind:
    """The kind behind a ModelType."""
    return KINDS.get(text.lower().replace(" ", ""), Kind.UNKNOWN)


def role(text: str) -> Role:
    """The role behind a ModelFileType; a file without one is a model."""
    return ROLES.get(text.lower(), Role.UNKNOWN) if text else Role.MODEL


def file_format(claim: str, name: str) -> Format:
    """The format of a file: its ending, unless the claim says more than an ending can (a zip of a Diffusers folder)."""
    claimed = _FORMATS.get(claim.lower(), Format.UNKNOWN)
    if claimed in (Format.DIFFUSERS, Format.COREML):
        return claimed
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    return _ENDINGS.get(ending, claimed)


def precision(text: str) -> Precision:
    """The precision behind a file's `fp`."""
    word = text.lower()
    if word.startswith("fp8"):
        return Precision.FP8
    return _PRECISIONS.get(word) or Precision.of(word)


def extent(size: str, of: Role) -> Extent:
    """Full or pruned, from a file's `size` or, failing that, its type."""
    stated = Extent.of(size)
    return Extent.PRUNED if stated is Extent.UNKNOWN and of is Role.PRUNED_MODEL else stated


def picture_level(bits: int | None, word: object) -> NsfwLevel | None:
    """The level of one picture, from its bit mask or the older `nsfw` word; None when it is not rated."""
    if bits:
        return _level(bits.bit_length() - 1)
    return _OLD_LEVELS.get(word.lower()) if isinstance(word, str) else None


def model_level(bits: int, nsfw: bool) -> NsfwLevel:
    """The level from which on a model is shown: the mildest of its pictures, `r` at least when marked as adult."""
    mildest = _level((bits & -bits).bit_length() - 1) if bits else NsfwLevel.PG
    return max(mildest, NsfwLevel.R, key=lambda level: level.rank) if nsfw else mildest


def _level(bit: int) -> NsfwLevel:
    ladder = list(NsfwLevel)
    return ladder[min(bit, len(ladder) - 1)]


def trigger_words(entries: tuple[str, ...]) -> tuple[str, ...]:
    """The single words and phrases of `trainedWords`, whose entries may be comma lists, each once, in order.

    A comma inside brackets belongs to its phrase: `(red hair, long hair:1.2)`.
    """
    words = (word.strip() for entry in entries for word in _split(entry))
    return tuple(dict.fromkeys(word for word in words if word))


def _split(entry: str) -> list[str]:
    parts, depth, start, escaped = [], 0, 0, False
    for at, char in enumerate(entry):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in "([{<":
            depth += 1
        elif char in ")]}>":
            depth -= 1
        elif char in ",，" and depth == 0:
            parts.append(entry[start:at])
            start = at + 1
        if depth < 0:
            break
    if depth != 0:
        return entry.replace("，", ",").split(",")  # smileys and slips: the brackets mean nothing
    return [*parts, entry[start:]]
