"""Registered WebUIs: add, list, forget, find."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.actions.labels import label_uis
from sdkeep.actions.placing import here, registered, surroundings
from sdkeep.actions.running import checked_url
from sdkeep.actions.stores import store_near
from sdkeep.ground.errors import KeepError, NotFoundHere, NotPlaceable, UnknownUi, UsageError
from sdkeep.ground.record import Ui
from sdkeep.ground.text import slug
from sdkeep.layouts.detect import Detection, check, detect
from sdkeep.layouts.folders import installed
from sdkeep.layouts.jsonfile import read_object, text_in
from sdkeep.layouts.layout import find
from sdkeep.layouts.place import check_template
from sdkeep.layouts.sharing import share, unshare
from sdkeep.layouts.values import Layout

DEEPEST = 3
MOST = 2000
SHARED = "sdkeep-shared"
USUAL = (
    "stable-diffusion-webui",
    "stable-diffusion-webui-forge",
    "stable-diffusion-webui-reForge",
    "sd-webui-forge-classic",
    "sdnext",
    "automatic",
    "ComfyUI",
    "Fooocus",
    "SwarmUI",
    "invokeai",
    "InvokeAI",
    "StabilityMatrix",
    "webui",
    "sd",
    "ai",
    "AI",
    "apps",
    "src",
    "git",
)


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered WebUI: how many of our files it holds, and what is wrong with its folder.

    `folders` are the ones to place in by kind, `notes` what its own configuration moves, `url` where it answers,
    `share` the folder of ours that it reads, and `todo` what a person has to do for that.
    """

    name: str
    layout: str
    title: str
    root: str
    template: str
    placed: int
    folders: dict[str, str]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    url: str = ""
    share: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Detected:
    """A WebUI found on the disk; `registered_as` is empty for a new one, `refused` for one that files go to.

    `notes` say what its own configuration moves.
    """

    layout: str
    title: str
    root: str
    evidence: tuple[str, ...]
    registered_as: str = ""
    notes: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class KnownLayout:
    """A kind of WebUI that can be registered: its kinds of files, how it is shared, why it takes none (`refused`)."""

    id: str
    title: str
    kinds: tuple[str, ...]
    share: str = ""
    refused: str = ""
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a WebUI is to be registered; empty is what its files tell, None what was chosen before."""

    layout: str = ""
    name: str = ""
    template: str = ""
    url: str | None = None
    share: bool | None = None


def add(house: House, root: Path, wish: Wish) -> Registered:
    """Register the WebUI in `root`. Raises `UnknownUi`, and `NotPlaceable` for one that takes no files."""
    folder = root.expanduser().absolute()
    if not folder.is_dir():
        raise NotFoundHere(f"`{root}` is no folder", "a WebUI is registered by its root folder", "`sdkeep ui detect`")
    if wish.template:
        check_template(wish.template)
    chosen, folder = _chosen(house, root, folder, wish.layout)
    if chosen.refused:
        raise NotPlaceable(f"{chosen.title} cannot be registered", chosen.refused, chosen.instead)
    before = next((ui for ui in house.book.uis() if Path(ui.root) == folder), None)
    name = before.name if before else _name(house, wish.name or chosen.id)
    url = checked_url(wish.url) if wish.url else before.url if before and wish.url is None else ""
    ui = Ui(name, chosen.id, str(folder), wish.template, house.now(), url, before.share if before else "")
    ui, todo = _shared(house, ui, chosen, wish.share)
    house.book.put_ui(ui)
    found = here(house, ui)
    house.book.claim(name, [f"{folder}{os.sep}" for folders in found.folders.values() for folder in folders])
    label_uis(house)
    return replace(describe(house, ui), todo=todo)


def _chosen(house: House, root: Path, folder: Path, layout: str) -> tuple[Layout, Path]:
    if layout:
        return find(layout, house.layouts), folder
    found = detect(folder, house.layouts)
    if found is None:
        known = ", ".join(one.id for one in house.layouts)
        raise UnknownUi(
            f"`{root}` is no WebUI that sdkeep knows",
            f"it holds none of the files that prove one; known layouts are {known}",
            f"`sdkeep ui add '{root}' --layout a1111` registers it all the same",
        )
    return found.layout, found.root


def _shared(house: House, ui: Ui, layout: Layout, wanted: bool | None) -> tuple[Ui, str]:
    """The WebUI with a folder of ours in its own configuration, or without one; and what is left to do."""
    sharing = layout.share == "register" or (bool(ui.share) if wanted is None else wanted)
    if not sharing:
        done = unshare(installed(ui, layout, surroundings(house)), Path(ui.share)) if ui.share else None
        return replace(ui, share=""), done.todo if done else ""
    store = store_near(house, Path(ui.root)).root
    folder = Path(ui.share) if ui.share else store.with_name(SHARED) / ui.name
    done = share(installed(ui, layout, surroundings(house)), folder)
    return replace(ui, share=str(folder)), done.todo


def _name(house: House, wanted: str) -> str:
    name = slug(wanted)
    if not name:
        raise UsageError(f"`{wanted}` is no name", "letters and digits make one", "`--name a1111`")
    taken = {ui.name for ui in house.book.uis()}
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, 1000))) if one not in taken)


def describe(house: House, ui: Ui) -> Registered:
    """A registered WebUI as `ui ls` shows it; a missing folder is a problem, not an error."""
    problems = tuple(check(ui, surroundings(house), house.layouts))
    title, folders, url = ui.layout, {}, ui.url
    notes: tuple[str, ...] = ()
    try:
        found = here(house, ui)
        title = found.layout.title
        folders = {str(kind): str(places[0]) for kind, places in found.folders.items()}
        notes, url = found.notes, found.url
    except KeepError as error:
        problems = problems or (error.what,)
    placed = sum(1 for one in house.book.locations_in(ui.name) if one.ours)
    return Registered(ui.name, ui.layout, title, ui.root, ui.template, placed, folders, problems, notes, url, ui.share)


def ls(house: House) -> tuple[Registered, ...]:
    """Every registered WebUI."""
    return tuple(describe(house, ui) for ui in house.book.uis())


def rm(house: House, name: str) -> Ui:
    """Forget a WebUI; files placed there stay, known as files of none.

    Nothing in its folder is touched, but for the lines in its configuration that name our folder: those go again.
    """
    ui = registered(house, name)
    layout = next((one for one in house.layouts if one.id == ui.layout), None)
    if ui.share and layout is not None and Path(ui.root).is_dir():
        try:
            unshare(installed(ui, layout, surroundings(house)), Path(ui.share))
        except KeepError as error:
            house.warn(f"{error.what}: {error.why}; it still names `{ui.share}`")
    house.book.drop_ui(name)
    label_uis(house)
    return ui


def known_layouts(house: House) -> tuple[KnownLayout, ...]:
    """Every kind of WebUI there is a layout for: the built-in ones and the person's own."""
    return tuple(
        KnownLayout(one.id, one.title, tuple(map(str, one.shelves)), one.share, one.refused, one.instead)
        for one in house.layouts
    )


def look_for(house: House, roots: tuple[Path, ...]) -> tuple[Detected, ...]:
    """The WebUIs at or a few folders below the given places (the usual ones when none are given).

    Raises `NotFoundHere` for a place that is no folder.
    """
    home = Path(house.environ.get("HOME") or house.environ.get("USERPROFILE") or ".")
    places = roots or (house.cwd, home, *(home / name for name in USUAL), *_matrices(house, home))
    for root in roots:
        if not root.expanduser().is_dir():
            raise NotFoundHere(f"`{root}` is no folder here", "", "`sdkeep ui detect` looks in the usual places")
    known = {ui.root: ui.name for ui in house.book.uis()}
    found: dict[str, Detected] = {}
    for place in places:
        for folder, unreadable in _folders(place.expanduser().absolute(), DEEPEST if roots else 1):
            seen = detect(folder, house.layouts)
            if unreadable and seen is None and roots:
                house.warn(f"`{folder}` was not looked through: {unreadable}")
            if seen and str(seen.root) not in found:
                found[str(seen.root)] = _detected(house, seen, known.get(str(seen.root), ""))
    return tuple(found.values())


def _detected(house: House, seen: Detection, name: str) -> Detected:
    layout, root = seen.layout, str(seen.root)
    here = installed(Ui(name, layout.id, root), layout, surroundings(house))
    return Detected(layout.id, layout.title, root, seen.evidence, name, here.notes, layout.refused)


def _matrices(house: House, home: Path) -> tuple[Path, ...]:
    """StabilityMatrix' library, where its own settings name one, and the packages inside."""
    data = house.environ.get("APPDATA") or house.environ.get("XDG_CONFIG_HOME") or str(home / ".config")
    said = read_object(Path(data) / "StabilityMatrix" / "library.json") or {}
    library = text_in(said, "LibraryPath")
    return (Path(library), Path(library) / "Packages") if library and Path(library).is_absolute() else ()


def _folders(root: Path, depth: int) -> Iterator[tuple[Path, str]]:
    """`root` and the folders below it, none through a link; why one cannot be listed, though it may be entered."""
    try:
        with os.scandir(root) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
        below = [entry for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name[0] != "."]
    except PermissionError as error:
        yield root, error.strerror or "it cannot be read"
        return
    except OSError:
        return
    yield root, ""
    for entry in below[:MOST] if depth else ():
        yield from _folders(Path(entry.path), depth - 1)
