"""InvokeAI's three generations of metadata: `invokeai_metadata`, `sd-metadata`, and the `Dream` command line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sdkeep.formats.infotext.loose import as_settings, read_json, real, rows, table, text, whole, word
from sdkeep.formats.infotext.needing import Needs, file_digests
from sdkeep.formats.infotext.values import Mention, Need, Parameters, Tool
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import Kind

_LISTS = (
    ("loras", ("model", "lora"), Kind.LORA, "weight"),
    ("controlnets", ("control_model",), Kind.CONTROLNET, "control_weight"),
    ("t2iAdapters", ("t2i_adapter_model",), Kind.T2I_ADAPTER, "weight"),
    ("ipAdapters", ("ip_adapter_model",), Kind.IP_ADAPTER, "weight"),
)
_SINGLES = {
    "model": Kind.CHECKPOINT, "refiner_model": Kind.CHECKPOINT, "vae": Kind.VAE, "t5_encoder": Kind.TEXT_ENCODER,
    "clip_embed_model": Kind.TEXT_ENCODER, "upscale_model": Kind.UPSCALER, "qwen3_encoder": Kind.TEXT_ENCODER,
}  # fmt: skip
_LONGEST_DREAM = 64 * 1024
_DREAM = re.compile(r'\s*"(.*)"([^"]*)', re.DOTALL)
_OPTION = re.compile(r"(?<!\S)-(\w{1,20})\s+([^\s-]\S{0,200})")
_NEGATIVE = re.compile(r"\[([^\[\]]*)\]")


def read_metadata(document: dict[str, object], chunk: str) -> Parameters:
    """`invokeai_metadata`, from version 3 on. Model hashes name their algorithm: `blake3:...`."""
    needs = Needs()
    for need in _models(document, chunk):
        needs.add(need)
    return Parameters(
        tool=Tool.INVOKEAI,
        prompt=text(document.get("positive_prompt")),
        negative=text(document.get("negative_prompt")),
        settings=as_settings(document),
        steps=whole(document.get("steps")),
        sampler=word(document.get("scheduler")),
        cfg=real(document.get("cfg_scale")),
        seed=whole(document.get("seed")),
        width=whole(document.get("width")),
        height=whole(document.get("height")),
        clip_skip=whole(document.get("clip_skip")),
        denoising=real(document.get("strength")),
        version=word(document.get("app_version")),
        needs=needs.all(),
        chunk=chunk,
    )


def _models(document: dict[str, object], chunk: str) -> Iterator[Need]:
    for key, kind in _SINGLES.items():
        yield _model(document.get(key), kind, Mention(chunk, path=key))
    for key, names, kind, strength in _LISTS:
        for number, item in enumerate(rows(document.get(key))):
            facts = table(item)
            model = next((facts[name] for name in names if name in facts), None)
            yield _model(model, kind, Mention(chunk, path=f"{key}.{number}"), real(facts.get(strength)))


def _model(found: object, kind: Kind, mention: Mention, weight: float | None = None) -> Need:
    facts = table(found)
    name = word(facts.get("name")) or word(facts.get("model_name")) or text(found)
    return Need(kind, name, weight, _digests(word(facts.get("hash"))), mentions=(mention,) if name else ())


def _digests(spelt: str) -> tuple[Digest, ...]:
    """A hash that names its algorithm. Of a folder of files it is over their hashes, which no hub knows."""
    algorithm, _, value = spelt.partition(":")
    kind = {"sha256": DigestKind.SHA256}.get(algorithm) or (
        DigestKind.BLAKE3 if algorithm.startswith("blake3") else None
    )
    digest = Digest.of(kind, value) if kind else None
    return (digest,) if digest else ()


def read_sd_metadata(document: dict[str, object], chunk: str) -> Parameters:
    """`sd-metadata`, version 2: the model's hash is the SHA-256 of the file."""
    image = table(document.get("image"))
    found = image.get("prompt")
    spelt = text(found) or " ".join(text(table(part).get("prompt")) for part in rows(found))
    prompt, negative = _sides(spelt)
    needs = Needs()
    name = word(document.get("model_weights"))
    digests = file_digests(word(document.get("model_hash")))
    needs.add(Need(Kind.CHECKPOINT, name, digests=digests, mentions=(Mention(chunk, path="model_weights"),)))
    for number, item in enumerate(rows(image.get("loras"))):
        facts = table(item)
        mention = Mention(chunk, path=f"image.loras.{number}")
        needs.add(Need(Kind.LORA, word(facts.get("name")), real(facts.get("weight")), mentions=(mention,)))
    return Parameters(
        tool=Tool.INVOKEAI,
        prompt=prompt,
        negative=negative,
        settings=as_settings({key: value for key, value in document.items() if key != "image"} | image),
        steps=whole(image.get("steps")),
        sampler=word(image.get("sampler")),
        cfg=real(image.get("cfg_scale")),
        seed=whole(image.get("seed")),
        width=whole(image.get("width")),
        height=whole(image.get("height")),
        denoising=real(image.get("strength")),
        version=word(document.get("app_version")),
        needs=needs.all(),
        chunk=chunk,
    )


def read_dream(line: str, chunk: str) -> Parameters | None:
    """`Dream`: the prompt in quotes, then options as on a command line. It names no model."""
    found = _DREAM.fullmatch(line) if len(line) <= _LONGEST_DREAM else None
    if found is None:
        return None
    options = {option[1]: option[2] for option in _OPTION.finditer(found[2])}
    prompt, negative = _sides(found[1])
    return Parameters(
        tool=Tool.INVOKEAI,
        prompt=prompt,
        negative=negative,
        settings=options,
        steps=whole(options.get("s")),
        sampler=options.get("A", ""),
        cfg=real(options.get("C")),
        seed=whole(options.get("S")),
        width=whole(options.get("W")),
        height=whole(options.get("H")),
        denoising=real(options.get("f")),
        chunk=chunk,
    )


def _sides(spelt: str) -> tuple[str, str]:
    """A prompt and what stands in brackets inside it, which is what the picture should not show."""
    negative = ", ".join(found[1].strip() for found in _NEGATIVE.finditer(spelt))
    return " ".join(_NEGATIVE.sub(" ", spelt).split()) if negative else spelt, negative


def read_invoke(texts: dict[str, str]) -> Parameters | None:
    """The parameters in the newest of InvokeAI's chunks that is there and can be read."""
    newest = table(read_json(texts.get("invokeai_metadata", "")))
    if newest:
        return read_metadata(newest, "invokeai_metadata")
    older = table(read_json(texts.get("sd-metadata", "")))
    if older.get("image"):
        return read_sd_metadata(older, "sd-metadata")
    return read_dream(texts["Dream"], "Dream") if "Dream" in texts else None
