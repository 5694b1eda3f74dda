"""Fooocus' own scheme, a JSON object in `parameters`, and the one that RuinedFooocus made of it.

With its other scheme Fooocus writes AUTOMATIC1111's infotext, read where that is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sdkeep.formats.infotext.loose import as_settings, real, rows, table, text, whole, word
from sdkeep.formats.infotext.needing import Needs, file_digests
from sdkeep.formats.infotext.tags import calls
from sdkeep.formats.infotext.values import Mention, Need, Parameters, Tool
from sdkeep.ground.kinds import Kind

_SIZE = re.compile(r"\D{0,4}(\d{1,6})\D{1,6}(\d{1,6})\D{0,4}")
_MOST_LORAS = 32


def read_fooocus(document: dict[str, object], chunk: str) -> Parameters:
    """The parameters in Fooocus' scheme. Its hashes are over whole files, LoRAs included, cut to ten digits."""
    needs = Needs()
    for kind, key in ((Kind.CHECKPOINT, "base_model"), (Kind.CHECKPOINT, "refiner_model"), (Kind.VAE, "vae")):
        digests = file_digests(word(document.get(f"{key}_hash")))
        needs.add(Need(kind, word(document.get(key)), digests=digests, mentions=(Mention(chunk, path=key),)))
    for need in _loras(document, chunk):
        needs.add(need)
    for key in ("prompt", "negative_prompt"):
        for need in calls(text(document.get(key)), chunk, path=key):
            needs.add(need)
    size = _SIZE.fullmatch(word(document.get("resolution")))
    return Parameters(
        tool=Tool.FOOOCUS,
        prompt=text(document.get("prompt")),
        negative=text(document.get("negative_prompt")),
        settings=as_settings(document),
        steps=whole(document.get("steps")),
        sampler=word(document.get("sampler")),
        schedule=word(document.get("scheduler")),
        cfg=real(document.get("guidance_scale")),
        seed=whole(document.get("seed")),
        width=int(size[1]) if size else None,
        height=int(size[2]) if size else None,
        clip_skip=whole(document.get("clip_skip")),
        version=word(document.get("version")),
        needs=needs.all(),
        chunk=chunk,
    )


def _loras(document: dict[str, object], chunk: str) -> Iterator[Need]:
    """`loras`: lists of name, weight, hash, or objects; `lora_combined_N`: `name : weight`."""
    for number, item in enumerate(rows(document.get("loras"))[:_MOST_LORAS]):
        mention, parts, facts = Mention(chunk, path=f"loras.{number}"), rows(item), table(item)
        if facts:
            parts = [facts.get("name"), facts.get("weight"), facts.get("hash")]
        name, weight, hash_ = (*parts, None, None, None)[:3]
        yield Need(Kind.LORA, word(name), real(weight), file_digests(word(hash_)), mentions=(mention,))
    for number in range(1, _MOST_LORAS):
        key = f"lora_combined_{number}"
        spelt, colon, strength = word(document.get(key)).removeprefix("True : ").rpartition(" : ")
        if colon and not spelt.startswith("False : "):
            yield Need(Kind.LORA, spelt, real(strength), mentions=(Mention(chunk, path=key),))


def read_ruined(document: dict[str, object], chunk: str) -> Parameters:
    """The parameters in RuinedFooocus' scheme, whose hash is the whole SHA-256."""
    needs = Needs()
    digests = file_digests(word(document.get("base_model_hash")))
    needs.add(Need(Kind.CHECKPOINT, word(document.get("base_model_name")), digests=digests,
                   mentions=(Mention(chunk, path="base_model_name"),)))  # fmt: skip
    for need in _loras(document, chunk):
        needs.add(need)
    for key in ("Prompt", "Negative"):
        for need in calls(text(document.get(key)), chunk, path=key):
            needs.add(need)
    return Parameters(
        tool=Tool.RUINED_FOOOCUS,
        prompt=text(document.get("Prompt")),
        negative=text(document.get("Negative")),
        settings=as_settings(document),
        steps=whole(document.get("steps")),
        sampler=word(document.get("sampler_name")),
        schedule=word(document.get("scheduler")),
        cfg=real(document.get("cfg")),
        seed=whole(document.get("seed")),
        width=whole(document.get("width")),
        height=whole(document.get("height")),
        clip_skip=whole(document.get("clip_skip")),
        denoising=real(document.get("denoise")),
        needs=needs.all(),
        chunk=chunk,
    )
