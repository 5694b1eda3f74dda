"""NovelAI's chunks: a `Comment` of JSON, and the model's name in `Source`. Its models are not published."""

from __future__ import annotations

import re

from sdkeep.formats.infotext.loose import as_settings, read_json, real, rows, table, text, whole, word
from sdkeep.formats.infotext.values import Mention, Need, Parameters, Tool
from sdkeep.ground.kinds import Kind

_SOURCE = re.compile(r"(.{1,200}?)\s+[0-9A-F]{8}")
_LONGEST = 300
_DOUBT = "a model of NovelAI's service, whose hash is its own"


def read_novelai(texts: dict[str, str], chunk: str) -> Parameters | None:
    """The parameters in NovelAI's texts, which stand in chunks of their own or together in the text `chunk`."""
    comment = table(read_json(texts.get("Comment", "")))
    software = texts.get("Software", "").strip()
    if not comment or not (software == "NovelAI" or ("uc" in comment and "scale" in comment)):
        return None
    source = texts.get("Source", "").strip()[:_LONGEST]
    hashed = _SOURCE.fullmatch(source)
    name = hashed[1] if hashed else source
    need = Need(Kind.CHECKPOINT, name, doubt=_DOUBT, mentions=(Mention(chunk if chunk != "Comment" else "Source"),))
    return Parameters(
        tool=Tool.NOVELAI,
        prompt=_prompt(comment, "v4_prompt") or text(comment.get("prompt")) or texts.get("Description", ""),
        negative=_prompt(comment, "v4_negative_prompt") or text(comment.get("uc")),
        settings=as_settings(comment),
        steps=whole(comment.get("steps")),
        sampler=word(comment.get("sampler")),
        schedule=word(comment.get("noise_schedule")),
        cfg=real(comment.get("scale")),
        seed=whole(comment.get("seed")),
        width=whole(comment.get("width")),
        height=whole(comment.get("height")),
        denoising=real(comment.get("strength")),
        version=word(comment.get("version")),
        needs=(need,) if name else (),
        chunk=chunk,
    )


def _prompt(comment: dict[str, object], key: str) -> str:
    """A prompt of version 4: the base caption, then one line for each character."""
    caption = table(table(comment.get(key)).get("caption"))
    characters = (text(table(item).get("char_caption")) for item in rows(caption.get("char_captions")))
    return "\n".join(part for part in (text(caption.get("base_caption")), *characters) if part)
