"""What a refusal of Hugging Face means, told from its status and its `X-Error-Code`, since the status alone lies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypedDict
from urllib.parse import unquote, urlsplit

from sdkeep.ground.errors import (
    AccessError,
    DownloadDisabled,
    Gated,
    HubDown,
    HubError,
    KeepError,
    NeedsLogin,
    NotOnHub,
    RateLimited,
)
from sdkeep.ground.text import one_line
from sdkeep.net.address import host_of, redact
from sdkeep.net.client import Answer, busy, is_busy

TOKENS_PAGE = "https://huggingface.co/settings/tokens"
LOGIN = "`sdkeep auth login huggingface`"

_SUBJECT = re.compile(r"/(?:api/models/)?([^/]+/[^/]+)(?:/(?:revision|tree|resolve|raw|blob)/([^/]+)(?:/(.+))?)?/?")


class _Where(TypedDict):
    url: str
    http: int


@dataclass(frozen=True, slots=True)
class _Subject:
    """What was asked for, read back from the address."""

    repo: str = ""
    revision: str = ""
    path: str = ""


def explain(answer: Answer, signed_in: bool) -> KeepError:
    """The error behind an answer of 400 or more; `signed_in` tells whether a token went with the question."""
    code = answer.headers.get("x-error-code", "")
    said = one_line(answer.headers.get("x-error-message", ""), 200)
    about = _subject(answer.url)
    if code == "GatedRepo":
        return _gated(answer, about, signed_in)
    if said.startswith("Access to this resource is disabled"):
        return DownloadDisabled(
            f"`{about.repo}` is disabled",
            "Hugging Face has switched it off",
            f"see {_page(answer, about)}",
            **_at(answer),
        )
    if is_busy(answer.status):
        return _busy(answer)
    missing = code in ("RepoNotFound", "RevisionNotFound", "EntryNotFound") or answer.status in (404, 410)
    if missing and not (answer.status == 401 and said.startswith("Invalid credentials")):
        return _missing(answer, about, code, signed_in)
    if answer.status in (401, 403):
        return _refused(answer, about, said, signed_in)
    return HubError(
        f"Hugging Face refuses the question about `{about.repo or redact(answer.url)}`",
        f"it answers {answer.status}" + (f": {said}" if said else ""),
        "`sdkeep --debug …` shows the request",
        **_at(answer),
    )


def storage_refusal(answer: Answer) -> KeepError:
    """What it means that the storage behind the hub, not the hub itself, refuses a file."""
    if is_busy(answer.status):
        return busy(answer)
    why = f"{host_of(answer.url)} answers {answer.status}; the address it was given may have expired"
    return HubDown("the storage of Hugging Face refuses the file", why, "run the same command again", **_at(answer))


def login_needed() -> NeedsLogin:
    """No token at all where one is needed."""
    return NeedsLogin("you are not signed in to Hugging Face", "no token was found", f"{LOGIN}; tokens: {TOKENS_PAGE}")


def _gated(answer: Answer, about: _Subject, signed_in: bool) -> Gated:
    page = _page(answer, about)
    what = f"`{about.repo}` asks you to accept its terms first"
    if signed_in and answer.status == 401:
        next_ = f"{LOGIN}, and see that the terms at {page} are accepted"
        return Gated(what, "your token was not accepted either", next_, **_at(answer))
    if signed_in:
        return Gated(
            what, "your account has not been let in", f"accept the terms at {page}, then try again", **_at(answer)
        )
    return Gated(what, "that needs an account", f"accept the terms at {page}, then {LOGIN}", **_at(answer))


def _missing(answer: Answer, about: _Subject, code: str, signed_in: bool) -> NotOnHub:
    show = f"`sdkeep show hf:{about.repo}`"
    if code == "RevisionNotFound":
        return NotOnHub(
            f"`{about.repo}` has no revision `{about.revision}`", "no branch, tag or commit", show, **_at(answer)
        )
    if code == "EntryNotFound" or (about.path and code != "RepoNotFound"):
        return NotOnHub(f"`{about.repo}` has no file `{about.path}`", f"at `{about.revision}`", show, **_at(answer))
    if signed_in:
        why, next_ = "or it is private and your account may not see it", "check the spelling: `sdkeep search WORDS`"
    else:
        why = "or it is private: to strangers, Hugging Face answers both alike"
        next_ = f"check the spelling; for a private repository {LOGIN}"
    return NotOnHub(f"Hugging Face has no repository `{about.repo}`", why, next_, **_at(answer))


def _refused(answer: Answer, about: _Subject, said: str, signed_in: bool) -> AccessError:
    if answer.status == 401 and signed_in:
        return NeedsLogin(
            "Hugging Face refuses your token", "it is wrong, expired or revoked", f"{LOGIN}; tokens: {TOKENS_PAGE}",
            **_at(answer),
        )  # fmt: skip
    if not signed_in:
        what = f"`{about.repo}` needs an account" if about.repo else "Hugging Face needs an account for this"
        return NeedsLogin(what, said or "no token was sent", f"{LOGIN}; tokens: {TOKENS_PAGE}", **_at(answer))
    return NeedsLogin(
        f"your token may not read `{about.repo}`",
        said or "a fine-grained token lists the repositories it opens",
        f"change it at {TOKENS_PAGE}, then {LOGIN}",
        **_at(answer),
    )


def _busy(answer: Answer) -> KeepError:
    error = busy(answer)
    reset = re.search(r"\bt=(\d+)", answer.headers.get("ratelimit", ""))
    if isinstance(error, RateLimited) and error.after is None and reset:
        error.after = float(reset[1])
    return error


def _subject(url: str) -> _Subject:
    matched = _SUBJECT.fullmatch(urlsplit(url).path)
    if not matched or matched[1].startswith("api/"):
        return _Subject()
    return _Subject(*(one_line(unquote(part or ""), 200) for part in matched.groups()))


def _page(answer: Answer, about: _Subject) -> str:
    parts = urlsplit(answer.url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{about.repo}"


def _at(answer: Answer) -> _Where:
    return {"url": redact(answer.url), "http": answer.status}
