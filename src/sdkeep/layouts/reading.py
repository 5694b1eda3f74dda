"""Layout files: TOML in, `Layout` out, and a plain word about the first thing that is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from sdkeep.ground.errors import LayoutError
from sdkeep.ground.kinds import Family, Kind
from sdkeep.layouts.values import Arguments, Config, Layout, Server, Shelf

SIDECARS = ("a1111-json", "preview-png", "civitai-info", "cm-info", "lora-manager")
SHARES = ("", "comfyui-yaml", "fooocus-json", "swarm-fds", "flags", "register")
FORMATS = ("json", "yaml", "fds")
APIS = ("", "a1111", "comfyui", "invokeai")
PROMPT_FIELDS = ("stem", "weight", "path", "file")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_EXTENSION = re.compile(r"(?:\.[a-z0-9]{1,16}){1,2}")
_LOCAL = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}")
_ADDRESS = re.compile(r"(?:/[A-Za-z0-9_.-]+)+/?")
_FIELD = re.compile(r"\{([^{}]*)\}")


def read_layout(text: str, file: str) -> Layout:
    """The layout that a TOML text describes; `file` is its name in messages. Raises `LayoutError` naming the key."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LayoutError(f"the layout file `{file}` is no TOML", str(error), "correct the file") from error
    table = _Table(raw, file)
    layout = Layout(
        id=_matching(table, "id", _ID, "lower-case letters, digits and dashes"),
        title=table.text("title"),
        refresh=table.text("refresh", ""),
        symlinks=table.flag("symlinks", False),
        inner=_paths(table, "inner"),
        previews=table.texts("previews"),
        sidecars=_known(table, "sidecars", SIDECARS),
        extra_paths=table.text("extra_paths", ""),
        sd_versions=_sd_versions(table.table("sd_versions")),
        shelves=_shelves(table.table("shelf")),
        arguments=_arguments(table.table("arguments")),
        models=_inside(table, "models", table.text("models", "models")),
        config=_config(table.table("config")),
        server=_server(table.table("server")),
        share=_one_of(table, "share", SHARES),
        refused=table.text("refused", ""),
        instead=table.text("instead", ""),
        caches=table.flag("caches", False),
        **_markers(table.table("detect")),
    )
    table.finish()
    if not layout.shelves and not layout.refused:
        raise table.wrong("shelf", "there is no `[shelf.KIND]`")
    return layout


class _Table:
    """A TOML table that remembers which of its keys were asked for, so that a misspelt one does not go unseen."""

    def __init__(self, raw: Mapping[str, object], file: str, path: str = "") -> None:
        self._raw = raw
        self._file = file
        self._path = path
        self._asked: list[str] = []

    def wrong(self, key: str, why: str) -> LayoutError:
        """The error about one key."""
        return LayoutError(f"the layout file `{self._file}` is wrong at `{self._path}{key}`", why, "correct the file")

    def names(self) -> tuple[str, ...]:
        """All keys, in the order of the file."""
        return tuple(self._raw)

    def text(self, key: str, default: str | None = None) -> str:
        """A string; required without a default."""
        value = self._get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.wrong(key, "it must be a text" + (" that is not empty" if default is None else ""))
        return value

    def flag(self, key: str, default: bool) -> bool:
        """A boolean."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "it must be true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty when absent."""
        return self._strings(key, self._get(key, []))

    def text_lists(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of strings; empty when absent."""
        value = self._get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, "it must be a list of lists of texts")
        return tuple(self._strings(key, item) for item in value)

    def table(self, key: str) -> _Table:
        """A table below; empty when absent."""
        value = self._get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "it must be a table")
        return _Table(value, self._file, f"{self._path}{key}.")

    def finish(self) -> None:
        """Raise for a key that nobody asked for."""
        for key in self._raw:
            if key not in self._asked:
                near = get_close_matches(key, self._asked, 1)
                raise self.wrong(key, f"no such key; did you mean `{near[0]}`?" if near else "no such key")

    def _get(self, key: str, default: object) -> object:
        self._asked.append(key)
        if key not in self._raw and default is None:
            raise self.wrong(key, "it is missing")
        return self._raw.get(key, default)

    def _strings(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, "it must be a list of texts")
        return tuple(str(item) for item in value)


def _markers(table: _Table) -> dict[str, tuple[str, ...]]:
    found = {"present": _paths(table, "all"), "absent": _paths(table, "none")}
    table.finish()
    return found


def _arguments(table: _Table) -> Arguments:
    reference = table.table("reference")
    flag = reference.text("flag", "")
    moved = tuple((key, _inside(reference, key, reference.text(key))) for key in reference.names() if key != "flag")
    arguments = Arguments(
        posix=_paths(table, "posix"),
        windows=_paths(table, "windows"),
        variable=table.text("variable", ""),
        data=table.texts("data"),
        models=table.texts("models"),
        reference=flag,
        referenced=moved,
        launchers=_paths(table, "launchers"),
        extra=table.texts("extra"),
    )
    table.finish()
    return arguments


def _config(table: _Table) -> Config:
    file = table.text("file", "")
    config = Config(
        file=_inside(table, "file", file) if file else "",
        format=_one_of(table, "format", FORMATS),
        models=table.text("models", ""),
        must_exist=table.flag("must_exist", False),
        below=table.flag("below", False),
    )
    table.finish()
    return config


def _server(table: _Table) -> Server:
    server = Server(
        url=table.text("url", ""),
        api=_one_of(table, "api", APIS),
        port_flags=table.texts("port_flags"),
        host=table.text("host", ""),
        port=table.text("port", ""),
    )
    table.finish()
    if server.url and not _LOCAL.fullmatch(server.url):
        raise table.wrong("url", f"`{server.url}` is no address on this machine such as `http://127.0.0.1:7860`")
    return server


def _one_of(table: _Table, key: str, known: tuple[str, ...]) -> str:
    text = table.text(key, known[0])
    if text not in known:
        raise table.wrong(key, f"`{text}` is none of {', '.join(one for one in known if one)}")
    return text


def _sd_versions(table: _Table) -> Mapping[Family, str]:
    versions: dict[Family, str] = {}
    for key in table.names():
        family = Family.of(key)
        if family is Family.UNKNOWN:
            raise table.wrong(key, "no such family")
        versions[family] = table.text(key)
    return MappingProxyType(versions)


def _shelves(table: _Table) -> Mapping[Kind, Shelf]:
    shelves: dict[Kind, Shelf] = {}
    for key in table.names():
        kind = Kind.of(key)
        if kind is Kind.UNKNOWN:
            near = get_close_matches(key, list(Kind), 1)
            raise table.wrong(key, f"no such kind; did you mean `{near[0]}`?" if near else "no such kind")
        shelves[kind] = _shelf(kind, table.table(key))
    return MappingProxyType(shelves)


def _shelf(kind: Kind, table: _Table) -> Shelf:
    shelf = Shelf(
        kind=kind,
        dirs=_paths(table, "dirs"),
        extensions=_extensions(table),
        excluded=table.texts("excluded"),
        reserved=table.texts("reserved"),
        recursive=table.flag("recursive", True),
        follows_folders=table.flag("follows_folders", True),
        flags=table.text_lists("flags"),
        flags_add=table.flag("flags_add", False),
        keys=table.texts("keys"),
        if_installed=table.flag("if_installed", False),
        prompt=_prompt(table),
        verified=table.flag("verified", True),
        source=table.text("source", ""),
        config=table.texts("config"),
        refresh=_addresses(table),
    )
    table.finish()
    if not shelf.dirs:
        raise table.wrong("dirs", "it must name at least one folder")
    if len(shelf.flags) > len(shelf.dirs):
        raise table.wrong("flags", "there are more of them than folders")
    return shelf


def _extensions(table: _Table) -> tuple[str, ...]:
    found = table.texts("extensions")
    for extension in found:
        if not _EXTENSION.fullmatch(extension):
            raise table.wrong("extensions", f"`{extension}` is no extension such as `.safetensors`")
    return found


def _addresses(table: _Table) -> tuple[str, ...]:
    found = table.texts("refresh")
    for address in found:
        if not _ADDRESS.fullmatch(address):
            raise table.wrong("refresh", f"`{address}` is no path such as `/sdapi/v1/refresh-loras`")
    return found


def _prompt(table: _Table) -> str:
    prompt = table.text("prompt", "")
    for field in _FIELD.findall(prompt):
        if field not in PROMPT_FIELDS:
            raise table.wrong(
                "prompt", f"`{{{field}}}` is none of {', '.join(f'{{{name}}}' for name in PROMPT_FIELDS)}"
            )
    return prompt


def _paths(table: _Table, key: str) -> tuple[str, ...]:
    return tuple(_inside(table, key, path) for path in table.texts(key))


def _inside(table: _Table, key: str, path: str) -> str:
    if path.startswith("/") or "\\" in path or ":" in path or ".." in path.split("/"):
        raise table.wrong(key, f"`{path}` must be a path below the root, written with `/`")
    return path


def _known(table: _Table, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
    found = table.texts(key)
    for name in found:
        if name not in known:
            raise table.wrong(key, f"`{name}` is none of {', '.join(known)}")
    return found


def _matching(table: _Table, key: str, pattern: re.Pattern[str], wanted: str) -> str:
    text = table.text(key)
    if not pattern.fullmatch(text):
        raise table.wrong(key, f"it must be made of {wanted}")
    return text
