"""The one HTTP client: own User-Agent, redirects by hand, tokens only to their own hosts, errors translated.

httpx2 is imported here and nowhere else. HTTP/2 stays off: in this client it costs five to ten times the processor.
"""

from __future__ import annotations

import json
import logging
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import MappingProxyType, TracebackType

import httpx2

from sdkeep import __version__
from sdkeep.ground.errors import BadSetting, HubDown, HubError, HubGarbled, KeepError, RateLimited, RegionBlocked
from sdkeep.ground.text import one_line
from sdkeep.net import address
from sdkeep.net.address import authority, host_of, redact
from sdkeep.net.retry import Again, RetryPolicy, Sleep, Tally, persist, retry_after

__all__ = ["Answer", "Stream", "Web", "WebPolicy", "redact"]

USER_AGENT = f"sdkeep/{__version__} (+https://github.com/sdkeep/sdkeep)"

_BROWSERS = ("mozilla", "chrome", "safari", "firefox", "opera", "edge")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 531)})
_OURS = frozenset({"authorization", "cookie", "proxy-authorization"})  # never from a caller, who cannot see redirects
_HOPS = 10
_SMALL = 64 * 1024
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class WebPolicy:
    """Everything the client needs to know; nothing is read from the environment.

    `tokens` maps an authority (`civitai.com`; `host:port` unless it is https on 443) to the token sent there and
    nowhere else. `plain_hosts` may be asked without encryption; this machine always may. `proxy` is a URL, `no_proxy`
    lists host suffixes to reach directly, `ca` is a PEM file or folder to trust besides the system's certificates.
    Timeouts are in seconds, `answer_limit` in bytes.
    """

    user_agent: str = USER_AGENT
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)
    no_proxy: tuple[str, ...] = ()
    ca: str | None = None
    connect_timeout: float = 15.0
    read_timeout: float = 30.0
    plain_hosts: frozenset[str] = frozenset()
    answer_limit: int = 64 * 1024 * 1024
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if any(word in self.user_agent.lower() for word in _BROWSERS) or not self.user_agent.isprintable():
            raise BadSetting(
                "the User-Agent must not name a browser", "hubs answer browsers with web pages instead of errors"
            )
        for host, token in self.tokens.items():
            if not token or not all("!" <= character <= "~" for character in token):
                raise BadSetting(f"the token for {host} has characters that no token has", "", "`sdkeep auth login`")


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `headers` ignores case where it comes from the client; `url` may carry a signature."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    url: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """The body as text, unreadable bytes replaced; still raw."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> object:
        """The body read as JSON; raises `HubGarbled` when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            seen = one_line(self.text, 80)
            raise HubGarbled(
                f"{host_of(self.url)} answered with something else than JSON",
                f"it begins `{seen}`",
                "it may be under maintenance: try again later",
                url=redact(self.url),
                http=self.status,
            ) from error


class Stream:
    """An answer whose body is still to come, exactly as sent: no content coding is undone."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.url = str(response.url)

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces of the network's choice; raises `HubDown` when it breaks off."""
        with _translated(self.url):
            yield from self._response.iter_raw()

    def read(self, limit: int) -> bytes:
        """The first `limit` bytes of the body, or all of it; the rest is left."""
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) >= limit:
                break
        return bytes(body[:limit])

    def abort(self) -> None:
        """Break the connection from another thread, so that whoever waits for bytes wakes up with an error."""
        network = self._response.extensions.get("network_stream")
        raw = network.get_extra_info("socket") if network is not None else None
        if isinstance(raw, socket.socket):
            try:
                socket.socket.shutdown(raw, socket.SHUT_RDWR)  # past ssl's own, which is not made for two threads
            except OSError:  # gone already
                pass


@dataclass(frozen=True, slots=True)
class _Ask:
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None


class Web:
    """A shared, thread-safe client under one policy; a context manager. `sleep` is how retries wait."""

    def __init__(self, policy: WebPolicy | None = None, *, sleep: Sleep = time.sleep) -> None:
        self.policy = policy or WebPolicy()
        self._sleep = sleep
        self._client = _client(self.policy)

    def __enter__(self) -> Web:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A small answer, whatever its status, after retries and redirects.

        Raises `HubDown` (no connection, or server errors to the end), `RateLimited`, `RegionBlocked`, and `HubGarbled`
        when the body is larger than `policy.answer_limit`.
        """
        return self._answer(_Ask("GET", address.with_params(url, params or {}), headers or _NOTHING))

    def post_json(self, url: str, payload: object, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Like `get`, sending JSON. Repeated on failure, so only for questions that change nothing."""
        sent = {**(headers or _NOTHING), "content-type": "application/json"}
        return self._answer(_Ask("POST", url, sent, json.dumps(payload).encode()))

    def ask(self, method: str, url: str, payload: object = None) -> Answer:
        """One request, sent once and never repeated, for what changes something on the other side.

        Any status is handed over as it is; raises `HubDown` when there is no connection.
        """
        sent = {"content-type": "application/json"} if payload is not None else _NOTHING
        ask = _Ask(method, url, sent, None if payload is None else json.dumps(payload).encode())
        response = self._follow(ask)
        try:
            return Answer(response.status_code, response.headers, self._body(response), str(response.url))
        finally:
            response.close()

    @contextmanager
    def open(self, url: str, *, headers: Mapping[str, str] | None = None) -> Iterator[Stream]:
        """A body of any length, redirects followed, not retried: any status but 451 is handed over as it is."""
        response = self._follow(_Ask("GET", url, {"accept-encoding": "identity", **(headers or _NOTHING)}))
        try:
            yield Stream(response)
        finally:
            with _translated(url):
                response.close()

    def _answer(self, ask: _Ask) -> Answer:
        return persist(lambda: self._once(ask), Tally(self.policy.retry), self._sleep)

    def _once(self, ask: _Ask) -> Answer:
        try:
            response = self._follow(ask)
            try:
                answer = Answer(response.status_code, response.headers, self._body(response), str(response.url))
            finally:
                response.close()
        except HubDown as error:
            raise Again(error) from error
        if answer.status in _BUSY:
            after = retry_after(answer.headers)
            raise Again(busy(answer, after), after)
        return answer

    def _body(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        with _translated(str(response.url)):
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > self.policy.answer_limit:
                    raise HubGarbled(
                        f"{host_of(str(response.url))} sends an answer without end",
                        f"more than {self.policy.answer_limit:,} bytes",
                        url=redact(str(response.url)),
                    )
        return bytes(body)

    def _follow(self, ask: _Ask) -> httpx2.Response:
        address.check(ask.url, self.policy.plain_hosts)
        trusted = True
        for _ in range(_HOPS + 1):
            trusted = trusted and authority(ask.url) in self.policy.tokens
            response = self._send(ask, trusted)
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or location is None:
                return _admitted(response)
            _let_go(response)
            ask = _next(ask, response.status_code, address.redirected(ask.url, location, self.policy.plain_hosts))
        raise HubError(
            f"{host_of(ask.url)} redirects in circles", f"{_HOPS} redirects were followed", url=redact(ask.url)
        )

    def _send(self, ask: _Ask, trusted: bool) -> httpx2.Response:
        headers = {name: value for name, value in ask.headers.items() if name.lower() not in _OURS}
        if trusted and not address.is_signed(ask.url):
            headers["authorization"] = f"Bearer {self.policy.tokens[authority(ask.url)]}"
        with _translated(ask.url):
            request = self._client.build_request(ask.method, ask.url, headers=headers, content=ask.content)
            return self._client.send(request, stream=True)


def busy(answer: Answer, after: float | None = None) -> KeepError:
    """What to raise for a server that is overloaded, asks to slow down or fails."""
    host, url = host_of(answer.url), redact(answer.url)
    wait = f"wait {after:.0f} seconds, then run the same command again" if after else "try again in a few minutes"
    if answer.status == 429:
        why = f"it asks to wait {after:.0f} seconds" if after else "too many requests"
        return RateLimited(f"{host} asks to slow down", why, wait, url=url, after=after)
    return HubDown(f"{host} does not work right now", f"it answers {answer.status}", wait, url=url, http=answer.status)


def is_busy(status: int) -> bool:
    """Whether a status means that the same question may be answered later."""
    return status in _BUSY


def _admitted(response: httpx2.Response) -> httpx2.Response:
    if response.status_code == 451:
        _let_go(response)
        raise RegionBlocked(
            f"{host_of(str(response.url))} refuses your region",
            "the law of the country that you seem to be in",
            "a mirror of the model may exist: `sdkeep search`",
            url=redact(str(response.url)),
            http=451,
        )
    return response


def _let_go(response: httpx2.Response) -> None:
    """Close a response that nobody reads, keeping its connection alive when the rest is short."""
    with _translated(str(response.url)):
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length) <= _SMALL:
            response.read()
        response.close()


def _next(ask: _Ask, status: int, url: str) -> _Ask:
    if status in (307, 308) or ask.method == "GET":
        return replace(ask, url=url)
    return _Ask("GET", url, {name: value for name, value in ask.headers.items() if name != "content-type"})


def _client(policy: WebPolicy) -> httpx2.Client:
    for name in ("httpx2", "httpcore2"):  # they log addresses with their signatures
        logging.getLogger(name).setLevel(logging.WARNING)
    direct = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
    direct |= {f"all://*{host.removeprefix('*').removeprefix('.')}": None for host in policy.no_proxy if host}
    try:
        return httpx2.Client(
            headers={"user-agent": policy.user_agent, "accept": "*/*"},
            verify=_trust(policy.ca),
            proxy=policy.proxy or None,
            mounts=direct if policy.proxy else None,
            timeout=httpx2.Timeout(policy.read_timeout, connect=policy.connect_timeout, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=16),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
            http2=False,
        )
    except (ValueError, ImportError, httpx2.InvalidURL):
        raise BadSetting(
            "the proxy cannot be used",
            "its address must read http://HOST:PORT or https://HOST:PORT",
            "`sdkeep config list` shows where it was set",
        ) from None


def _trust(ca: str | None) -> ssl.SSLContext | bool:
    """The system's certificates, with those of `ca` added."""
    if not ca:
        return True
    try:
        context = ssl.create_default_context()
        folder = Path(ca).is_dir()
        context.load_verify_locations(capath=ca if folder else None, cafile=None if folder else ca)
    except OSError as error:
        raise BadSetting(
            f"the certificates in `{ca}` cannot be read", str(error), "`sdkeep config list` shows where it was set"
        ) from error
    return context


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """The client's exceptions as ours, without what they might tell of headers and signatures."""
    shown, host = redact(url), host_of(url)
    try:
        yield
    except httpx2.ProxyError as error:
        raise HubDown(
            "the proxy refuses", one_line(str(error), 200), "`sdkeep config list` shows it", url=shown
        ) from error
    except httpx2.TransportError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise HubError(
                f"the certificate of {host} cannot be trusted",
                one_line(str(error), 200),
                "behind a company proxy, name its certificate: `sdkeep config set ca_bundle FILE`",
                url=shown,
            ) from error
        raise _down(error, host, shown) from error
    except (httpx2.InvalidURL, httpx2.DecodingError) as error:
        raise HubGarbled(f"the answer of {host} cannot be read", type(error).__name__, url=shown) from error


def _down(error: httpx2.TransportError, host: str, shown: str) -> HubDown:
    match error:
        case httpx2.LocalProtocolError():  # its text may quote a header
            return HubDown(f"the request to {host} cannot be sent", "a header of it breaks the protocol", url=shown)
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            what = f"cannot reach {host}"
        case httpx2.TimeoutException():
            what = f"{host} does not answer"
        case _:
            what = f"the connection to {host} broke off"
    why = one_line(str(error), 200) or type(error).__name__
    return HubDown(what, why, "check the connection, then run the same command again", url=shown)
