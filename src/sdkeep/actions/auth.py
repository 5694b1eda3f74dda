"""Tokens: log in, log out, and say which hub would see which."""

from __future__ import annotations

from dataclasses import dataclass

from sdkeep.actions.house import House
from sdkeep.ground.errors import BadSetting, UsageError
from sdkeep.settings.tokens import HUBS, TokenStatus, authority, flaw_of

KEY_PAGES = {
    "civitai": "https://civitai.com/user/account",
    "huggingface": "https://huggingface.co/settings/tokens",
}
SPELLINGS = {"civitai": "civitai", "huggingface": "huggingface", "hf": "huggingface", "hugging-face": "huggingface"}


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A token that was stored: for which host, where, and whose it is (empty when it was not asked)."""

    hub: str
    host: str
    kept_in: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """Whether there was a stored token to forget."""

    hub: str
    host: str
    forgotten: bool


def hub_called(name: str) -> str:
    """The hub's id for what a person typed; raises `UsageError`."""
    try:
        return SPELLINGS[name.strip().lower()]
    except KeyError:
        raise UsageError(f"`{name}` is no hub", "known are " + ", ".join(HUBS), "`sdkeep auth login civitai`") from None


def login(house: House, hub: str, token: str, *, check: bool) -> LoggedIn:
    """Store a token for the hub's host; with `check` the hub is asked first, and one that it refuses is not stored."""
    host, token = _host(house, hub), token.strip()
    flaw = flaw_of(token)
    if flaw:
        raise BadSetting("this is no token", flaw, f"`sdkeep auth login {hub}` asks for it again")
    account = _account(house, hub, host, token) if check else ""
    return LoggedIn(hub, host, house.tokens.store(hub, host, token), account)


def _account(house: House, hub: str, host: str, token: str) -> str:
    """Whose token this is; raises the hub's error for one that it refuses."""
    trying = house.with_token(host, token)
    try:
        return trying.hub(hub).whoami()
    finally:
        trying.close()


def logout(house: House, hub: str) -> LoggedOut:
    """Forget the stored token of the hub's host."""
    host = _host(house, hub)
    return LoggedOut(hub, host, house.tokens.forget(hub, host))


def status(house: House) -> tuple[TokenStatus, ...]:
    """Every token and the hosts that may see it."""
    found = house.tokens.status(house.settings, house.loaded.sources)
    for warning in house.tokens.warnings:
        house.warn(warning)
    return found


def _host(house: House, hub: str) -> str:
    address = house.settings.hf_url if hub == "huggingface" else house.settings.civitai_url
    return authority(address)
