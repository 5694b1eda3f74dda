"""SwarmUI's JSON in `parameters`: the values it was given, and the models with hashes over their payload."""

from __future__ import annotations

from collections.abc import Iterator

from sdkeep.formats.infotext.loose import as_settings, real, rows, table, text, whole, word
from sdkeep.formats.infotext.needing import Needs, kind_of, label, payload_digests
from sdkeep.formats.infotext.tags import calls
from sdkeep.formats.infotext.values import Mention, Need, Parameters, Tool
from sdkeep.ground.kinds import Kind

_PARAMS = {
    "model": Kind.CHECKPOINT, "refinermodel": Kind.CHECKPOINT, "vae": Kind.VAE, "loras": Kind.LORA,
    "usedembeddings": Kind.EMBEDDING, "used_embeddings": Kind.EMBEDDING,
    "controlnetmodel": Kind.CONTROLNET, "controlnettwomodel": Kind.CONTROLNET, "controlnetthreemodel": Kind.CONTROLNET,
    "t5xxlmodel": Kind.TEXT_ENCODER, "clipgmodel": Kind.TEXT_ENCODER, "cliplmodel": Kind.TEXT_ENCODER,
}  # fmt: skip
_UPSCALE = "refinerupscalemethod"


def read_swarm(document: dict[str, object], chunk: str) -> Parameters:
    """The parameters in SwarmUI's scheme; `0x` before a hash is its way of spelling them."""
    given = table(document.get("sui_image_params"))
    needs = Needs()
    for need in _models(document, given, chunk):
        needs.add(need)
    return Parameters(
        tool=Tool.SWARMUI,
        prompt=text(given.get("prompt")),
        negative=text(given.get("negativeprompt")),
        settings=as_settings(given),
        steps=whole(given.get("steps")),
        sampler=word(given.get("sampler")),
        schedule=word(given.get("scheduler")),
        cfg=real(given.get("cfgscale")),
        seed=whole(given.get("seed")),
        width=whole(given.get("width")),
        height=whole(given.get("height")),
        denoising=real(given.get("initimagecreativity")),
        clip_skip=_skip(given),
        version=word(given.get("swarm_version")),
        needs=needs.all(),
        chunk=chunk,
    )


def _models(document: dict[str, object], given: dict[str, object], chunk: str) -> Iterator[Need]:
    """`sui_models` with their hashes first, then what the values themselves name."""
    names = [label(word(name)) for name in _list(given.get("loras"))]
    weights = dict(zip(names, _list(given.get("loraweights")), strict=False))
    for number, item in enumerate(rows(document.get("sui_models"))):
        facts = table(item)
        name, said = word(facts.get("name")), word(facts.get("param"))
        kind = _PARAMS.get(said.lower(), kind_of(said))
        weight = real(facts.get("weight"))
        if weight is None and kind is Kind.LORA:
            weight = real(weights.get(label(name)))
        mention = Mention(chunk, path=f"sui_models.{number}")
        yield Need(kind, name, weight, payload_digests(word(facts.get("hash"))), mentions=(mention,))
    for key, kind in _PARAMS.items():
        for item in _list(given.get(key)):
            weight = real(weights.get(label(word(item)))) if kind is Kind.LORA else None
            yield Need(kind, word(item), weight, mentions=(Mention(chunk, path=f"sui_image_params.{key}"),))
    upscaler = word(given.get(_UPSCALE))
    if upscaler.startswith("model-"):
        mention = Mention(chunk, path=f"sui_image_params.{_UPSCALE}")
        yield Need(Kind.UPSCALER, upscaler.removeprefix("model-"), mentions=(mention,))
    for key in ("prompt", "negativeprompt"):
        yield from calls(text(given.get(key)), chunk, path=f"sui_image_params.{key}")


def _list(found: object) -> list[object]:
    """A list, or the one value that stands in for it."""
    return rows(found) if isinstance(found, list) else [found] if isinstance(found, str | int | float) else []


def _skip(given: dict[str, object]) -> int | None:
    layer = whole(given.get("clipstopatlayer"))
    return -layer if layer is not None and layer < 0 else None
