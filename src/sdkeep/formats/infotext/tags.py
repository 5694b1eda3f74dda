"""Models called inside a prompt: `<lora:name:0.8>` and its kin, ComfyUI's `embedding:name`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sdkeep.formats.infotext.loose import real
from sdkeep.formats.infotext.values import Mention, Need
from sdkeep.ground.kinds import Kind

_TAG = re.compile(r"<(lora|lyco|hypernet|embed|embedding):([^<>\n]{1,500})>", re.IGNORECASE)
_EMBEDDING = re.compile(r"(?<![\w<])embedding:\s*+([^\s,:;()\[\]{}<>|\"']{1,300})(?::(-?\d{0,3}\.?\d{1,6}))?")
_KINDS = {
    "lora": Kind.LORA, "lyco": Kind.LYCORIS, "hypernet": Kind.HYPERNETWORK,
    "embed": Kind.EMBEDDING, "embedding": Kind.EMBEDDING,
}  # fmt: skip


def calls(text: str, chunk: str, *, path: str = "") -> Iterator[Need]:
    """The models that `text` calls. It is the front of `chunk`, or the value at `path` in the JSON of `chunk`.

    In a tag, arguments stand after the name, by position (text encoder, then UNet) or by name (`te=`, `unet=`); the
    weight is that of the text encoder, which the WebUI uses for both unless told otherwise, and 1 when none is
    written.
    """
    for found in _TAG.finditer(text):
        name, *arguments = found[2].split(":")
        yield Need(_KINDS[found[1].lower()], name.strip(), _weight(arguments), mentions=(_place(found, chunk, path),))
    for found in _EMBEDDING.finditer(text):
        yield Need(Kind.EMBEDDING, found[1], real(found[2]), mentions=(_place(found, chunk, path),))


def _place(found: re.Match[str], chunk: str, path: str) -> Mention:
    return Mention(chunk, path=path) if path else Mention(chunk, *found.span())


def _weight(arguments: list[str]) -> float:
    named = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    placed = [argument for argument in arguments if "=" not in argument]
    number = real(named.get("te") or (placed[0] if placed else None) or named.get("unet"))
    return 1.0 if number is None else number
