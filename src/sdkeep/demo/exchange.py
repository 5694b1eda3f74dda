"""What the sample server is asked and what it answers: requests, responses, and files with correct range semantics."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is as sent, without the query; header names are lower-case.

    `edition` is 0 unless a fault makes the server change its files: then `file_response` serves other bytes.
    """

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    edition: int = 0

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [default])[0]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. `body` is bytes or a file; `start` and `length` select a part of it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Path = b""
    start: int = 0
    length: int | None = None
    edition: int = 0

    @property
    def size(self) -> int:
        """Bytes of body that will be sent."""
        return _size(self.body) - self.start if self.length is None else self.length

    def read(self, offset: int, length: int) -> bytes:
        """A block of the part that is to be sent."""
        offset, length = self.start + offset, min(length, self.size - offset)
        if isinstance(self.body, bytes):
            block = self.body[offset : offset + length]
        else:
            with self.body.open("rb") as file:
                file.seek(offset)
                block = file.read(length)
        return block.translate(_shifted(self.edition)) if self.edition else block


Handler = Callable[[Request], Response | None]


@dataclass(slots=True)
class Hit:
    """One request that the server saw. `path` includes the query; `sent` counts body bytes while they go out.

    `over` is set when the last of them went, or the client left.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    range: str = ""
    status: int = 0
    sent: int = 0
    over: bool = False


def json_response(value: object, status: int = 200) -> Response:
    """A JSON answer."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Response(status, {"content-type": "application/json; charset=utf-8"}, body)


def text_response(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Response:
    """A text answer, HTML and XML included."""
    return Response(status, {"content-type": content_type}, text.encode())


def redirect(location: str, status: int = 307) -> Response:
    """A redirect."""
    return Response(status, {"location": location})


def file_response(
    file: bytes | Path,
    request: Request,
    *,
    etag: str | None = None,
    content_type: str = "application/octet-stream",
    filename: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A file, whole or in the one range asked for: 200, 206 or 416 as RFC 9110 has it.

    `etag` is the quoted validator; None makes a strong one from the content, an empty text sends none. `If-Range` is
    compared strongly. Several ranges at once, or a malformed one, are answered with the whole file.
    """
    size = _size(file)
    tag = _edition_tag(_etag(file) if etag is None else etag, request.edition)
    sent = {"content-type": content_type, "accept-ranges": "bytes", **(headers or {})}
    if tag:
        sent["etag"] = tag
    if filename:
        sent["content-disposition"] = _attachment(filename)
    span = _span(request, size, tag)
    if span is None:
        return Response(200, sent, file, edition=request.edition)
    start, stop = span
    if start >= stop:
        return Response(416, {**sent, "content-range": f"bytes */{size}"})
    sent["content-range"] = f"bytes {start}-{stop - 1}/{size}"
    return Response(206, sent, file, start, stop - start, request.edition)


def _span(request: Request, size: int, tag: str) -> tuple[int, int] | None:
    """The half-open range to send, None for all of it, an empty one when it lies outside."""
    matched = _RANGE.fullmatch(request.headers.get("range", ""))
    if not matched or matched.groups() == ("", ""):
        return None
    condition = request.headers.get("if-range")
    if condition is not None and (condition != tag or tag.startswith("W/")):
        return None
    first, last = matched.groups()
    if not first:
        return max(0, size - int(last)), size
    stop = min(size, int(last) + 1) if last else size
    if last and int(last) < int(first):
        return None
    return int(first), stop


def _size(body: bytes | Path) -> int:
    return len(body) if isinstance(body, bytes) else body.stat().st_size


def _etag(file: bytes | Path) -> str:
    if isinstance(file, bytes):
        return f'"{hashlib.sha256(file).hexdigest()[:32]}"'
    stat = file.stat()
    return f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'


def _edition_tag(tag: str, edition: int) -> str:
    return f'{tag[:-1]}-{edition}"' if tag and edition else tag


def _shifted(edition: int) -> bytes:
    return bytes((value + edition) % 256 for value in range(256))


def _attachment(filename: str) -> str:
    plain = filename.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    starred = "" if filename.isascii() else f"; filename*=UTF-8''{quote(filename, safe='')}"
    return f'attachment; filename="{plain}"{starred}'
