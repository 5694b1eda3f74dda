"""huggingface_hub's HTTP session, answered by our `Web`: one policy for tokens, proxies, retries and redirects.

The library asks a client of its own making for `get` and `request`; it is given this one, which drops the headers the
library adds (user agent, token) and raises our errors before the library's own retries would see a failure.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from sdkeep.ground.errors import HubError
from sdkeep.hubs.huggingface.problems import explain
from sdkeep.net.address import authority
from sdkeep.net.client import Answer, Web

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_NEXT = re.compile(r'<([^<>]+)>\s*;[^,]*\brel="?next\b')
_DROPPED = frozenset({"authorization", "user-agent"})
_READY = threading.Event()
_LOCK = threading.Lock()


class Reply:
    """A successful answer with what huggingface_hub reads of one."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.status_code = answer.status
        self.headers = answer.headers
        self.url = answer.url

    def raise_for_status(self) -> Reply:
        """Nothing: failures were raised before."""
        return self

    def json(self) -> object:
        """The body read as JSON; raises `HubGarbled`."""
        return self._answer.json()

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """The `Link` header, its `next` alone."""
        matched = _NEXT.search(self.headers.get("link", ""))
        return {"next": {"url": matched[1]}} if matched else {}


class Session:
    """One conversation with a hub through `web`; `seen` holds the last answer's JSON text."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self.seen = b""

    def ask(self, url: str, params: Mapping[str, object] | None, headers: Mapping[str, str] | None) -> Reply:
        """A successful answer, or one of our errors."""
        sent = {name: text for name, text in (headers or {}).items() if name.lower() not in _DROPPED}
        answer = self._web.get(url, params={name: _text(value) for name, value in (params or {}).items()}, headers=sent)
        if answer.status >= 400:
            raise explain(answer, authority(url) in self._web.policy.tokens)
        self.seen = answer.body
        return Reply(answer)


_ACTIVE: ContextVar[Session] = ContextVar("sdkeep_huggingface_session")


class _Client:
    """What huggingface_hub holds as its client for the whole process: it passes questions to the active session."""

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        **_options: object,
    ) -> Reply:
        return _ACTIVE.get().ask(url, params, headers)

    def request(self, method: str, url: str, **options: Mapping[str, str] | None) -> Reply:
        if method != "GET":
            raise HubError(f"sdkeep only reads from Hugging Face, and was about to {method}")
        return self.get(url, params=options.get("params"), headers=options.get("headers"))

    def close(self) -> None:
        """The `Web` is closed by whoever opened it."""


@contextmanager
def active(session: Session) -> Iterator[None]:
    """Let huggingface_hub speak through `session` inside the block, in this thread."""
    mark = _ACTIVE.set(session)
    try:
        yield
    finally:
        _ACTIVE.reset(mark)


def library(endpoint: str) -> HfApi:
    """The library's client for `endpoint`, without a token of its own, silent, and speaking through the active session.

    Imported here, on the first question, because it costs a third of a second.
    """
    from huggingface_hub import HfApi, constants, set_client_factory

    constants.HF_HUB_DISABLE_TELEMETRY = True  # else it asks huggingface.co, whatever the endpoint, who may be calling
    with _LOCK:
        if not _READY.is_set():
            set_client_factory(_Client)  # type: ignore[arg-type]  # it calls `get` and `request`, no more
            logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)  # it prints what servers say, unwashed
            _READY.set()
    return HfApi(endpoint=endpoint, token=False)


def _text(value: object) -> str | Sequence[str]:
    if isinstance(value, bool):
        return str(value).lower()
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value)
