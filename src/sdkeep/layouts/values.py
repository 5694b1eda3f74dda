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
    `keys` are its names in a path configuration. `follows_folders` says whether linked sub-folders are read.
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

    def lists(self, extension: str) -> bool:
        """Whether the WebUI shows files with this extension (`.pt`) here."""
        return not self.extensions or extension.lower() in self.extensions


@dataclass(frozen=True, slots=True)
class Arguments:
    """Where a WebUI's own start arguments are written, and what they move.

    `posix` and `windows` are files below the root that set `variable`; `data` and `models` are the flags that move
    everything, or everything below `models/`. `reference` is a flag that names another installation, whose folders
    stand in for the flags in `referenced`.
    """

    posix: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    variable: str = ""
    data: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    reference: str = ""
    referenced: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of WebUI.

    `present` and `absent` are paths below the root that prove or disprove it; `inner` are sub-folders where its root
    may lie. `symlinks` says whether it opens a link by the link's own name. `previews` are the endings of preview
    pictures it shows, the first being the one we write; `sidecars` the dialects to write.
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
