"""What newcomers trip over, checked one by one, each with the command that mends it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from sdkeep.actions.busy import UPDATES, busy
from sdkeep.actions.house import House
from sdkeep.actions.intents import DEDUPE, EJECT, REPLACE, UPDATE, settle
from sdkeep.actions.placing import here
from sdkeep.actions.stores import stores
from sdkeep.ground.errors import KeepError
from sdkeep.ground.record import Method
from sdkeep.ground.text import one_line
from sdkeep.store.links import leftovers
from sdkeep.store.platform import filesystem_of, is_network

LOW_SPACE = 10 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `state` is `ok`, `note` or `problem`; `mend` is the command that helps."""

    name: str
    state: str
    what: str
    mend: str = ""


def doctor(house: House) -> tuple[Check, ...]:
    """Look at the machine, the catalogue, the stores and the WebUIs; finish what a crash left open."""
    found: list[Check] = []
    for examine in (
        _machine,
        _windows,
        _torch,
        _catalogue,
        _network,
        _intents,
        _stores,
        _space,
        _uis,
        _drafts,
        _placements,
        _tokens,
    ):
        try:
            found.extend(examine(house))
        except KeepError as error:
            found.append(
                Check(examine.__name__.strip("_"), "problem", f"{error.what}: {error.why}".rstrip(": "), error.next)
            )
    return tuple(found)


def _machine(_house: House) -> Iterator[Check]:
    version = platform.python_version()
    yield Check("python", "ok", f"Python {version} at {sys.executable}")
    on_path = shutil.which("python3") or shutil.which("python") or shutil.which("py")
    if on_path is None:
        yield Check(
            "python-path",
            "note",
            "no `python` on the PATH; WebUI start scripts look for one",
            "install Python 3.11+ and tick `Add to PATH`",
        )
    git = shutil.which("git")
    if git:
        yield Check("git", "ok", f"git at {git}")
    else:
        yield Check("git", "note", "git is not on the PATH; WebUIs and their extensions need it", _git_command())


def _git_command() -> str:
    commands = {"Windows": "winget install Git.Git", "Darwin": "xcode-select --install"}
    return commands.get(platform.system(), "sudo apt install git")


def _windows(house: House) -> Iterator[Check]:
    if os.name != "nt":
        return
    from sdkeep.store.platform import can_symlink, long_paths_enabled

    house.settings.home.mkdir(parents=True, exist_ok=True)
    if can_symlink(house.settings.home):
        yield Check("symlinks", "ok", "symbolic links can be made")
    else:
        yield Check(
            "symlinks",
            "note",
            "symbolic links are not allowed; files on another drive will be copied",
            "start ms-settings:developers and switch Developer Mode on",
        )
    if long_paths_enabled():
        yield Check("long-paths", "ok", "paths longer than 260 characters work")
    else:
        key = r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem"
        yield Check(
            "long-paths",
            "note",
            "paths are limited to 260 characters",
            f"reg add {key} /v LongPathsEnabled /t REG_DWORD /d 1 /f",
        )


def _torch(_house: House) -> Iterator[Check]:
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        yield Check("torch", "ok", "torch is not installed; nothing but merging and generating needs it")
        return
    build = version.partition("+")[2] or "default build"
    yield Check("torch", "ok", f"torch {version} ({'CPU only' if build == 'cpu' else build})")


def _catalogue(house: House) -> Iterator[Check]:
    book = house.book
    problems = book.check()
    for problem in problems:
        yield Check(
            "catalogue", "problem", problem, "`sdkeep db backup` first, then restore a copy from the `backups` folder"
        )
    if not problems:
        stats = book.stats()
        yield Check(
            "catalogue", "ok", f"{book.path} is sound: {stats.artifacts:,} files recorded, schema {book.opened.after}"
        )


def _network(house: House) -> Iterator[Check]:
    """Places on other machines, where locks and links promise less."""
    home = house.settings.catalogue.parent
    if is_network(home):
        yield Check(
            "network",
            "note",
            f"the catalogue lies on another machine ({filesystem_of(home) or 'a network drive'}): it keeps a rollback "
            "journal, and two machines must not use it at once",
            "set SDKEEP_HOME to a folder of this machine; stores may stay where they are",
        )
    for store in stores(house):
        if is_network(store.root):
            what = f"the store `{store.root}` lies on another machine: its locks may promise nothing"
            yield Check("network", "note", what, "let one machine at a time write to it")


def _intents(house: House) -> Iterator[Check]:
    replacing, updating = busy(house), busy(house, UPDATES)
    for intent in reversed(house.book.open_intents()):  # an intent inside another first
        if (replacing and intent.action in (DEDUPE, EJECT, REPLACE)) or (updating and intent.action == UPDATE):
            work = intent.detail.get("path") or intent.detail.get("ref", "")
            yield Check("unfinished", "ok", f"another sdkeep is at work on `{work}`")
            continue
        sentence = settle(house, intent)
        yield Check("unfinished", "note", f"an interrupted `{intent.action}` of {intent.begun} was settled: {sentence}")


def _stores(house: House) -> Iterator[Check]:
    for store in stores(house):
        for stray in store.strays():
            yield Check(
                "store", "note", f"`{stray}` lies among the blobs and is none of ours", "look, and move it away"
            )
        missing = [blob for blob in house.book.blobs_in(str(store.root)) if not store.has(blob.sha256)]
        for blob in missing:
            what = f"blob {blob.sha256[:12]} is recorded and not there"
            yield Check("store", "problem", what, f"`sdkeep verify sha256:{blob.sha256}`")
    if not os.access(_standing(house.settings.home), os.W_OK):
        what = f"`{house.settings.home}` cannot be written"
        yield Check("home", "problem", what, "give yourself the folder, or set SDKEEP_HOME to another")


def _space(house: House) -> Iterator[Check]:
    places = [
        house.settings.home,
        *(store.root for store in stores(house)),
        *(Path(ui.root) for ui in house.book.uis()),
    ]
    volumes: dict[int, Path] = {}
    for place in places:
        standing = _standing(place)
        volumes.setdefault(standing.stat().st_dev, standing)
    for place in volumes.values():
        free = shutil.disk_usage(place).free
        low = free < LOW_SPACE
        mend = "`sdkeep gc` lets go of what nothing uses" if low else ""
        yield Check("space", "note" if low else "ok", f"{free / 2**30:,.1f} GiB free on the volume of `{place}`", mend)


def _standing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _uis(house: House) -> Iterator[Check]:
    from sdkeep.actions.uis import ls

    registered = ls(house)
    if not registered:
        yield Check(
            "ui",
            "note",
            "no WebUI is registered, so nothing is placed",
            "`sdkeep ui detect`, then `sdkeep ui add FOLDER`",
        )
    for ui in registered:
        for problem in ui.problems:
            yield Check(
                "ui", "problem" if not Path(ui.root).is_dir() else "note", f"{ui.name}: {problem}", "`sdkeep ui ls`"
            )
        if not ui.problems:
            yield Check("ui", "ok", f"{ui.name}: {ui.title} at {ui.root}, {ui.placed} files of ours")


def _drafts(house: House) -> Iterator[Check]:
    """Unfinished copies that a killed process left in the WebUIs' folders."""
    before = house.moment() - timedelta(hours=1)
    for ui in house.book.uis():
        if not Path(ui.root).is_dir():
            continue
        folders = {folder for places in here(house, ui).folders.values() for folder in places if folder.is_dir()}
        for folder in sorted(folders):
            for draft in leftovers(folder, before):
                yield Check("leftover", "note", f"`{draft}` is an unfinished copy of ours", f"rm '{draft}'")


def _placements(house: House) -> Iterator[Check]:
    for location in house.book.locations():
        if Path(location.path).exists():
            continue
        where = "catalogued" if location.method is Method.IN_PLACE else f"placed in {location.ui}"
        yield Check(
            "missing", "problem", f"`{location.path}` ({where}) is gone", f"`sdkeep verify sha256:{location.sha256}`"
        )


def _tokens(house: House) -> Iterator[Check]:
    from sdkeep.actions.auth import KEY_PAGES

    for token in house.tokens.status(house.settings, house.loaded.sources):
        if token.masked:
            yield Check("token", "ok", f"{token.hub}: {token.masked} from {one_line(token.where or token.origin)}")
        else:
            needed = "most downloads need one" if token.hub == "civitai" else "gated models need one"
            yield Check(
                "token",
                "note",
                f"{token.hub}: no token; {needed} (keys: {KEY_PAGES[token.hub]})",
                f"`sdkeep auth login {token.hub}`",
            )
    for warning in house.tokens.warnings:
        yield Check("token", "problem", warning)
