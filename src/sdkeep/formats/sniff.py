"""Which container a file is, told by its bytes. Names and extensions lie and are not asked."""

from __future__ import annotations

import json
import re

from sdkeep.formats.contents import Container
from sdkeep.formats.draft import is_binary_pickle
from sdkeep.formats.legacy import MAGIC
from sdkeep.formats.magics import by_magic
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.safetensors import MOST_HEADER
from sdkeep.formats.textpickle import is_text_pickle
from sdkeep.formats.torchzip import container_of
from sdkeep.formats.zipdir import Directory, read_directory
from sdkeep.ground.source import Source

_FRONT = 4096
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|script|\?xml|error|!--)", re.IGNORECASE)
_YAML = re.compile(r"(?:\s*#[^\n]*\n|---\s*\n|%YAML[^\n]*\n|\s*\n)*[A-Za-z_][\w.-]*:(?:\s|$)")


def sniff(source: Source) -> Container:
    """The container of `source`: magic numbers and a little structure, in one or two reads."""
    return told(source)[0]


def told(source: Source) -> tuple[Container, Directory | None]:
    """The same, with the directory of a zip, by which its kind is told."""
    if source.size == 0:
        return Container.EMPTY, None
    front = source.read_at(0, _FRONT)
    container = by_magic(front)
    if container is Container.ZIP:
        directory = read_directory(source)
        return container_of(directory) if directory else Container.ZIP, directory
    return _plain(source, front, container), None


def _plain(source: Source, front: bytes, container: Container | None) -> Container:
    """The container of what is no zip."""
    if container is not None and container is not Container.TAR:
        return container
    if _is_safetensors(front, source.size):
        return Container.SAFETENSORS
    return container or _pickle_or_text(source, front)


def _is_safetensors(front: bytes, size: int) -> bool:
    """A plausible header length and an opening brace; a length beyond the file means one cut short.

    A header longer than the format allows is one where the file holds it.
    """
    if len(front) < 10 or front[8:9] != b"{":
        return False
    length = int.from_bytes(front[:8], "little")
    return (
        2 <= length <= max(MOST_HEADER, size - 8)
        and front[9:10] in (b'"', b"}", b" ", b"\n", b"\r", b"\t")
        and size > 8
    )


def _pickle_or_text(source: Source, front: bytes) -> Container:
    if is_binary_pickle(front):
        return Container.TORCH_LEGACY if _begins_with_magic(front) else Container.PICKLE
    if _MARKUP.match(front.removeprefix(b"\xef\xbb\xbf")):
        return Container.HTML
    if is_text_pickle(source, front):
        return Container.TORCH_LEGACY if _begins_with_magic(front) else Container.PICKLE
    return _text(front, source.size)


def _begins_with_magic(front: bytes) -> bool:
    """torch compares the first pickle's value with its magic number; a call may stand in for it, which `look` flags."""
    first = read_pickle(front)
    return first.complete and first.root == MAGIC


def _text(front: bytes, size: int) -> Container:
    try:
        words = front.decode("utf-8-sig") if size <= len(front) else front[:-4].decode("utf-8-sig", "ignore")
    except UnicodeDecodeError:
        return Container.UNKNOWN
    if any(ord(sign) < 32 and sign not in "\t\n\r\f" for sign in words):
        return Container.UNKNOWN
    if size > len(front) and len(words.encode()) < len(front) - 16:
        return Container.UNKNOWN
    if words.lstrip()[:1] in ("{", "["):
        return Container.JSON if size > len(front) or _is_json(words) else Container.TEXT
    return Container.YAML if _YAML.match(words) else Container.TEXT


def _is_json(words: str) -> bool:
    try:
        json.loads(words)
    except (ValueError, RecursionError):
        return False
    return True
