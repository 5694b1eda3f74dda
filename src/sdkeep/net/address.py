"""Addresses: what may be shown of one, whom a token may be sent to, where a redirect may lead."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from sdkeep.ground.errors import HubError, HubGarbled

_PORTS = {"http": 80, "https": 443}
_SIGNATURES = ("x-amz-", "x-goog-", "x-oss-", "x-xet-")
_SIGNING = frozenset({"signature", "sig", "expires", "policy", "key-pair-id", "awsaccesskeyid", "googleaccessid"})
_SECRET = frozenset({"key", "auth", "authorization", "code", "jwt", "session", "verify"})
_SECRET_PARTS = ("token", "secret", "password", "passwd", "signature", "credential", "apikey", "api_key", "api-key")


def redact(url: str) -> str:
    """`url` fit for a message: no user, no fragment, and no value of a parameter that signs or authorises."""
    try:
        parts = urlsplit(url)
        host = authority(url) if parts.hostname else parts.netloc.rpartition("@")[2]
        query = [(name, "***" if _is_secret(name) else value) for name, value in _pairs(parts)]
    except ValueError:
        return "(an unreadable address)"
    return urlunsplit((parts.scheme, host, parts.path, urlencode(query, safe="*:/@,", quote_via=quote), ""))


def authority(url: str) -> str:
    """What a token is bound to: the lower-case host, with the port unless it is the 443 of https."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return host if (parts.scheme, port) == ("https", 443) else f"{host}:{port}"


def host_of(url: str) -> str:
    """The lower-case host name, or an empty text."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_signed(url: str) -> bool:
    """Whether the address itself carries the permission: signed storage, where a token has no business."""
    names = [name.lower() for name, _ in _pairs(urlsplit(url))]
    return any(name in _SIGNING or name.startswith(_SIGNATURES) for name in names)


def with_params(url: str, params: Mapping[str, str | Sequence[str]]) -> str:
    """`url` with more query parameters; a sequence repeats its name."""
    if not params:
        return url
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(params, doseq=True, quote_via=quote))))
    return urlunsplit(parts._replace(query=query))


def check(url: str, plain_hosts: frozenset[str]) -> None:
    """Raise unless `url` is https, or http to this machine or to one of `plain_hosts`."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise HubGarbled("an address cannot be read", str(error), url=redact(url)) from error
    if not host or parts.scheme not in _PORTS:
        raise HubError(f"`{redact(url)}` is no web address", "only https:// and http:// can be fetched")
    if parts.scheme == "http" and not is_loopback(host) and host not in plain_hosts:
        raise HubError(
            f"`{redact(url)}` is not encrypted",
            "anybody on the way could change the file",
            "use the address with https://",
            url=redact(url),
        )


def redirected(url: str, location: str, plain_hosts: frozenset[str]) -> str:
    """Where a redirect from `url` leads; raises when it may not be followed."""
    try:
        target = urljoin(url, location.strip())
        before, after = urlsplit(url), urlsplit(target)
        host = (after.hostname or "").lower()
    except ValueError as error:
        raise HubGarbled(f"{host_of(url)} redirects to an unreadable address", str(error), url=redact(url)) from error
    downgraded = before.scheme == "https" and after.scheme == "http"
    inward = is_loopback(host) and not is_loopback(host_of(url))
    if downgraded or inward:
        why = "it leads to this machine itself" if inward else "it leads from an encrypted address to a plain one"
        raise HubError(f"a redirect of {host_of(url)} was refused", f"{why}: {redact(target)}", url=redact(url))
    check(target, plain_hosts)
    return target


def _pairs(parts: SplitResult) -> list[tuple[str, str]]:
    return parse_qsl(parts.query, keep_blank_values=True)


def _is_secret(name: str) -> bool:
    name = name.lower()
    return (
        name in _SIGNING
        or name in _SECRET
        or name.startswith(_SIGNATURES)
        or any(part in name for part in _SECRET_PARTS)
    )
