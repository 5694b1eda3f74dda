"""What a server's answer to a request for a file means: an offer of bytes, or a refusal in one of its many dresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote

from sdkeep.ground.errors import AccessError, HubError, KeepError, NeedsLogin, NotAModel, NotOnHub
from sdkeep.ground.text import one_line
from sdkeep.net.address import authority, host_of, is_signed, redact
from sdkeep.net.client import Answer, Stream, is_busy

Refused = Callable[[Answer], KeepError]

ERROR_BODY = 64 * 1024

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d+)")
_NAME_EXTENDED = re.compile(r"filename\*\s*=\s*([\w-]+)'[^']*'([^\s;]+)", re.IGNORECASE)
_NAME_QUOTED = re.compile(r'filename\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_NAME_BARE = re.compile(r"filename\s*=\s*([^\s;\"]+)", re.IGNORECASE)
_PAGES = (
    "text/html",
    "application/xhtml+xml",
    "application/json",
    "application/problem+json",
    "text/xml",
    "application/xml",
)
_OPENINGS = (b"<!doctype", b"<html", b"<?xml", b'{"error', b'{"message', b'{"detail')
_EXPIRED = re.compile(
    rb"ExpiredRequest|AccessDenied|ExpiredToken|RequestTimeTooSkewed|SignatureDoesNotMatch|has expired"
)


@dataclass(frozen=True, slots=True)
class Validator:
    """What tells two versions of a remote file apart. Texts are as sent; empty when the server names none."""

    etag: str = ""
    modified: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validator:
        """The validator in a response's headers."""
        return cls(headers.get("etag", ""), headers.get("last-modified", ""))

    @property
    def condition(self) -> str:
        """What If-Range may say: a strong ETag, else a date, else nothing."""
        if self.etag:
            return "" if self.etag.startswith("W/") else self.etag
        return self.modified

    def differs(self, other: Validator) -> bool:
        """Whether both speak, and disagree."""
        if self.etag and other.etag:
            return self.etag.removeprefix("W/") != other.etag.removeprefix("W/")
        return bool(self.modified and other.modified) and self.modified != other.modified

    def vouches(self, other: Validator) -> bool:
        """Whether both speak of the same thing, and agree."""
        same_thing = (self.etag and other.etag) or (not self.etag and self.modified and other.modified)
        return bool(same_thing) and not self.differs(other)


@dataclass(frozen=True, slots=True)
class Offer:
    """Bytes on their way: from `start` up to `stop` of a file of `total` bytes, None where the server does not say.

    `partial` is whether it answered with a range; `framed` whether the end of the body can be told from a cut.
    """

    start: int
    stop: int | None
    total: int | None
    partial: bool
    framed: bool
    validator: Validator
    name: str
    host: str


class Denial(Enum):
    """Why there are no bytes."""

    EXPIRED = auto()  # the storage behind the hub no longer honours the address: ask the hub for a new one
    BUSY = auto()
    GONE = auto()  # try another address of the same file
    REFUSED = auto()


def offer_of(stream: Stream) -> Offer | None:
    """What a 200 or 206 offers; None when a 206 is not one readable range or the body is encoded."""
    headers = stream.headers
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        return None
    length = headers.get("content-length", "")
    size = int(length) if length.isdecimal() else None
    framed = size is not None or "chunked" in headers.get("transfer-encoding", "").lower()
    start, stop, total = 0, size, size
    if stream.status == 206:
        matched = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
        if not matched:
            return None
        start, stop = int(matched[1]), int(matched[2]) + 1
        total = None if matched[3] == "*" else int(matched[3])
        if stop <= start or (total is not None and stop > total) or (size is not None and size != stop - start):
            return None
    name = _file_name(headers.get("content-disposition", ""))
    return Offer(start, stop, total, stream.status == 206, framed, Validator.of(headers), name, host_of(stream.url))


def unsatisfied_total(answer: Answer) -> int | None:
    """The length of the file that a 416 tells of."""
    matched = _UNSATISFIED.fullmatch(answer.headers.get("content-range", "").strip())
    return int(matched[1]) if matched else None


def answer_of(stream: Stream) -> Answer:
    """An answer that is no file, with the beginning of its body."""
    return Answer(stream.status, stream.headers, stream.read(ERROR_BODY), stream.url)


def denial_of(answer: Answer, asked: str) -> Denial:
    """What kind of no this is, to a request that began at the hub's own address `asked`."""
    if is_busy(answer.status):
        return Denial.BUSY
    moved = authority(answer.url) != authority(asked) or is_signed(answer.url)
    if answer.status in (400, 401, 403) and (moved or b"<Error>" in answer.body) and _EXPIRED.search(answer.body):
        return Denial.EXPIRED
    if answer.status in (401, 403) and moved and is_signed(answer.url):
        return Denial.EXPIRED
    return Denial.GONE if answer.status == 404 else Denial.REFUSED


def refused(answer: Answer) -> KeepError:
    """The error for an answer that no hub explains."""
    host, url = host_of(answer.url), redact(answer.url)
    said = one_line(answer.text, 160) if "html" not in answer.headers.get("content-type", "") else ""
    why = f"it answers {answer.status}" + (f": {said}" if said else "")
    if answer.status == 401:
        return NeedsLogin(f"{host} wants to know who you are", why, "`sdkeep auth login`", url=url, http=401)
    if answer.status == 403:
        return AccessError(f"{host} does not let you have this file", why, "`sdkeep auth status`", url=url, http=403)
    if answer.status in (404, 410):
        return NotOnHub(
            f"{host} has no such file", why, "`sdkeep search` looks for others", url=url, http=answer.status
        )
    return HubError(f"{host} does not send the file", why, "try again later", url=url, http=answer.status)


def check_type(stream: Stream, name: str, refused_by: Refused) -> None:
    """Raise when the headers announce a web page or an error text in place of a model."""
    kind = stream.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in _PAGES:
        return
    if "/login" in stream.url or "download-auth" in stream.url:
        raise refused_by(Answer(401, stream.headers, stream.read(ERROR_BODY), stream.url))
    raise page_instead(name, f"{host_of(stream.url)} sent {kind}: {_words(stream.read(ERROR_BODY))}")


def check_opening(data: bytes, name: str) -> None:
    """Raise when the first bytes of a file are those of a web page or an error text."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:16].lower().startswith(_OPENINGS):
        raise page_instead(name, f"it begins `{_words(data)}`")


def page_instead(name: str, why: str) -> NotAModel:
    """The error for a page where a model was promised."""
    return NotAModel(
        f"a web page arrived instead of `{name}`", why, "most often a login is missing: `sdkeep auth login`"
    )


def _words(body: bytes) -> str:
    return one_line(body[:400].decode("utf-8", "replace"), 120)


def _file_name(disposition: str) -> str:
    """The raw file name of a Content-Disposition; the form that names its character set wins."""
    if extended := _NAME_EXTENDED.search(disposition):
        try:
            return unquote(extended[2], extended[1], "replace")
        except LookupError:  # a character set that nobody knows
            pass
    if quoted := _NAME_QUOTED.search(disposition):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    bare = _NAME_BARE.search(disposition)
    return bare[1] if bare else ""
