"""What Civitai's refusals mean: HTTP answers in, errors of ours out. A status alone never reaches a person."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import TypedDict
from urllib.parse import urlsplit

from sdkeep.ground.errors import (
    AccessError,
    DownloadDisabled,
    EarlyAccess,
    HubDown,
    HubError,
    HubGarbled,
    KeepError,
    NeedsLogin,
    NotAModel,
    NotOnHub,
    RateLimited,
    RegionBlocked,
)
from sdkeep.ground.text import one_line
from sdkeep.hubs.civitai.lenient import mapping
from sdkeep.hubs.civitai.terms import moment, utc
from sdkeep.net.client import Answer, redact

LOGIN = "`sdkeep auth login civitai`, with a key from https://civitai.com/user/account"
_AGAIN = "try again in a few minutes; `sdkeep doctor` tells what answers"
_NOT_DELETED = "a 404 does not mean that it was deleted: Civitai also answers so for hidden and unpublished pages"


def document(answer: Answer, subject: str) -> object:
    """The JSON of a good answer about `subject`; raises what `api_error` says of any other."""
    if not 200 <= answer.status < 300:
        raise api_error(answer, subject)
    try:
        return _loads(answer.body)
    except (ValueError, RecursionError) as error:
        if is_page(answer):
            raise HubDown(
                f"Civitai answered with a web page when asked for {subject}",
                "it does so during maintenance",
                _AGAIN,
                url=redact(answer.url),
                http=answer.status,
            ) from error
        raise HubGarbled(
            f"Civitai's answer about {subject} cannot be read", "it is no JSON", url=redact(answer.url)
        ) from error


def api_error(answer: Answer, subject: str) -> KeepError:
    """The error behind a refusal of the API (not of a download) when asked for `subject`."""
    said = _said(answer)
    match answer.status:
        case 401:
            return NeedsLogin(f"Civitai shows {subject} only to a known account", said, LOGIN, **_where(answer))
        case 403 if _is_shield(answer):
            return _shield(answer)
        case 403:
            return AccessError(f"Civitai does not show {subject} to this account", said, LOGIN, **_where(answer))
        case 404:
            return NotOnHub(
                f"Civitai shows no {subject}",
                _NOT_DELETED,
                "look at the page in a browser, or name the file by its hash: `sdkeep get sha256:…`",
                **_where(answer),
            )
    return _general(answer, subject, said)


def download_error(answer: Answer) -> KeepError:
    """The error behind an answer of the download endpoint that is not the file."""
    said = _said(answer)
    if _is_login(answer):
        why = "it sends its login page instead"
        return NeedsLogin("Civitai gives this file only to a known account", why, LOGIN, **_where(answer))
    if 200 <= answer.status < 300:
        return _not_the_file(answer, said)
    special = _DOWNLOADS.get(answer.status)
    return special(answer, said) if special else _general(answer, "this file", said)


def _not_the_file(answer: Answer, said: str) -> KeepError:
    """A success that is none: an error or a web page where the file should be."""
    if "unauthorized" in str(_body(answer).get("error")).lower():
        return _unauthorised(answer, said)
    sent = "a web page" if is_page(answer) else "a message"
    return NotAModel(f"Civitai sent {sent} instead of the file", said, "open the model's page in a browser")


def _unauthorised(answer: Answer, said: str) -> KeepError:
    if "disabled" in said.lower():
        return DownloadDisabled(
            "its publisher has switched downloads off", said, "choose another version or file", **_where(answer)
        )
    return NeedsLogin("Civitai gives this file only to a known account", said, LOGIN, **_where(answer))


def _forbidden(answer: Answer, said: str) -> KeepError:
    body = _body(answer)
    if "early access" in f"{body.get('error')} {said}".lower() or "deadline" in body:
        ends = moment(body.get("deadline"))
        until = utc(ends) if ends else ""
        return EarlyAccess(
            "this version is in early access",
            f"it is free from {until} on, and for sale until then" if until else said,
            "choose an older version, or buy access on the model's page",
            until=until,
            **_where(answer),
        )
    if answer.body.lstrip().startswith(b"<?xml"):
        why = "the storage behind Civitai refused the signed address, which may have expired"
        return HubDown("the download was refused", why, "try again", **_where(answer))
    if _is_shield(answer):
        return _shield(answer)
    return AccessError(
        "this account may not download this file", said, "look at the model's page for what it asks", **_where(answer)
    )


def _absent(answer: Answer, said: str) -> KeepError:
    return NotOnHub(
        "Civitai does not find this file",
        f"{said}; it answers so for deleted files, and when its storage does not answer",
        "try again later, or choose another file: `sdkeep show` lists them",
        **_where(answer),
    )


def _archived(answer: Answer, said: str) -> KeepError:
    return DownloadDisabled(
        "this model is archived and can no longer be downloaded", said, "choose another model", **_where(answer)
    )


def _quota(answer: Answer, said: str) -> KeepError:
    what = "Civitai asks this account to stop downloading for now"
    return RateLimited(what, said, "try again later", after=_after(answer), **_where(answer))


_DOWNLOADS: dict[int, Callable[[Answer, str], KeepError]] = {
    401: _unauthorised,
    403: _forbidden,
    404: _absent,
    410: _archived,
    429: _quota,
}


def _general(answer: Answer, subject: str, said: str) -> KeepError:
    """What a status means wherever it comes from."""
    status = answer.status
    if status == 410:
        return DownloadDisabled(f"Civitai has archived {subject}", said, "choose another", **_where(answer))
    if status == 429:
        return RateLimited("Civitai asks to slow down", said, "try again later", after=_after(answer), **_where(answer))
    if status == 451:
        next_ = "get the file from another hub"
        return RegionBlocked("Civitai does not serve this region", said, next_, **_where(answer))
    if status >= 500:
        why = "it answers with a maintenance page" if is_page(answer) else said
        return HubDown(f"Civitai could not answer about {subject}", why, _AGAIN, **_where(answer))
    next_ = "run the command again with `--debug`, and report what it shows"
    return HubError(f"Civitai refused the question about {subject}", said, next_, **_where(answer))


def is_page(answer: Answer) -> bool:
    """Whether the body is a web page."""
    head = answer.body[:512].lstrip().lower()
    return "text/html" in answer.headers.get("content-type", "") or head.startswith((b"<!doctype html", b"<html"))


def _is_login(answer: Answer) -> bool:
    """Whether the answer is, or leads to, the login page."""
    for address in (answer.url, answer.headers.get("location", "")):
        try:
            parts = urlsplit(address)
        except ValueError:
            continue
        if parts.path.rstrip("/") == "/login" or "reason=download-auth" in parts.query:
            return True
    return False


def _is_shield(answer: Answer) -> bool:
    return is_page(answer) and ("cf-ray" in answer.headers or b"cloudflare" in answer.body.lower())


def _shield(answer: Answer) -> HubDown:
    why = "the shield before Civitai takes this connection for a robot"
    return HubDown(
        "Civitai's shield refused the connection", why, "try again later, or without a proxy", **_where(answer)
    )


def _said(answer: Answer) -> str:
    """The hub's own words, on one line; failing those, its status."""
    body = _body(answer)
    stated = (body.get(name) for name in ("message", "error"))
    words = (one_line(text, 200) for text in stated if isinstance(text, str))
    return next(filter(None, words), f"it answered {answer.status} and gave no reason")


def _body(answer: Answer) -> Mapping[str, object]:
    try:
        return mapping(_loads(answer.body))
    except (ValueError, RecursionError):
        return {}


def _after(answer: Answer) -> float | None:
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _loads(body: bytes) -> object:
    loaded: object = json.loads(body.decode("utf-8", "replace"), parse_constant=lambda _: None, parse_float=_float)
    return loaded


def _float(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


class _Where(TypedDict):
    url: str
    http: int


def _where(answer: Answer) -> _Where:
    return {"url": redact(answer.url), "http": answer.status}
