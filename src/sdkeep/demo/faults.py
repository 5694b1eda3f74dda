"""Scripted trouble: what can go wrong between a hub and a client, by path and number of times."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sdkeep.demo.exchange import Request, Response, json_response, redirect, text_response


class Trouble(StrEnum):
    """The ways to misbehave. `at` is an offset in the body that is sent."""

    CUT = "cut"  # promise the whole body, close after `at` bytes
    RESET = "reset"  # the same with a connection reset
    STALL = "stall"  # fall silent for `seconds` at `at`, then go on
    SLOW = "slow"  # wait `seconds` before every 16 KiB
    NO_LENGTH = "no-length"  # no Content-Length, close after `at` bytes (0: after all of them)
    FLIP = "flip"  # change the byte at `at`
    GZIP = "gzip"  # compress, whatever was asked for
    IGNORE_RANGE = "ignore-range"  # the whole file with status 200
    WRONG_RANGE = "wrong-range"  # a Content-Range that starts one byte late
    WRONG_TOTAL = "wrong-total"  # a Content-Range of a longer file
    MULTIPART = "multipart"  # one range sent as multipart/byteranges
    NOT_SATISFIABLE = "not-satisfiable"  # 416
    CHANGED = "changed"  # the file has other bytes and another ETag
    EXPIRED = "expired"  # 403 with ExpiredRequest in XML, for every address asked more than `uses` times
    LOGIN_PAGE = "login-page"  # 200 and a web page
    JSON_ERROR = "json-error"  # 200 and an error in JSON
    STATUS = "status"  # `status`, with Retry-After when `seconds` is not 0
    REDIRECT = "redirect"  # 307 to `to`


@dataclass(frozen=True, slots=True)
class Fault:
    """One trouble for requests whose path starts with `path`: not for the first `after`, then `times` (None: for ever).

    `ranged` limits it to requests with (True) or without (False) a Range header.
    """

    trouble: Trouble
    path: str = "/"
    times: int | None = 1
    after: int = 0
    at: int = 0
    seconds: float = 0.0
    status: int = 503
    to: str = ""
    uses: int = 1
    ranged: bool | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a response goes out: offsets in its body, seconds of silence."""

    stop_at: int | None = None
    reset: bool = False
    stall_at: int | None = None
    stall: float = 0.0
    pace: float = 0.0
    no_length: bool = False
    flips: tuple[int, ...] = ()


@dataclass(slots=True)
class Script:
    """The faults in force and how often each was met."""

    faults: list[Fault] = field(default_factory=list)
    _met: dict[int, int] = field(default_factory=dict)
    _uses: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *faults: Fault) -> None:
        """Put faults in force after those already there."""
        with self._lock:
            self.faults.extend(faults)

    def clear(self) -> None:
        """Behave from now on."""
        with self._lock:
            self.faults.clear()
            self._met.clear()
            self._uses.clear()

    def due(self, request: Request, target: str) -> list[Fault]:
        """The faults that strike this request; `target` is its path with the query."""
        with self._lock:
            return [fault for index, fault in enumerate(self.faults) if self._strikes(index, fault, request, target)]

    def _strikes(self, index: int, fault: Fault, request: Request, target: str) -> bool:
        if not request.path.startswith(fault.path):
            return False
        if fault.ranged is not None and fault.ranged != ("range" in request.headers):
            return False
        if fault.trouble is Trouble.EXPIRED:
            self._uses[target] = self._uses.get(target, 0) + 1
            return self._uses[target] > fault.uses
        met = self._met[index] = self._met.get(index, 0) + 1
        return met > fault.after and (fault.times is None or met <= fault.after + fault.times)


def before(request: Request, faults: list[Fault]) -> Request:
    """The request as a misbehaving server understands it."""
    for fault in faults:
        if fault.trouble is Trouble.IGNORE_RANGE:
            request = replace(request, headers={k: v for k, v in request.headers.items() if k != "range"})
        if fault.trouble is Trouble.CHANGED:
            request = replace(request, edition=request.edition + 1)
    return request


def instead(faults: list[Fault]) -> Response | None:
    """The answer that replaces the real one, if a fault has one."""
    for fault in faults:
        match fault.trouble:
            case Trouble.EXPIRED:
                return text_response(_EXPIRED, 403, "application/xml")
            case Trouble.LOGIN_PAGE:
                return text_response(_LOGIN, 200, "text/html; charset=utf-8")
            case Trouble.JSON_ERROR:
                return json_response({"error": "Unauthorized", "message": "The creator requires you to be logged in"})
            case Trouble.STATUS:
                answer = json_response({"error": f"scripted {fault.status}"}, fault.status)
                after = {"retry-after": f"{fault.seconds:g}"} if fault.seconds else {}
                return replace(answer, headers={**answer.headers, **after})
            case Trouble.REDIRECT:
                return redirect(fault.to)
            case Trouble.NOT_SATISFIABLE:
                return Response(416, {"content-range": "bytes */0"})
            case _:
                continue
    return None


def after(response: Response, faults: list[Fault]) -> tuple[Response, Delivery]:
    """The real answer spoilt, and how it is to be sent."""
    delivery = Delivery()
    for fault in faults:
        response = _spoilt(response, fault.trouble)
        delivery = _spoilt_delivery(delivery, fault)
    return response, delivery


def _spoilt(response: Response, trouble: Trouble) -> Response:
    span = response.headers.get("content-range", "")
    match trouble:
        case Trouble.GZIP:
            body = gzip.compress(response.read(0, response.size), mtime=0)
            headers = {**response.headers, "content-encoding": "gzip"}
            return Response(response.status, headers, body)
        case Trouble.WRONG_RANGE if span:
            first, rest = span.removeprefix("bytes ").split("-", 1)
            return replace(response, headers={**response.headers, "content-range": f"bytes {int(first) + 1}-{rest}"})
        case Trouble.WRONG_TOTAL if span:
            part, total = span.rsplit("/", 1)
            return replace(response, headers={**response.headers, "content-range": f"{part}/{int(total) + 1}"})
        case Trouble.MULTIPART if span:
            return _multipart(response, span)
        case _:
            return response


def _spoilt_delivery(delivery: Delivery, fault: Fault) -> Delivery:
    match fault.trouble:
        case Trouble.CUT:
            return replace(delivery, stop_at=fault.at)
        case Trouble.RESET:
            return replace(delivery, stop_at=fault.at, reset=True)
        case Trouble.STALL:
            return replace(delivery, stall_at=fault.at, stall=fault.seconds)
        case Trouble.SLOW:
            return replace(delivery, pace=fault.seconds)
        case Trouble.NO_LENGTH:
            return replace(delivery, no_length=True, stop_at=fault.at or None)
        case Trouble.FLIP:
            return replace(delivery, flips=(*delivery.flips, fault.at))
        case _:
            return delivery


def _multipart(response: Response, span: str) -> Response:
    part = f"--sample\r\ncontent-range: {span}\r\n\r\n".encode() + response.read(0, response.size) + b"\r\n--sample--"
    headers = {k: v for k, v in response.headers.items() if k != "content-range"}
    return Response(206, {**headers, "content-type": "multipart/byteranges; boundary=sample"}, part)


_EXPIRED = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    "<Error><Code>ExpiredRequest</Code><Message>Request has expired</Message></Error>"
)
_LOGIN = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to go on</body></html>"
