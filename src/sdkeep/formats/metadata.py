"""What a file says of itself: claims, trigger words, ancestry. Every word of it may be wrong, and none is trusted.

Read tolerantly: values are strings that may hold JSON, JSON with NaN, or neither; long ones are cut or left alone.
Conventions: kohya-ss/sd-scripts (`ss_`), Stability's ModelSpec (`modelspec.`), AUTOMATIC1111's merger (`sd_merge_`),
ComfyUI's saved graphs (`prompt`), ai-toolkit, OneTrainer, diffusers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sdkeep.formats import bases
from sdkeep.formats.ancestry import ancestor_names, ancestors, edges
from sdkeep.formats.known import by_sha256
from sdkeep.formats.tolerant import LONGEST, SILENT, parsed, value
from sdkeep.ground.identity import MetadataClaims
from sdkeep.ground.kinds import Family

__all__ = ["ancestor_names", "ancestors", "claims", "edges", "trigger_words"]

_MOST_WORDS = 12
_TOP_TAGS = 5
_PREDICTIONS = {
    "v": "v-prediction", "v_prediction": "v-prediction", "v-prediction": "v-prediction", "vpred": "v-prediction",
    "epsilon": "epsilon", "eps": "epsilon", "sample": "sample", "x0": "sample",
}  # fmt: skip


def claims(metadata: Mapping[str, str]) -> MetadataClaims:
    """What the metadata of a file claims. Texts are raw but for their length: clean them before showing them."""
    if not metadata:
        return MetadataClaims()
    base, family = _base(metadata)
    return MetadataClaims(
        base=base,
        family=family,
        title=value(metadata, "modelspec.title", "ss_output_name", "title"),
        author=value(metadata, "modelspec.author", "author"),
        licence=value(metadata, "modelspec.license", "modelspec.licence", "license", "licence"),
        trigger_words=trigger_words(metadata),
        prediction=_prediction(metadata),
    )


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Words that probably wake the model: the stated phrase, then the commonest tags it was trained on (a hint)."""
    words = [word.strip() for word in value(metadata, "modelspec.trigger_phrase", "ss_trigger_words").split(",")]
    words += _frequent(parsed(metadata.get("ss_tag_frequency", "")))
    return tuple(dict.fromkeys(word for word in words if word and word.lower() not in SILENT))[:_MOST_WORDS]


def _base(metadata: Mapping[str, str]) -> tuple[str, Family]:
    """The claimed base model and its family: by the base's own hash, its name, then what the trainer calls it."""
    digest = value(metadata, "ss_new_sd_model_hash")
    known = by_sha256(digest) if digest else None
    model = value(metadata, "ss_base_model", "ss_sd_model_name")
    trainer = value(metadata, "ss_base_model_version")
    architecture = value(metadata, "modelspec.architecture").partition("/")[0]
    said = bases.said_by(known.id if known else "") or bases.said_by(model) or bases.named(model)
    if known:
        return (said.name if said else known.title), known.family
    stated = next((found for text in (trainer, architecture) if text and (found := bases.named(text))), None)
    if said and (stated is None or stated.family is said.family):
        return said.name, said.family
    if stated:
        return stated.name, stated.family
    if not trainer and not architecture and value(metadata, "ss_v2"):  # trainers older than SDXL
        return ("SD 2.1", Family.SD2) if value(metadata, "ss_v2").lower() == "true" else ("SD 1.5", Family.SD1)
    return trainer or architecture, Family.UNKNOWN


def _prediction(metadata: Mapping[str, str]) -> str:
    stated = value(metadata, "modelspec.prediction_type", "modelspec.predict_key").lower()
    if stated:
        return _PREDICTIONS.get(stated, stated)
    flagged = value(metadata, "ss_v_parameterization").lower() == "true"
    return "v-prediction" if flagged or value(metadata, "ss_base_model_version").endswith("_v") else ""


def _frequent(tags: object) -> list[str]:
    """The tags that stand under at least half as many pictures as the commonest one, commonest first."""
    if not isinstance(tags, dict):
        return []
    counts: Counter[str] = Counter()
    for counted in tags.values():
        if not isinstance(counted, dict):
            continue
        for tag, count in counted.items():
            if isinstance(count, int) and 0 < count < 2**31 and tag.strip():
                counts[tag.strip()[:LONGEST]] += count
    most = counts.most_common(_TOP_TAGS)
    return [tag for tag, count in most if count * 2 >= most[0][1]]
