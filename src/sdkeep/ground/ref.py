"""The reference grammar: every way a person can name a model.

    reference  = civitai | air | hf | digest | "name:" NAME | "path:" PATH | url | word
    civitai    = "civitai:" MODEL [ "@" VERSION ] [ "#" FILE ]          decimal ids
               | a model page or download URL on civitai.com, .red, .green
    air        = [ "urn:" ] "air:" ECO ":" TYPE ":" SOURCE ":" ID [ "@" VERSION ] [ "+" FILE ] [ "." FORMAT ]
    hf         = "hf:" ORG "/" REPO [ "@" REVISION ] [ "/" PATH ]       a "/" inside REVISION is written %2F
               | a repository, blob or resolve URL on huggingface.co or hf.co
    digest     = ( "sha256" | "blake3" | "crc32" | "autov1" | "autov2" | "autov3" ) ":" HEX
    url        = ( "https" | "http" ) "://" ...
    word       = anything else: with a separator or a leading "." or "~" it is a path; else a catalogue or short
                 name, a bare hash of 8, 10, 12 or 64 digits, or an existing file: the catalogue decides

Parsing is pure: it looks at the text only, never at a disk, a catalogue or a network.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import parse_qs, quote, unquote, urlsplit

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import BadReference

CIVITAI_HOSTS = frozenset({"civitai.com", "civitai.red", "civitai.green"})
HF_HOSTS = frozenset({"huggingface.co", "hf.co"})


@dataclass(frozen=True, slots=True)
class CivitaiRef:
    """A Civitai model, one of its versions, one of that version's files. At least one of model and version is set."""

    model: int | None = None
    version: int | None = None
    file: int | None = None

    hub = "civitai"

    def __str__(self) -> str:
        tail = f"#{self.file}" if self.file is not None else ""
        if self.model is None:
            return f"urn:air:other:unknown:civitai:0@{self.version}{tail.replace('#', '+')}"
        version = f"@{self.version}" if self.version is not None else ""
        return f"civitai:{self.model}{version}{tail}"


@dataclass(frozen=True, slots=True)
class HfRef:
    """A Hugging Face repository, at a revision (branch, tag or commit), one of its files."""

    repo: str
    revision: str | None = None
    path: str | None = None

    hub = "huggingface"

    def __str__(self) -> str:
        revision = f"@{quote(self.revision, safe='')}" if self.revision else ""
        path = f"/{self.path}" if self.path else ""
        return f"hf:{self.repo}{revision}{path}"


@dataclass(frozen=True, slots=True)
class DigestRef:
    """A file by one of its digests."""

    digest: Digest

    def __str__(self) -> str:
        return str(self.digest)


@dataclass(frozen=True, slots=True)
class NameRef:
    """A name the catalogue gave, or the short name of a known base model."""

    name: str

    def __str__(self) -> str:
        return f"name:{self.name}"


@dataclass(frozen=True, slots=True)
class PathRef:
    """A file or folder on this machine, as typed."""

    path: str

    def __str__(self) -> str:
        return f"path:{self.path}"


@dataclass(frozen=True, slots=True)
class UrlRef:
    """A plain address that belongs to no hub."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class WordRef:
    """A bare word: a name, else a hash, else an existing file, in that order."""

    word: str

    def __str__(self) -> str:
        return self.word


HubRef = CivitaiRef | HfRef
Reference = CivitaiRef | HfRef | DigestRef | NameRef | PathRef | UrlRef | WordRef

_CIVITAI = re.compile(r"(\d{1,15})(?:@(\d{1,15}))?(?:#(\d{1,15}))?")
_AIR = re.compile(
    r"(?:urn:)?air:(?P<eco>[^:@+]*):(?P<type>[^:@+]*):(?P<source>[^:@+]+):(?P<id>[^@+]+?)"
    r"(?:@(?P<version>[^+]+?))?(?:\+(?P<file>\d+))?(?:\.(?P<format>[A-Za-z]+))?",
    re.IGNORECASE,
)
_REPO_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9]*):(.*)", re.DOTALL)


def parse(text: str) -> Reference:
    """The reference that `text` spells; raises `BadReference` when a prefix promises a form and the rest breaks it."""
    word = text.strip()
    if not word or "\0" in word:
        raise BadReference(text, "it is empty" if not word else "it holds a NUL character")
    lower = word.lower()
    if lower.startswith(("https://", "http://")):
        return _url(word)
    if lower.startswith(("urn:air:", "air:")):
        return _air(word)
    matched = _PREFIX.fullmatch(word)
    if matched:
        prefix, rest = matched[1].lower(), matched[2]
        if prefix in _READERS:
            return _READERS[prefix](rest, text)
        if prefix in list(DigestKind):
            return _digest(prefix, rest, text)
        if len(prefix) > 1 and not _looks_like_path(word):
            raise BadReference(text, f"`{matched[1]}:` is no known prefix")
    if _looks_like_path(word):
        return PathRef(word)
    return WordRef(word)


def _looks_like_path(word: str) -> bool:
    drive = len(word) > 2 and word[1] == ":" and word[0].isalpha() and word[2] in "\\/"
    return drive or word[0] in ".~" or "/" in word or "\\" in word


def _civitai(rest: str, text: str) -> CivitaiRef:
    matched = _CIVITAI.fullmatch(rest)
    if not matched:
        raise BadReference(text, "after `civitai:` come decimal ids: MODEL[@VERSION][#FILE]")
    model, version, file = (int(part) if part else None for part in matched.groups())
    return CivitaiRef(model, version, file)


def _hf(rest: str, text: str) -> HfRef:
    head, _, tail = rest.partition("/")
    second, slash, path = tail.partition("/")
    name, at, revision = second.partition("@")
    if not all(_REPO_PART.fullmatch(part) and ".." not in part for part in (head, name)):
        raise BadReference(text, "after `hf:` comes ORG/REPO[@REVISION][/PATH]")
    if at and not revision:
        raise BadReference(text, "the revision after `@` is empty")
    if slash and (not path or any(part in ("", ".", "..") for part in path.split("/"))):
        raise BadReference(text, "the path inside the repository is empty or climbs out of it")
    return HfRef(f"{head}/{name}", unquote(revision) or None, path or None)


def _digest(prefix: str, rest: str, text: str) -> DigestRef:
    digest = Digest.of(prefix, rest)
    if digest is None:
        raise BadReference(text, f"after `{prefix}:` comes its hexadecimal value")
    return DigestRef(digest)


def _name(rest: str, text: str) -> NameRef:
    if not rest.strip():
        raise BadReference(text, "after `name:` comes a name")
    return NameRef(rest.strip())


def _path(rest: str, text: str) -> PathRef:
    if not rest:
        raise BadReference(text, "after `path:` comes a path")
    return PathRef(rest)


_READERS: dict[str, Callable[[str, str], Reference]] = {"civitai": _civitai, "hf": _hf, "name": _name, "path": _path}


def _air(text: str) -> Reference:
    matched = _AIR.fullmatch(text)
    if not matched:
        raise BadReference(text, "an AIR reads urn:air:ECOSYSTEM:TYPE:SOURCE:ID[@VERSION]")
    source, id_, version = matched["source"].lower(), matched["id"], matched["version"]
    file = int(matched["file"]) if matched["file"] else None
    if source == "civitai":
        if not id_.isdecimal() or (version is not None and not version.isdecimal()):
            raise BadReference(text, "the ids of a Civitai AIR are decimal")
        return CivitaiRef(int(id_) or None, int(version) if version else None, file)
    if source == "huggingface":
        return _hf(f"{id_}@{quote(version, safe='')}" if version else id_, text)
    raise BadReference(text, f"sdkeep cannot fetch from the AIR source `{source}`")


def _url(text: str) -> Reference:
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
    except ValueError as error:
        raise BadReference(text, str(error)) from error
    if not host:
        raise BadReference(text, "the address names no host")
    bare = host.removeprefix("www.").removeprefix("api.")
    if bare in CIVITAI_HOSTS:
        return _civitai_url(parts.path, parse_qs(parts.query), text)
    if host.removeprefix("www.") in HF_HOSTS:
        return _hf_url(parts.path, text)
    return UrlRef(text)


def _civitai_url(path: str, query: dict[str, list[str]], text: str) -> CivitaiRef:
    segments = [part for part in path.split("/") if part]

    def number(name: str) -> int | None:
        value = query.get(name, [""])[0]
        return int(value) if value.isdecimal() and len(value) <= 15 else None

    ids = {a: int(b) for a, b in pairwise(segments) if b.isdecimal() and len(b) <= 15}
    if segments[:3] == ["api", "download", "models"] and "models" in ids:
        return CivitaiRef(None, ids["models"], number("fileId"))
    if "model-versions" in ids:
        return CivitaiRef(None, ids["model-versions"], None)
    if "models" in ids:
        return CivitaiRef(ids["models"], number("modelVersionId"), None)
    raise BadReference(text, "this Civitai address names no model")


def _hf_url(path: str, text: str) -> HfRef:
    segments = [unquote(part) for part in path.split("/") if part]
    if len(segments) < 2 or segments[0] in ("datasets", "spaces", "api", "docs"):
        raise BadReference(text, "this Hugging Face address names no model repository")
    repo, verb, rest = "/".join(segments[:2]), segments[2:3], segments[3:]
    if verb and verb[0] not in ("blob", "resolve", "raw", "tree", "commit"):
        rest = []
    revision, inner = (rest[0], rest[1:]) if rest else (None, [])
    if revision == "refs" and len(inner) >= 2:
        revision, inner = "/".join([revision, *inner[:2]]), inner[2:]
    spelt = repo + (f"@{quote(revision, safe='')}" if revision else "") + "".join(f"/{part}" for part in inner)
    return _hf(spelt, text)
