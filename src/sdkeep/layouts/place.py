"""Where a file belongs in a WebUI and what it is called there: a plan, made without touching the disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sdkeep.ground.errors import LayoutError, NotPlaceable
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.text import one_line
from sdkeep.layouts.folders import Installed
from sdkeep.layouts.values import Shelf

Clean = Callable[[str, int], str]
Taken = Callable[[str], bool]

FIELDS = ("base", "creator", "family", "kind")
_FIELD = re.compile(r"\{([^{}]*)\}")
_LONGEST_NAME = 200
_LONGEST_FOLDER = 80
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """What naming a placed file needs. `stem` is the published one, `extension` includes its dot.

    `base` is the claimed base model ("Pony"), which a folder template prefers over the family; `release` a hub's id of
    the version, used to tell two files of one name apart.
    """

    kind: Kind
    stem: str
    extension: str
    sha256: str
    family: Family = Family.UNKNOWN
    base: str = ""
    creator: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the file goes. `shelf` is the WebUI's own folder, `below` the sub-folder in it with `/`, maybe empty."""

    shelf: Path
    below: str
    file_name: str
    stem: str
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder that will hold the file."""
        return self.shelf / self.below if self.below else self.shelf

    @property
    def path(self) -> Path:
        """The whole path."""
        return self.folder / self.file_name


def plan_place(here: Installed, facts: PlaceFacts, taken: Taken, clean: Clean) -> Target:
    """The target of one file in one WebUI; raises `NotPlaceable` with what the WebUI would list instead.

    `taken(stem)` says whether another file of this kind answers to the stem, whatever its case and sub-folder.
    `clean(text, bytes)` makes outside text a safe part of a path, as `store.names.safe_stem` does; its answer is
    checked here again, so that no name can leave the folder.
    """
    shelf = _shelf(here, facts)
    extension = facts.extension.lower()
    notes: list[str] = []
    stem = _free_stem(shelf, facts, extension, taken, clean, notes)
    below = _below(here.ui.template, facts, clean)
    if below and not shelf.recursive:
        notes.append(f"{here.layout.title} reads no sub-folders for {facts.kind} files, so the template is left out")
        below = ""
    if not shelf.verified:
        notes.append(f"the place of {facts.kind} files was not checked against {here.layout.title} itself")
    return Target(here.folders[facts.kind][0], below, stem + extension, stem, tuple(notes))


def check_template(template: str) -> None:
    """Raise `LayoutError` for a folder template that cannot be used."""
    for part in re.split(r"[/\\]", template):
        unknown = [name for name in _FIELD.findall(part) if name not in FIELDS]
        if unknown:
            raise LayoutError(
                f"the folder template `{template}` cannot be used",
                f"`{{{unknown[0]}}}` is none of {', '.join(f'{{{name}}}' for name in FIELDS)}",
                "`sdkeep ui add --help`",
            )
        if part.strip() in (".", "..") or template.startswith(("/", "\\", "~")) or ":" in template:
            raise LayoutError(
                f"the folder template `{template}` cannot be used",
                "it must name folders below the WebUI's own",
                "write it as `{base}/{creator}`",
            )


def _shelf(here: Installed, facts: PlaceFacts) -> Shelf:
    title, shelf = here.layout.title, here.layout.shelves.get(facts.kind)
    what = f"{title} has no place for `{one_line(facts.stem, 80)}{facts.extension}`"
    if here.layout.refused:
        raise NotPlaceable(what, here.layout.refused, here.layout.instead)
    if facts.kind in (Kind.UNKNOWN, Kind.OTHER):
        raise NotPlaceable(what, "it is not known what kind of file it is", "say it: `--kind lora`")
    if shelf is None:
        raise NotPlaceable(what, f"it has no folder for {facts.kind} files", "`sdkeep ui ls` lists other WebUIs")
    if facts.kind not in here.folders and here.layout.share == "register":
        raise NotPlaceable(what, "there is no folder to register files from", f"`sdkeep ui add '{here.root}'`")
    if facts.kind not in here.folders:
        raise NotPlaceable(what, f"the extension that reads {facts.kind} files is not installed ({shelf.source})")
    if not shelf.lists(facts.extension):
        accepted = ", ".join(shelf.extensions)
        raise NotPlaceable(
            what,
            f"it lists {facts.kind} files only as {accepted}",
            f"`sdkeep convert` can write {shelf.extensions[0]}",
            needs=shelf.extensions[0],
        )
    return shelf


def _free_stem(shelf: Shelf, facts: PlaceFacts, extension: str, taken: Taken, clean: Clean, notes: list[str]) -> str:
    """The published stem where it is free; else with the release's id, else with the first digits of the hash."""
    room = _LONGEST_NAME - len(extension.encode())
    wanted = _listed(shelf, _checked(clean(facts.stem, room)), extension)
    for tail in _tails(facts):
        stem = wanted if not tail else _listed(shelf, _checked(clean(wanted, room - len(tail))), extension) + tail
        if not taken(stem) and stem not in shelf.reserved:
            if tail:
                notes.append(f"the name `{wanted}` is taken, so this one is called `{stem}`")
            elif stem != facts.stem:
                notes.append(f"the published name is no safe file name, so it is called `{stem}`")
            return stem
    raise NotPlaceable(f"no free name is left for `{wanted}{extension}`", "all of its variants are taken")


def _tails(facts: PlaceFacts) -> Iterator[str]:
    yield ""
    release = re.sub(r"[^0-9A-Za-z]", "", facts.release)[:16]
    if release:
        yield f"-v{release}"
    for digits in (8, 16, 64):
        yield f"-{facts.sha256[:digits]}"


def _listed(shelf: Shelf, stem: str, extension: str) -> str:
    """A stem whose whole name the WebUI does not leave out (`.vae.safetensors` is no checkpoint to it)."""
    while any((stem + extension).lower().endswith(suffix) for suffix in shelf.excluded) and "." in stem:
        head, _, tail = stem.rpartition(".")
        stem = f"{head}-{tail}"
    return stem


def _below(template: str, facts: PlaceFacts, clean: Clean) -> str:
    if not template:
        return ""
    check_template(template)
    values = {
        "base": facts.base or ("" if facts.family is Family.UNKNOWN else str(facts.family)),
        "creator": facts.creator,
        "family": "" if facts.family is Family.UNKNOWN else str(facts.family),
        "kind": str(facts.kind),
    }
    parts = (_FIELD.sub(lambda match: values[match[1]], part) for part in re.split(r"[/\\]", template))
    return "/".join(_checked(clean(part, _LONGEST_FOLDER)) for part in parts if one_line(part).strip(" .-_"))


def _checked(part: str) -> str:
    """The last guard before a path: a cleaned part that could still leave its folder is a defect, and stops here."""
    if not part or part.startswith(".") or part.endswith((" ", ".")) or _FORBIDDEN.search(part):
        raise LayoutError(f"`{one_line(part, 80)}` is no safe file name", "a part of the path could not be cleaned")
    return part
