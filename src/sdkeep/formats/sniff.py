"""Which container a file is, told by its bytes. Names and extensions lie and are not asked."""

from __future__ import annotations

import json
import re

from sdkeep.formats.contents import Container
from sdkeep.formats.draft import is_binary_pickle
from sdkeep.formats.legacy import MAGIC
from sdkeep.formats.pickled.machine import read_pickle
from sdkeep.formats.pickled.values import EventKind, GlobalNode
from sdkeep.formats.safetensors import MOST_HEADER
from sdkeep.formats.torchzip import container_of
from sdkeep.formats.zipdir import read_directory
from sdkeep.ground.source import Source

_FRONT = 4096
_MAGICS = (
    (b"\x89PNG\r\n\x1a\n", Container.PNG),
    (b"\xff\xd8\xff", Container.JPEG),
    (b"7z\xbc\xaf\x27\x1c", Container.SEVEN_ZIP),
    (b"Rar!\x1a\x07", Container.RAR),
    (b"\x1f\x8b\x08", Container.GZIP),
    (b"GGUF", Container.GGUF),
    (b"\x93NUMPY", Container.NUMPY),
    (b"version https://git-lfs.github.com/spec/", Container.LFS_POINTER),
)
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|script|\?xml|error|!--)", re.IGNORECASE)
_YAML = re.compile(r"(?:\s*#[^\n]*\n|---\s*\n|%YAML[^\n]*\n|\s*\n)*[A-Za-z_][\w.-]*:(?:\s|$)")
_DOTTED = re.compile(r"[A-Za-z_][\w.]*")


def sniff(source: Source) -> Container:
    """The container of `source`: magic numbers and a little structure, in one or two reads."""
    if source.size == 0:
        return Container.EMPTY
    front = source.read_at(0, _FRONT)
    for magic, container in _MAGICS:
        if front.startswith(magic):
            return container
    if front[:4] == b"RIFF" and front[8:12] == b"WEBP":
        return Container.WEBP
    if front.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        directory = read_directory(source)
        return container_of(directory) if directory else Container.ZIP
    if _is_safetensors(front, source.size):
        return Container.SAFETENSORS
    if front[257:262] == b"ustar" or _is_old_tar(front):
        return Container.TAR
    return _pickle_or_text(front, source.size)


def _is_safetensors(front: bytes, size: int) -> bool:
    """A plausible header length and an opening brace; a length beyond the file means one cut short."""
    if len(front) < 10 or front[8:9] != b"{":
        return False
    length = int.from_bytes(front[:8], "little")
    return 2 <= length <= MOST_HEADER and front[9:10] in (b'"', b"}", b" ", b"\n", b"\r", b"\t") and size > 8


def _is_old_tar(front: bytes) -> bool:
    """A tar without magic, as Python wrote for torch before 0.1.10: the header's checksum fits."""
    if len(front) < 512 or not front[0] or front[156:157] not in (b"\0", b"0", b"5"):
        return False
    stated = front[148:156].strip(b" \0")
    if not stated or not all(digit in b"01234567" for digit in stated):
        return False
    return sum(front[:148]) + sum(front[156:512]) + 8 * 32 == int(stated, 8)


def _pickle_or_text(front: bytes, size: int) -> Container:
    if is_binary_pickle(front):
        return Container.TORCH_LEGACY if _begins_with_magic(front) else Container.PICKLE
    if _MARKUP.match(front.removeprefix(b"\xef\xbb\xbf")):
        return Container.HTML
    if _is_text_pickle(front):
        return Container.TORCH_LEGACY if _begins_with_magic(front) else Container.PICKLE
    return _text(front, size)


def _begins_with_magic(front: bytes) -> bool:
    """torch compares the first pickle's value with its magic number; a call may stand in for it, which `look` flags."""
    first = read_pickle(front)
    return first.complete and first.root == MAGIC


def _is_text_pickle(front: bytes) -> bool:
    """A pickle of protocol 0 or 1 has no magic: it must run to its end, or import something with a proper name."""
    if front[:1] not in b"(]}cilIFLSVPNKMJGTUX)q\x80":
        return False
    reading = read_pickle(front)
    if reading.complete and reading.opcodes > 1:  # "N. Surname" is prose, two opcodes long
        return reading.opcodes > 2 or front[:1] in b"ILFSV" or len(front) < 16
    imports = [event.target for event in reading.events if event.kind is EventKind.IMPORT]
    return any(
        isinstance(target, GlobalNode) and _DOTTED.fullmatch(target.module) and _DOTTED.fullmatch(target.name)
        for target in imports
    )


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
