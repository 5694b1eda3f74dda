"""Registered WebUIs: add, list, forget, find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.actions.labels import label_uis
from sdkeep.actions.placing import here, registered, surroundings
from sdkeep.ground.errors import KeepError, NotFoundHere, UnknownUi, UsageError
from sdkeep.ground.record import Ui
from sdkeep.ground.text import slug
from sdkeep.layouts.detect import check, detect
from sdkeep.layouts.layout import find
from sdkeep.layouts.place import check_template

DEEPEST = 3
USUAL = (
    "stable-diffusion-webui",
    "stable-diffusion-webui-forge",
    "ComfyUI",
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
    """A registered WebUI: how many of our files it holds, and what is wrong with its folder."""

    name: str
    layout: str
    title: str
    root: str
    template: str
    placed: int
    folders: dict[str, str]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Detected:
    """A WebUI found on the disk; `registered_as` is empty for a new one."""

    layout: str
    title: str
    root: str
    evidence: tuple[str, ...]
    registered_as: str = ""


def add(house: House, root: Path, *, layout: str, name: str, template: str) -> Registered:
    """Register the WebUI in `root`; its layout is told by its files unless named. Raises `UnknownUi`."""
    folder = root.expanduser().absolute()
    if not folder.is_dir():
        raise NotFoundHere(f"`{root}` is no folder", "a WebUI is registered by its root folder", "`sdkeep ui detect`")
    if template:
        check_template(template)
    if layout:
        chosen = find(layout, house.layouts)
    else:
        found = detect(folder, house.layouts)
        if found is None:
            known = ", ".join(one.id for one in house.layouts)
            raise UnknownUi(
                f"`{root}` is no WebUI that sdkeep knows",
                f"it holds none of the files that prove one; known layouts are {known}",
                f"`sdkeep ui add '{root}' --layout a1111` registers it all the same",
            )
        chosen, folder = found.layout, found.root
    ui = Ui(_name(house, name or chosen.id, folder), chosen.id, str(folder), template, house.now())
    house.book.put_ui(ui)
    label_uis(house)
    return describe(house, ui)


def _name(house: House, wanted: str, folder: Path) -> str:
    name = slug(wanted)
    if not name:
        raise UsageError(f"`{wanted}` is no name", "letters and digits make one", "`--name a1111`")
    for ui in house.book.uis():
        if Path(ui.root) == folder:
            return ui.name
    taken = {ui.name for ui in house.book.uis()}
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, 1000))) if one not in taken)


def describe(house: House, ui: Ui) -> Registered:
    """A registered WebUI as `ui ls` shows it; a missing folder is a problem, not an error."""
    problems = tuple(check(ui, surroundings(house), house.layouts))
    title, folders = ui.layout, {}
    try:
        found = here(house, ui)
        title = found.layout.title
        folders = {str(kind): str(places[0]) for kind, places in found.folders.items()}
        problems = (*problems, *found.notes)
    except KeepError as error:
        problems = problems or (error.what,)
    return Registered(
        ui.name, ui.layout, title, ui.root, ui.template, len(house.book.locations_in(ui.name)), folders, problems
    )


def ls(house: House) -> tuple[Registered, ...]:
    """Every registered WebUI."""
    return tuple(describe(house, ui) for ui in house.book.uis())


def rm(house: House, name: str) -> Ui:
    """Forget a WebUI. Nothing in its folder is touched; files placed there stay known as files of none."""
    ui = registered(house, name)
    house.book.drop_ui(name)
    label_uis(house)
    return ui


def look_for(house: House, roots: tuple[Path, ...]) -> tuple[Detected, ...]:
    """The WebUIs at or a few folders below the given places (the usual ones when none are given)."""
    home = Path(house.environ.get("HOME") or house.environ.get("USERPROFILE") or ".")
    places = roots or (house.cwd, home, *(home / name for name in USUAL))
    known = {ui.root: ui.name for ui in house.book.uis()}
    found: dict[str, Detected] = {}
    for place in places:
        for folder in _folders(place.expanduser().absolute(), DEEPEST if roots else 1):
            seen = detect(folder, house.layouts)
            if seen and str(seen.root) not in found:
                root = str(seen.root)
                found[root] = Detected(seen.layout.id, seen.layout.title, root, seen.evidence, known.get(root, ""))
    return tuple(found.values())


def _folders(root: Path, depth: int) -> Iterator[Path]:
    if not root.is_dir():
        return
    yield root
    if depth == 0:
        return
    try:
        below = sorted(one for one in root.iterdir() if one.is_dir() and not one.is_symlink() and one.name[0] != ".")
    except OSError:
        return
    for folder in below:
        yield from _folders(folder, depth - 1)
