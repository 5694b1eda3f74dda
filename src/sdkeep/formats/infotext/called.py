"""The models that an infotext calls: in its prompts, its hash lists, its resource lists and in single settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sdkeep.formats.infotext.grammar import Infotext, Pair, pairs
from sdkeep.formats.infotext.loose import read_json, real, rows, table, word
from sdkeep.formats.infotext.needing import Needs, adapter_digests, by_resource, file_digests, is_name, kind_of
from sdkeep.formats.infotext.tags import calls
from sdkeep.formats.infotext.values import Mention, Need
from sdkeep.ground.digest import Digest
from sdkeep.ground.kinds import Kind

_VAE_DOUBT = "AUTOMATIC1111 keeps one cached hash for all VAEs: trust the name before the hash"
_LONGEST_LIST = 64 * 1024
_LONGEST_ENTRY = 600
_BRACKETED = re.compile(r"[0-9a-fA-F]{8,64}")
_NUMBERED = re.compile(r"Lora_(\d{1,3}) Model name")
_ADDNET = re.compile(r"AddNet Model (\d{1,3})")
_CONTROL = re.compile(r"ControlNet(?:[- ]\d{1,3})?")
_CONTROL_MODEL = re.compile(r"ControlNet(?:[- ]\d{1,3})? Model")
_MODULE = re.compile(r"Module \d{1,2}")
_UPSCALER = re.compile(r"(?:.* )?upscaler(?: \d)?", re.IGNORECASE)
_DETECTION = re.compile(r"ADetailer model(?: \w{1,8})?")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]*")
_PLAIN_SCALERS = ("latent", "lanczos", "nearest", "none", "bicubic", "bilinear", "antialias")
_MODELS = {"Refiner": Kind.CHECKPOINT, "Hires checkpoint": Kind.CHECKPOINT, "Unet": Kind.DIFFUSION_MODEL,
           "TE": Kind.TEXT_ENCODER, "Hypernet": Kind.HYPERNETWORK}  # fmt: skip
_CONTROLS = (("t2iadapter", Kind.T2I_ADAPTER), ("t2i-adapter", Kind.T2I_ADAPTER), ("ip-adapter", Kind.IP_ADAPTER),
             ("ip_adapter", Kind.IP_ADAPTER))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Page:
    """The settings of one infotext, looked up without regard to case, and the chunk they stand in."""

    chunk: str
    pairs: tuple[Pair, ...]
    values: dict[str, str]

    def value(self, key: str) -> str:
        return self.values.get(key.lower(), "").strip()

    def mention(self, pair: Pair) -> Mention:
        return Mention(self.chunk, pair.start, pair.end)

    def mentions(self, *keys: str) -> tuple[Mention, ...]:
        wanted = {key.lower() for key in keys}
        return tuple(self.mention(pair) for pair in self.pairs if pair.key.lower() in wanted)


def called(text: str, parts: Infotext, chunk: str) -> tuple[Need, ...]:
    """Every model that the infotext `text` calls; `parts` are its parts, and it stands in `chunk`."""
    page = _Page(chunk, parts.pairs, {pair.key.lower(): pair.value for pair in parts.pairs})
    needs = Needs()
    for need in _main(page):
        needs.add(need)
    for need in calls(text[: parts.settings_at], chunk):
        needs.add(need)
    for pair in parts.pairs:
        for need in _pair(page, pair):
            needs.add(need)
    return needs.all()


def _main(page: _Page) -> Iterator[Need]:
    """The checkpoint and the VAE: name, hash, and what `Hashes` says of them."""
    hashes = table(read_json(page.value("Hashes")))
    for kind, key in ((Kind.CHECKPOINT, "Model"), (Kind.VAE, "VAE")):
        stated = page.value(f"{key} hash")
        digests = tuple(dict.fromkeys(file_digests(stated) + file_digests(word(hashes.get(key.lower())))))
        name = page.value(key)
        if not is_name(name):
            name = ""
            digests = digests if kind is Kind.CHECKPOINT or not page.value(key) else ()
        if name or digests:
            doubt = _VAE_DOUBT if kind is Kind.VAE and stated else ""
            mentions = page.mentions(key, f"{key} hash") or page.mentions("Hashes")
            yield Need(kind, name, digests=digests, doubt=doubt, mentions=mentions)


def _pair(page: _Page, pair: Pair) -> Iterator[Need]:
    """The needs in one setting."""
    key = pair.key.lower()
    if key in _LISTS:
        yield from _LISTS[key](page, pair)
    elif pair.key in _MODELS:
        yield _hashed(_MODELS[pair.key], pair.value, page.mention(pair), weight=_strength(page, pair.key))
    elif "prompt" in key:
        for need in calls(pair.value, page.chunk):
            yield replace(need, mentions=(page.mention(pair),))
    elif _UPSCALER.fullmatch(pair.key):
        if not pair.value.strip().lower().startswith(_PLAIN_SCALERS):
            yield Need(Kind.UPSCALER, pair.value.strip(), mentions=(page.mention(pair),))
    else:
        yield from _numbered(page, pair)


def _numbered(page: _Page, pair: Pair) -> Iterator[Need]:
    """Settings whose key carries a number: ControlNet units, additional networks, image savers, Forge's modules."""
    mention = page.mention(pair)
    if _CONTROL_MODEL.fullmatch(pair.key):
        weight = real(page.value(pair.key.removesuffix("Model") + "Weight"))
        yield _control(pair.value, weight, mention)
    elif _CONTROL.fullmatch(pair.key):
        unit = {inner.key.lower(): inner.value.strip() for inner in pairs(pair.value[:_LONGEST_LIST])}
        yield _control(unit.get("model", ""), real(unit.get("weight")), mention)
    elif found := _ADDNET.fullmatch(pair.key):
        yield from _additional(page, found[1], pair)
    elif found := _NUMBERED.fullmatch(pair.key):
        stem = f"Lora_{found[1]} "
        digests = adapter_digests(page.value(stem + "Model hash"))
        yield Need(
            Kind.LORA, pair.value.strip(), real(page.value(stem + "Strength model")), digests, mentions=(mention,)
        )
    elif _MODULE.fullmatch(pair.key):
        name = pair.value.strip()
        kind = Kind.VAE if "vae" in name.lower() or name.lower() in ("ae", "ae.safetensors") else Kind.TEXT_ENCODER
        yield Need(kind, name, mentions=(mention,))
    elif _DETECTION.fullmatch(pair.key):
        yield Need(Kind.DETECTION, pair.value.strip(), mentions=(mention,))
    elif pair.key == "AnimateDiff":
        inner = {part.key.lower(): part.value.strip() for part in pairs(pair.value[:_LONGEST_LIST])}
        yield Need(Kind.MOTION_MODULE, inner.get("model", ""), mentions=(mention,))


def _additional(page: _Page, number: str, pair: Pair) -> Iterator[Need]:
    """`AddNet Model N: name(hash)`. Eight digits are that extension's own hash of a rebuilt file, and no AutoV1."""
    if page.value("AddNet Enabled").lower() == "false":
        return
    name, hash_ = _apart(pair.value)
    weight = real(page.value(f"AddNet Weight A {number}") or page.value(f"AddNet Weight {number}"))
    kind = kind_of(page.value(f"AddNet Module {number}"))
    digests = adapter_digests(hash_) if len(hash_) > 8 else ()
    yield Need(Kind.LORA if kind is Kind.UNKNOWN else kind, name, weight, digests, mentions=(page.mention(pair),))


def _control(value: str, weight: float | None, mention: Mention) -> Need:
    name = value.strip().lower()
    kind = next((kind for start, kind in _CONTROLS if name.startswith(start)), Kind.CONTROLNET)
    return _hashed(kind, value, mention, weight=weight)


def _hashed(kind: Kind, value: str, mention: Mention, *, weight: float | None = None) -> Need:
    """`name [hash]` or `name(hash)`."""
    name, hash_ = _apart(value)
    return Need(kind, name, weight, file_digests(hash_), mentions=(mention,))


def _apart(value: str) -> tuple[str, str]:
    value = value.strip()
    place = max(value.rfind("["), value.rfind("("))
    if place > 0 and value[-1] in "])" and _BRACKETED.fullmatch(value, place + 1, len(value) - 1):
        return value[:place].strip(), value[place + 1 : -1]
    return value, ""


def _strength(page: _Page, key: str) -> float | None:
    return real(page.value("Hypernet strength")) if key == "Hypernet" else None


def _hash_list(kind: Kind, read: Callable[[str], tuple[Digest, ...]]) -> Callable[[_Page, Pair], Iterator[Need]]:
    """A reader of `name: hash, name: hash`; Fooocus adds the weight as a third part."""

    def needs(page: _Page, pair: Pair) -> Iterator[Need]:
        for name, parts in _listed(pair.value):
            hash_, weight = parts[0], real(parts[1]) if len(parts) > 1 else None
            yield Need(kind, name, weight, read(hash_), mentions=(page.mention(pair),))

    return needs


def _listed(value: str) -> Iterator[tuple[str, list[str]]]:
    """The entries of a hash list. A comma or colon inside a name is told from a separator by what follows it."""
    held = ""
    for piece in value[:_LONGEST_LIST].split(", "):
        piece = held + piece
        parts = piece.rsplit(": ", 2)
        if len(parts) == 3 and parts[1] and _HEX.fullmatch(parts[1].strip()) and real(parts[2]) is not None:
            yield parts[0].strip(), [parts[1].strip(), parts[2].strip()]
            held = ""
            continue
        name, colon, hash_ = piece.rpartition(":")
        if colon and _HEX.fullmatch(hash_.strip()):
            yield name.strip(), [hash_.strip()]
            held = ""
        else:
            held = piece + ", " if len(piece) < _LONGEST_ENTRY else ""


def _weights(page: _Page, pair: Pair) -> Iterator[Need]:
    """Fooocus' `Lora weights: name: weight, ...`, beside its hashes."""
    for piece in pair.value[:_LONGEST_LIST].split(", "):
        name, colon, weight = piece.rpartition(":")
        if colon and real(weight) is not None:
            yield Need(Kind.LORA, name.strip(), real(weight), mentions=(page.mention(pair),))


def _names(kind: Kind) -> Callable[[_Page, Pair], Iterator[Need]]:
    """A reader of plain names, as SD.Next lists what it loaded; a weight may follow a colon."""

    def needs(page: _Page, pair: Pair) -> Iterator[Need]:
        for piece in pair.value[:_LONGEST_LIST].split(","):
            name, colon, weight = piece.rpartition(":")
            number = real(weight) if colon else None
            yield Need(kind, (name if number is not None else piece).strip(), number, mentions=(page.mention(pair),))

    return needs


def _hashes(page: _Page, pair: Pair) -> Iterator[Need]:
    """`Hashes: {"lora:name": "..."}`; model and VAE are read with their names."""
    for key, value in table(read_json(pair.value)).items():
        kind, colon, name = key.partition(":")
        if colon and name:
            digests = adapter_digests(word(value)) if kind_of(kind) in _ADAPTERS else file_digests(word(value))
            yield Need(kind_of(kind), name, digests=digests, mentions=(page.mention(pair),))


def _resources(page: _Page, pair: Pair) -> Iterator[Need]:
    for item in rows(read_json(pair.value)):
        need = by_resource(item, page.mention(pair))
        if need:
            yield need


_ADAPTERS = (Kind.LORA, Kind.LYCORIS)
_LISTS: dict[str, Callable[[_Page, Pair], Iterator[Need]]] = {
    "lora hashes": _hash_list(Kind.LORA, adapter_digests),
    "lyco hashes": _hash_list(Kind.LYCORIS, adapter_digests),
    "ti hashes": _hash_list(Kind.EMBEDDING, file_digests),
    "lora weights": _weights,
    "lora networks": _names(Kind.LORA),
    "embeddings": _names(Kind.EMBEDDING),
    "hashes": _hashes,
    "civitai resources": _resources,
}
