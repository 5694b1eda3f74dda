"""The files of a version: what they are, how large, and every address they can be fetched from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import Field

from sdkeep.ground.digest import EMPTY_SHA256, Digest, DigestKind
from sdkeep.ground.model import Claim, RemoteFile
from sdkeep.ground.ref import CIVITAI_HOSTS
from sdkeep.hubs.civitai import words
from sdkeep.hubs.civitai.lenient import Flag, Number, Pairs, Text, Whole, Wire, mapping, mappings


@dataclass(frozen=True, slots=True)
class Site:
    """Where an answer came from and when: `base` is where files are fetched, `shown` where a person sees the page."""

    base: str
    now: datetime
    shown: str = ""


class _FileFacts(Wire):
    format: Text = ""
    size: Text = ""
    fp: Text = ""


class _File(Wire):
    id: Whole = None
    name: Text = ""
    size_kb: Number = Field(None, alias="sizeKB")
    type: Text = ""
    primary: Flag = None
    hashes: Pairs = Field(default_factory=dict)
    download_url: Text = ""
    pickle_scan_result: Text = ""
    pickle_scan_message: Text = ""
    virus_scan_result: Text = ""
    virus_scan_message: Text = ""


def read_files(body: Mapping[str, object], version: int, site: Site) -> tuple[RemoteFile, ...]:
    """The files of the version whose answer `body` is."""
    found = [(item, _File.model_validate(item)) for item in mappings(body.get("files"))]
    links = Counter(file.download_url for _, file in found)
    return tuple(
        _file(file, mapping(item.get("metadata")), _Link(version, site, links[file.download_url] > 1, len(found) == 1))
        for item, file in found
    )


@dataclass(frozen=True, slots=True)
class _Link:
    """What a file's addresses depend on; `shared`: another file of the version claims the same address."""

    version: int
    site: Site
    shared: bool
    alone: bool


def _file(file: _File, metadata: Mapping[str, object], link: _Link) -> RemoteFile:
    facts = _FileFacts.model_validate(metadata)
    role = words.role(file.type)
    id_ = file.id or _file_id(file.download_url)
    url, *fallbacks = _addresses(file, id_, link)
    size, about = _size(file.size_kb)
    return RemoteFile(
        id=str(id_ or ""),
        name=file.name or f"civitai-{link.version}-{id_ or 'file'}",
        url=url,
        fallbacks=tuple(fallbacks),
        size=size,
        about=about,
        digests=_digests(file.hashes),
        role=role,
        format=words.file_format(facts.format, file.name),
        precision=words.precision(facts.fp),
        extent=words.extent(facts.size, role),
        primary=bool(file.primary),
        claims=_claims(file),
    )


def _size(kilobytes: float | None) -> tuple[int | None, int | None]:
    """Exact bytes when the claim is a whole number of them, else its rounding. Civitai prints 16 digits."""
    if kilobytes is None or kilobytes <= 0:
        return None, None
    size = round(kilobytes * 1024)
    return (size, None) if abs(kilobytes * 1024 - size) < 1e-3 else (None, size)


def _digests(hashes: Mapping[str, str]) -> tuple[Digest, ...]:
    found = (Digest.of(kind, value) for kind, value in hashes.items())
    kept = {digest for digest in found if digest is not None and not _of_nothing(digest)}
    return tuple(sorted(kept, key=lambda digest: (list(DigestKind).index(digest.kind), digest.value)))


def _of_nothing(digest: Digest) -> bool:
    """Whether this is the hash of no bytes, which tools publish when they failed to hash."""
    return digest.kind not in (DigestKind.BLAKE3, DigestKind.CRC32) and EMPTY_SHA256.startswith(digest.value)


def _claims(file: _File) -> tuple[Claim, ...]:
    stated = (
        Claim("civitai-pickle", file.pickle_scan_result, file.pickle_scan_message),
        Claim("civitai-virus", file.virus_scan_result, file.virus_scan_message),
    )
    return tuple(claim for claim in stated if claim.result)


def _addresses(file: _File, id_: int | None, link: _Link) -> list[str]:
    """Where to fetch a file, best first: by its id, by the address the hub gave, and as the version's main file."""
    plain = f"{link.site.base}/api/download/models/{link.version}"
    main = bool(file.primary) or link.alone
    given = _given(file.download_url, link.site)
    found = [f"{plain}?fileId={id_}"] if id_ else []
    if given and (main or not (link.shared or given == plain)):
        found.append(given)
    if main or not found:
        found.append(plain)
    return list(dict.fromkeys(found))


def _given(url: str, site: Site) -> str:
    """The hub's own download address, put on our host and freed of tokens; empty when it is not to be trusted."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.").removeprefix("api.")
    except ValueError:
        return ""
    ours = urlsplit(site.base).hostname
    if (host not in CIVITAI_HOSTS and host != ours) or not parts.path.startswith("/api/download/models/"):
        return ""
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name.lower() != "token"])
    return f"{site.base}{parts.path}" + (f"?{query}" if query else "")


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address; none when it is no address."""
    try:
        return dict(parse_qsl(urlsplit(url).query))
    except ValueError:
        return {}


def _file_id(url: str) -> int | None:
    value = query_of(url).get("fileId", "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 15 else None
