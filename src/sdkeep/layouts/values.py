"""What is known of one WebUI, as values. The facts themselves are the TOML files in `data/`; `layout` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sdkeep.ground.kinds import Family, Kind


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where a WebUI keeps one kind of file.

    `dirs` are relative to its data folder; the first is where to place. `extensions` are what it lists, best first;
    empty means anything. A name that ends in one of `excluded` is not listed, a stem among `reserved` means something
    else. `flags[i]` are the command-line flags that move `dirs[i]`; with `flags_add` they add a folder in front.
    `keys` are its names in a path configuration, `config` those in the WebUI's own one, whose values stand in for
    `dirs[0]`. `follows_folders` says whether linked sub-folders are read. `refresh` are the addresses to POST to.
    With `if_installed` the folder's parent belongs to an extension and must be there. `prompt` is what a person pastes.
    """

    kind: Kind
    dirs: tuple[str, ...]
    extensions: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    recursive: bool = True
    follows_folders: bool = True
    flags: tuple[tuple[str, ...], ...] = ()
    flags_add: bool = False
    keys: tuple[str, ...] = ()
    if_installed: bool = False
    prompt: str = ""
    verified: bool = True
    source: str = ""
    config: tuple[str, ...] = ()
    refresh: tuple[str, ...] = ()

    def lists(self, extension: str) -> bool:
        """Whether the WebUI shows files with this extension (`.pt`) here."""
        return not self.extensions or extension.lower() in self.extensions


@dataclass(frozen=True, slots=True)
class Arguments:
    """Where a WebUI's own start arguments are written, and what they move.

    `posix` and `windows` are files below the root that set `variable`, `launchers` batch files there or beside it that
    call the program itself. `data` and `models` are the flags that move everything, or everything below `models/`;
    `extra` those that name further path configurations. `reference` is a flag that names another installation, whose
    folders stand in for the flags in `referenced`.
    """

    posix: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    variable: str = ""
    data: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    reference: str = ""
    referenced: tuple[tuple[str, str], ...] = ()
    launchers: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """A WebUI's own configuration file, and what it moves.

    `file` lies below the data folder and is `json`, `yaml` or `fds`. `models` is the key that moves everything below
    `models/`; its value may be a list, or several paths joined by `;`. With `must_exist` a value that names a folder
    which is not there counts as none. `below` says that a shelf's values are names below the models folder.
    """

    file: str = ""
    format: str = "json"
    models: str = ""
    must_exist: bool = False
    below: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """How a running WebUI is spoken to: its usual address, and what its configuration calls host and port."""

    url: str = ""
    api: str = ""
    port_flags: tuple[str, ...] = ()
    host: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of WebUI.

    `present` and `absent` are paths below the root that prove or disprove it; `inner` are sub-folders where its root
    may lie. `symlinks` says whether it opens a link by the link's own name. `previews` are the endings of preview
    pictures it shows, the first being the one we write; `sidecars` the dialects to write. `models` is the folder that
    the flags for models move. `share` says how it can be given folders of ours (`comfyui-yaml`, `fooocus-json`,
    `swarm-fds`, `flags`; `register` where it takes files no other way), `flags` which flags do that. A layout with a
    text in `refused` takes no files, for the reason told there. `caches` says that it keeps hashes.
    """

    id: str
    title: str
    shelves: Mapping[Kind, Shelf]
    refresh: str = ""
    symlinks: bool = False
    inner: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    previews: tuple[str, ...] = ()
    sidecars: tuple[str, ...] = ()
    arguments: Arguments = Arguments()
    extra_paths: str = ""
    sd_versions: Mapping[Family, str] = field(default_factory=lambda: MappingProxyType({}))
    models: str = "models"
    config: Config = Config()
    server: Server = Server()
    share: str = ""
    refused: str = ""
    instead: str = ""
    caches: bool = False
