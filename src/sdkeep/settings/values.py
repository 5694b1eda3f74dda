"""The settings of one run as a frozen value, and how the text of each is read and shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from sdkeep.ground.errors import BadSetting
from sdkeep.ground.kinds import NsfwLevel
from sdkeep.settings.variables import Type, Variable

Value = str | bool | int | float | Path | tuple[str, ...] | None

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_USERINFO = re.compile(r"(?<=://)[^/@]*@")


class Origin(StrEnum):
    """The places a value can come from, strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    PROJECT = "project file"
    USER = "user file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value came from: `where` is the flag, the variable or the file."""

    origin: Origin
    where: str = ""

    def __str__(self) -> str:
        return f"{self.origin} {self.where}".rstrip()


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of one run; the table in `variables` says what each means. Paths are absolute.

    `format`, `precision`, `size` and `ui` are empty for "no preference"; `timeout` is in seconds; `no_proxy` are host
    suffixes.
    """

    home: Path
    catalogue: Path
    config_file: Path
    layouts_dir: Path
    blob_root: Path | None = None
    ui: str = ""
    format: str = "safetensors"
    precision: str = "fp16"
    size: str = "pruned"
    nsfw: NsfwLevel = NsfwLevel.PG
    civitai_url: str = "https://civitai.com"
    hf_url: str = "https://huggingface.co"
    archives: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()
    proxy: str = ""
    no_proxy: tuple[str, ...] = ()
    ca_bundle: Path | None = None
    connections: int = 4
    timeout: float = 30.0
    offline: bool = False
    keep_original: bool = False
    allow_unsafe: bool = False
    no_progress: bool = False
    debug: bool = False
    sidecars: tuple[str, ...] = ()

    def shown(self, name: str) -> str:
        """The value of `name` as `config list` prints it, without credentials."""
        value = getattr(self, name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple):
            return ",".join(value)
        return "" if value is None else _USERINFO.sub("***@", f"{value:g}" if isinstance(value, float) else str(value))


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings and, by name, where each came from."""

    settings: Settings
    sources: Mapping[str, Source] = field(default_factory=dict)


def read(variable: Variable, raw: object, where: str, folder: Path, user_home: str = "") -> Value:
    """The value that `raw` (text, or what TOML holds) spells for `variable`; raises `BadSetting` naming `where`.

    A relative path starts at `folder`; `~` is `user_home`. Empty text is None for a path and no preference elsewhere.
    """
    try:
        return _READERS[variable.type](variable, raw, folder, user_home)
    except ValueError as error:
        shown = "…" if variable.type is Type.SECRET else _USERINFO.sub("***@", f"{raw}")
        raise BadSetting(
            f"`{shown}` is no value for `{variable.name}`", f"{error} ({where})", f"`sdkeep config get {variable.name}`"
        ) from error


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError("it is not text")
    if any(ord(c) < 32 or ord(c) == 127 for c in raw):
        raise ValueError("it holds a control character")
    return raw.strip()


def _word(_variable: Variable, raw: object, _folder: Path, _home: str) -> str:
    return _text(raw)


def _choice(variable: Variable, raw: object, _folder: Path, _home: str) -> str:
    word = _text(raw).lower()
    if word not in variable.choices:
        raise ValueError("known are " + ", ".join(choice for choice in variable.choices if choice))
    return NsfwLevel(word) if variable.name == "nsfw" else word


def _path(_variable: Variable, raw: object, folder: Path, home: str) -> Path | None:
    text = _text(raw)
    if not text:
        return None
    if text == "~" or text.startswith(("~/", "~\\")):
        text = str(Path(home) / text[2:]) if home else str(Path(text).expanduser())
    return folder / text


def _address(_variable: Variable, raw: object, _folder: Path, _home: str) -> str:
    text = _text(raw)
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("it reads https://HOST")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it carries credentials; `sdkeep auth login` stores those")
    if parts.query or parts.fragment:
        raise ValueError("it has a query or a fragment")
    return text.rstrip("/")


def _proxy(_variable: Variable, raw: object, _folder: Path, _home: str) -> str:
    text = _text(raw)
    if text and "://" not in text:
        text = f"http://{text}"
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https", "socks5", "socks5h") or not parts.hostname):
        raise ValueError("it reads http://HOST:PORT")
    return text


def _list(_variable: Variable, raw: object, _folder: Path, _home: str) -> tuple[str, ...]:
    words = raw if isinstance(raw, list) else _text(raw).split(",")
    return tuple(word for item in words if (word := _text(item)))


def _flag(_variable: Variable, raw: object, _folder: Path, _home: str) -> bool:
    if isinstance(raw, bool):
        return raw
    word = _text(raw).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("it is neither true nor false")
    return word in _TRUE


def _number(variable: Variable, raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("it is no number")
    number = float(raw)
    if not variable.least <= number <= variable.most:
        raise ValueError(f"it is not between {variable.least:g} and {variable.most:g}")
    return number


def _count(variable: Variable, raw: object, _folder: Path, _home: str) -> int:
    number = _number(variable, raw)
    if number != int(number):
        raise ValueError("it is no whole number")
    return int(number)


def _seconds(variable: Variable, raw: object, _folder: Path, _home: str) -> float:
    return _number(variable, raw)


def _secret(_variable: Variable, _raw: object, _folder: Path, _home: str) -> str:
    raise ValueError("tokens are stored by `sdkeep auth login`")


_READERS = {
    Type.TEXT: _word,
    Type.CHOICE: _choice,
    Type.PATH: _path,
    Type.ADDRESS: _address,
    Type.PROXY: _proxy,
    Type.LIST: _list,
    Type.FLAG: _flag,
    Type.COUNT: _count,
    Type.SECONDS: _seconds,
    Type.SECRET: _secret,
}
