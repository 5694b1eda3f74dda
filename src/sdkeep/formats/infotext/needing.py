"""Every mention of a model drawn together: one need for each file, however often and wherever it is called."""

from __future__ import annotations

from dataclasses import replace

from sdkeep.formats.infotext.loose import real, table, whole, word
from sdkeep.formats.infotext.values import Mention, Need
from sdkeep.ground.digest import DIGITS, EMPTY_SHA256, Digest, DigestKind
from sdkeep.ground.errors import BadReference
from sdkeep.ground.kinds import Kind
from sdkeep.ground.ref import CivitaiRef, parse

_MOST = 512
_MOST_MENTIONS = 10_000
_MENTIONS_OF_ONE = 32
_STRENGTH = (
    DigestKind.SHA256, DigestKind.BLAKE3, DigestKind.AUTOV3, DigestKind.AUTOV2, DigestKind.AUTOV1, DigestKind.CRC32,
)  # fmt: skip
_ENDINGS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx")
_LONGEST_NAME = 500
_KINDS = {
    "model": Kind.CHECKPOINT, "checkpoint": Kind.CHECKPOINT, "refiner": Kind.CHECKPOINT,
    "lora": Kind.LORA, "loras": Kind.LORA, "dora": Kind.LORA,
    "lyco": Kind.LYCORIS, "lycoris": Kind.LYCORIS, "locon": Kind.LYCORIS, "loha": Kind.LYCORIS,
    "embed": Kind.EMBEDDING, "embedding": Kind.EMBEDDING, "textualinversion": Kind.EMBEDDING, "ti": Kind.EMBEDDING,
    "hypernet": Kind.HYPERNETWORK, "hypernetwork": Kind.HYPERNETWORK,
    "vae": Kind.VAE, "controlnet": Kind.CONTROLNET, "upscaler": Kind.UPSCALER,
    "motionmodule": Kind.MOTION_MODULE, "unet": Kind.DIFFUSION_MODEL, "diffusionmodel": Kind.DIFFUSION_MODEL,
    "textencoder": Kind.TEXT_ENCODER, "clip": Kind.TEXT_ENCODER, "aestheticgradient": Kind.AESTHETIC_GRADIENT,
    "detection": Kind.DETECTION, "ipadapter": Kind.IP_ADAPTER,
}  # fmt: skip
_NOBODY = {
    "", "none", "automatic", "auto", "default", "default (model)", "use same checkpoint", "baked vae", "undefined",
    "null", "off", "@none", "@default", "unknown", "pixel_space",
}  # fmt: skip


def kind_of(spelt: str) -> Kind:
    """The kind that a program or hub spells so."""
    return _KINDS.get("".join(spelt.lower().replace("_", "").replace("-", "").split()), Kind.UNKNOWN)


def is_name(name: str) -> bool:
    """Whether a setting names a model, rather than saying that there is none."""
    return name.strip().lower() not in _NOBODY and len(name) <= _LONGEST_NAME


def stem(name: str) -> str:
    """A name without folders and without the ending of a model file."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    ending = next((ending for ending in _ENDINGS if last.lower().endswith(ending)), "")
    return last[: len(last) - len(ending)]


def label(name: str) -> str:
    """What two spellings of one file have in common."""
    return stem(name).casefold()


def file_digests(value: str) -> tuple[Digest, ...]:
    """The claim in a hash over a whole file. The 12 digits of `TI hashes` are its SHA-256 too, so 10 are AutoV2."""
    value = value.strip().lower().removeprefix("0x")
    if len(value) == DIGITS[DigestKind.AUTOV3]:
        value = value[: DIGITS[DigestKind.AUTOV2]]
    return _claim(value, (DigestKind.AUTOV1, DigestKind.AUTOV2, DigestKind.SHA256))


def adapter_digests(value: str) -> tuple[Digest, ...]:
    """The claim in a LoRA's hash: 12 digits are over the payload of a safetensors file, as AutoV3 is."""
    return _claim(value, (DigestKind.AUTOV1, DigestKind.AUTOV2, DigestKind.AUTOV3, DigestKind.SHA256))


def payload_digests(value: str) -> tuple[Digest, ...]:
    """The claim in a hash over a payload, at any length."""
    digest = Digest.of(DigestKind.AUTOV3, value)
    return () if digest is None or EMPTY_SHA256.startswith(digest.value) else (digest,)


def _claim(value: str, kinds: tuple[DigestKind, ...]) -> tuple[Digest, ...]:
    value = value.strip().lower().removeprefix("0x")
    if EMPTY_SHA256.startswith(value):  # the hash of nothing: a file under 1 MiB, or a repackager's slip
        return ()
    digests = (Digest.of(kind, value) for kind in kinds if DIGITS[kind] == len(value))
    return tuple(digest for digest in digests if digest)


def by_air(air: str, kind: Kind = Kind.UNKNOWN, name: str = "") -> Need | None:
    """The need that an AIR urn spells, None when it is none."""
    try:
        reference = parse(air)
    except BadReference:
        return None
    parts = air.removeprefix("urn:").split(":")
    said = kind_of(parts[2]) if len(parts) > 2 else Kind.UNKNOWN
    version = reference.version if isinstance(reference, CivitaiRef) else None
    return Need(kind if said is Kind.UNKNOWN else said, name, version_id=version, air=air)


def by_resource(item: object, mention: Mention) -> Need | None:
    """The need in one item of Civitai's resource lists, which name releases and not files."""
    facts = table(item)
    names = (word(facts.get("modelName")), word(facts.get("modelVersionName") or facts.get("versionName")))
    kind = kind_of(word(facts.get("type")))
    need = by_air(word(facts.get("air")), kind) if facts.get("air") else None
    if need is None:
        version = whole(facts.get("modelVersionId"))
        if version is None and not names[0]:
            return None
        need = Need(kind, version_id=version)
    weight = real(facts.get("weight", facts.get("strength")))
    return replace(need, title=" · ".join(filter(None, names)), weight=weight, mentions=(mention,))


class Needs:
    """The needs of one picture while its parameters are read."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Need] = {}
        self._left = _MOST_MENTIONS

    def add(self, need: Need | None) -> None:
        """Add a need, or what it says to the one for the same file."""
        if need is None or (need.name and not is_name(need.name)) or not self._left:
            return
        self._left -= 1
        if need.name.lower().startswith("urn:air:"):
            air = by_air(need.name, need.kind)
            need = replace(need, name="", air=need.name, version_id=air.version_id if air else None)
        key = _key(need)
        if key is None:
            return
        if key in self._found:
            self._found[key] = _joined(self._found[key], need)
        elif len(self._found) < _MOST:
            self._found[key] = need

    def all(self) -> tuple[Need, ...]:
        """The needs in the order of their first mention, with those drawn together that are surely one."""
        found = list(self._found.values())
        for need in [need for need in found if not need.name]:
            named = [other for other in found if other.name and _group(other.kind) == _group(need.kind)]
            same = [other for other in named if set(other.digests) & set(need.digests)]
            unnamed = [other for other in found if not other.name and other.kind is need.kind]
            if need.kind is Kind.CHECKPOINT and len(named) == len(unnamed) == 1 and named[0].version_id is None:
                same = named
            if len(same) == 1:
                found[found.index(same[0])] = _joined(same[0], need)
                found.remove(need)
        return tuple(found)


def _group(kind: Kind) -> str:
    return Kind.LORA if kind is Kind.LYCORIS else kind


def _key(need: Need) -> tuple[str, str] | None:
    if need.name:
        return _group(need.kind), label(need.name)
    if need.version_id is not None:
        return "version", str(need.version_id)
    if need.air or need.digests:
        return _group(need.kind), need.air or str(need.digests[0])
    return ("title", need.title.casefold()) if need.title else None


def _joined(first: Need, second: Need) -> Need:
    digests = dict.fromkeys(first.digests + second.digests)
    return Need(
        kind=second.kind if first.kind in (Kind.UNKNOWN, Kind.LORA) and second.kind is not Kind.UNKNOWN else first.kind,
        name=first.name or second.name,
        weight=second.weight if first.weight is None else first.weight,
        digests=tuple(sorted(digests, key=lambda digest: _STRENGTH.index(digest.kind))),
        version_id=second.version_id if first.version_id is None else first.version_id,
        air=first.air or second.air,
        title=first.title or second.title,
        doubt=first.doubt or second.doubt,
        mentions=tuple(dict.fromkeys(first.mentions + second.mentions))[:_MENTIONS_OF_ONE],
    )
