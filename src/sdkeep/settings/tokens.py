"""Access tokens: where each hub's comes from, which hosts may see it, and where a new one is kept.

Strongest first: the environment, the system's keyring, a private file `tokens.json` in home, and for Hugging Face the
file that its own tools keep. A stored token goes only to the host it was stored for (a hub's official hosts count as
one); a token of the environment goes to the official hosts, and to an address that the person, not a project file,
set. None of them travels over plain http, except to this machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from sdkeep.ground.errors import BadSetting, NotWritable, UsageError
from sdkeep.settings.user_file import replace_file
from sdkeep.settings.values import Origin, Settings, Source
from sdkeep.settings.variables import BY_NAME

FILE = "tokens.json"
SERVICE = "sdkeep"


@dataclass(frozen=True, slots=True)
class _HubHosts:
    variable: str
    setting: str
    official: tuple[str, ...]


_CIVITAI = tuple(f"{prefix}civitai.{top}" for top in ("com", "red", "green") for prefix in ("", "www.", "api."))
HUBS: dict[str, _HubHosts] = {
    "civitai": _HubHosts("civitai_token", "civitai_url", _CIVITAI),
    "huggingface": _HubHosts("hf_token", "hf_url", ("huggingface.co", "www.huggingface.co", "hf.co")),
}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_CHOSEN = (Origin.FLAG, Origin.ENVIRONMENT, Origin.USER)


class Keyring(Protocol):
    """The system's secret store, spoken to through the keyring library or, in a test, a dictionary."""

    def get(self, service: str, name: str) -> str | None:
        """The secret, or None when there is none or the store cannot be asked."""
        ...

    def set(self, service: str, name: str, secret: str) -> bool:
        """Whether it was stored."""
        ...

    def delete(self, service: str, name: str) -> bool:
        """Whether there was one to delete."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """One token and where it lies. `origin` is `environment`, `keyring`, `file` or `hugging face`."""

    hub: str
    origin: str
    where: str
    host: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """What `auth status` shows of a hub: `masked` keeps the first 3 and last 2 characters, empty without a token."""

    hub: str
    hosts: tuple[str, ...] = ()
    origin: str = ""
    where: str = ""
    masked: str = ""


class Tokens:
    """The tokens of one run. `home` is sdkeep's own folder; without a `keyring` only the file is used."""

    def __init__(self, environ: Mapping[str, str], home: Path, keyring: Keyring | None = None) -> None:
        self._environ = environ
        self._file = home / FILE
        self._keyring = keyring
        self._warnings: dict[str, None] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about tokens that were found and not used, so far."""
        return tuple(self._warnings)

    def for_hosts(self, settings: Settings, sources: Mapping[str, Source]) -> dict[str, str]:
        """Host (as `authority` spells it) -> token, for every host that may be shown one."""
        return {
            host: held.token
            for hub in HUBS
            for held in reversed(self._held(hub, settings))
            for host in _hosts(held, settings, sources)
        }

    def status(self, settings: Settings, sources: Mapping[str, Source]) -> tuple[TokenStatus, ...]:
        """A line per token, strongest first; a hub without one has a line without a mask.

        `hosts` are those that really see it: empty for a token that a stronger one overrules.
        """
        lines = []
        for hub in HUBS:
            taken: set[str] = set()
            for held in self._held(hub, settings):
                hosts = tuple(host for host in _hosts(held, settings, sources) if host not in taken)
                taken.update(hosts)
                lines.append(TokenStatus(hub, hosts, held.origin, held.where, masked(held.token)))
            if not lines or lines[-1].hub != hub:
                lines.append(TokenStatus(hub))
        return tuple(lines)

    def store(self, hub: str, host: str, token: str) -> str:
        """Keep `token` for `host` of `hub` (`authority` of its address); the answer says where.

        Raises `BadSetting` for what cannot be a token, without quoting it.
        """
        token, host = token.strip(), _binding(_hub(hub), host.lower())
        flaw = flaw_of(token)
        if flaw:
            raise BadSetting("this is no token", flaw, f"`sdkeep auth login {hub}` asks for it again")
        if self._keyring and self._keyring.set(SERVICE, f"{hub}@{host}", token):
            self._drop(hub, host)
            return "keyring"
        stored = self._editable()
        stored.setdefault(hub, {})[host] = token
        self._save(stored)
        return str(self._file)

    def forget(self, hub: str, host: str) -> bool:
        """Delete the stored token of this host everywhere we keep one; False when there was none."""
        host = _binding(_hub(hub), host.lower())
        gone = self._keyring.delete(SERVICE, f"{hub}@{host}") if self._keyring else False
        return self._drop(hub, host) or gone

    def _held(self, hub: str, settings: Settings) -> list[Held]:
        """Every usable token for this hub, strongest first."""
        found = [Held(hub, "environment", name, "", self._environ.get(name, "")) for name in _variables(hub)]
        own = _binding(hub, authority(str(getattr(settings, HUBS[hub].setting))))
        for host in dict.fromkeys((own, HUBS[hub].official[0])):
            kept = self._keyring.get(SERVICE, f"{hub}@{host}") if self._keyring else None
            found.append(Held(hub, "keyring", f"{SERVICE} {hub}@{host}", host, kept or ""))
            stored = (self._stored() or {}).get(hub, {}).get(host, "")
            found.append(Held(hub, "file", str(self._file), host, stored))
        if hub == "huggingface":
            found.append(self._hugging_face())
        return [replace(held, token=token) for held in found if (token := self._sound(held))]

    def _hugging_face(self) -> Held:
        """The token that `hf auth login` left behind, treated as one of the environment; empty without one."""
        file = self._hf_file()
        text = ""
        if file and self._environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").lower() not in ("1", "true", "yes", "on"):
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):  # the file is another program's: unreadable means none
                text = ""
        return Held("huggingface", "hugging face", str(file or ""), "", text)

    def _hf_file(self) -> Path | None:
        if named := self._environ.get("HF_TOKEN_PATH"):
            return Path(named)
        if folder := self._environ.get("HF_HOME"):
            return Path(folder) / "token"
        home = self._environ.get("HOME") or self._environ.get("USERPROFILE")
        cache = self._environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
        return Path(cache) / "huggingface" / "token" if cache else None

    def _sound(self, held: Held) -> str:
        token = held.token.strip()
        flaw = flaw_of(token) if token else ""
        if flaw:
            self._warnings[f"the token in `{held.where}` is not used: {flaw}"] = None
            return ""
        return token

    def _stored(self) -> dict[str, dict[str, str]] | None:
        """Hub -> host -> token of the private file; None, with a warning, when the file must not be used."""
        try:
            if os.name == "posix" and (mode := self._file.stat().st_mode & 0o777) & 0o077:
                self._warnings[
                    f"`{self._file}` is not used: others on this machine may read it (mode {mode:03o}); "
                    f"`chmod 600 {self._file}` makes it private"
                ] = None
                return None
            data = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self._warnings[f"`{self._file}` is not used: it cannot be read ({type(error).__name__})"] = None
            return None
        hubs = data if isinstance(data, dict) else {}
        return {
            hub: {host: token for host, token in hosts.items() if isinstance(token, str)}
            for hub, hosts in hubs.items()
            if isinstance(hosts, dict)
        }

    def _editable(self) -> dict[str, dict[str, str]]:
        stored = self._stored()
        if stored is None:
            raise NotWritable(f"`{self._file}` cannot be changed", self.warnings[-1], f"`chmod 600 {self._file}`")
        return stored

    def _drop(self, hub: str, host: str) -> bool:
        stored = self._editable()
        if stored.get(hub, {}).pop(host, None) is None:
            return False
        self._save({name: hosts for name, hosts in stored.items() if hosts})
        return True

    def _save(self, stored: Mapping[str, Mapping[str, str]]) -> None:
        replace_file(self._file, json.dumps(stored, indent=1, sort_keys=True) + "\n", mode=0o600)


def flaw_of(token: str) -> str:
    """Why `token` cannot be one, or the empty string. The answer never quotes it."""
    if not token:
        return "it is empty"
    if len(token) > 4096:
        return "it is longer than 4,096 characters"
    if not all("!" <= c <= "~" for c in token):
        return "it holds a space, a control character or a letter outside ASCII"
    return ""


def masked(token: str) -> str:
    """The first 3 and last 2 characters; nothing of a token too short to keep the rest secret."""
    return f"{token[:3]}…{token[-2:]}" if len(token) >= 12 else "…"


def _hosts(held: Held, settings: Settings, sources: Mapping[str, Source]) -> tuple[str, ...]:
    """The hosts that may see this token."""
    hub = HUBS[held.hub]
    address = str(getattr(settings, hub.setting))
    host, private = authority(address), _is_private(address)
    if held.host in hub.official:
        return hub.official
    if held.host:
        return (held.host,) if private else ()
    chosen = sources.get(hub.setting, Source(Origin.DEFAULT)).origin in _CHOSEN
    return hub.official + ((host,) if chosen and private and host not in hub.official else ())


def _variables(hub: str) -> tuple[str, ...]:
    return BY_NAME[HUBS[hub].variable].env


def authority(address: str) -> str:
    """What a token is bound to: the lower-case host, with its port unless that is the 443 of https."""
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return host if (parts.scheme, port) == ("https", 443) else f"{host}:{port}"


def _is_private(address: str) -> bool:
    """Whether nobody can listen in: https, or this machine."""
    return address.startswith("https://") or urlsplit(address).hostname in _LOOPBACK


def _hub(name: str) -> str:
    if name not in HUBS:
        raise UsageError(
            f"`{name}` is no hub", "known are " + ", ".join(HUBS), f"`sdkeep auth login {next(iter(HUBS))}`"
        )
    return name


def _binding(hub: str, host: str) -> str:
    """What a token for `host` is filed under: a hub's official hosts are one."""
    official = HUBS[hub].official
    return official[0] if host in official else host
