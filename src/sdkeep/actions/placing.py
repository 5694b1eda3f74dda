"""Put an artifact where WebUIs look: one link a UI, a sidecar and a preview beside it, and the line to paste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions.away import is_empty
from sdkeep.actions.house import House
from sdkeep.actions.intents import PLACE, intending
from sdkeep.actions.labels import label
from sdkeep.actions.stores import holder
from sdkeep.actions.ways import ways
from sdkeep.ground.errors import HubError, NotFoundHere, NotPlaceable, UnknownUi, UnsafeFile, WouldOverwrite
from sdkeep.ground.kinds import Kind
from sdkeep.ground.model import Release
from sdkeep.ground.record import Artifact, Location, Method, Ui
from sdkeep.layouts.folders import Installed, installed
from sdkeep.layouts.layout import find
from sdkeep.layouts.place import PlaceFacts, Target, plan_place
from sdkeep.layouts.prompt import paste_line, trigger_words
from sdkeep.layouts.shelf import stems
from sdkeep.layouts.surroundings import Surroundings
from sdkeep.store.links import locate, methods, place, points_at
from sdkeep.store.names import safe_stem, split_name, stem_key
from sdkeep.store.platform import mtime_of

WEIGHTS = {Kind.LORA: 0.8, Kind.LYCORIS: 0.8}


@dataclass(frozen=True, slots=True)
class Placing:
    """What placing needs beyond the artifact: the release it came from, and a weight for the line to paste.

    With `settle` running WebUIs are asked at once to look again; else the caller does that when all is placed.
    """

    release: Release | None = None
    weight: float | None = None
    dry_run: bool = False
    settle: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """A file in a WebUI. `paste` is what a person puts into a prompt, `refresh` how the UI comes to see it.

    `refreshed` says that the WebUI is running and has just been asked to look.
    """

    ui: str
    path: str
    method: Method
    paste: str = ""
    refresh: str = ""
    already: bool = False
    notes: tuple[str, ...] = ()
    refreshed: bool = False


def targets(house: House, uis: tuple[str, ...] | None) -> tuple[Ui, ...]:
    """The registered WebUIs meant: the named ones; else the default one; else all. Raises `UnknownUi`."""
    if uis is None:
        uis = (house.settings.ui,) if house.settings.ui else tuple(ui.name for ui in house.book.uis())
    return tuple(registered(house, name) for name in uis)


def registered(house: House, name: str) -> Ui:
    """The WebUI registered under `name`; raises `UnknownUi` with those that are."""
    found = house.book.ui(name)
    if found is None:
        known = ", ".join(f"`{ui.name}`" for ui in house.book.uis()) or "none yet"
        raise UnknownUi(f"no WebUI is registered as `{name}`", f"registered: {known}", "`sdkeep ui add FOLDER`")
    return found


def here(house: House, ui: Ui) -> Installed:
    """A registered WebUI with its true folders; raises `UnknownUi` when its root is gone or empty."""
    if not Path(ui.root).is_dir():
        raise UnknownUi(
            f"the folder of `{ui.name}` is not there: `{ui.root}`",
            "the drive may be away, or the WebUI moved",
            f"`sdkeep ui rm {ui.name}` forgets it, `sdkeep ui add FOLDER` registers it anew",
        )
    if is_empty(Path(ui.root)) and house.book.locations_in(ui.name):
        why = "it is empty, and files of it are on record; is the drive away?"
        raise UnknownUi(f"there is nothing in the folder of `{ui.name}`: `{ui.root}`", why, "mount the drive")
    return installed(ui, find(ui.layout, house.layouts), surroundings(house))


def surroundings(house: House) -> Surroundings:
    """What reading a WebUI's own configuration needs of this machine."""
    home = house.environ.get("HOME") or house.environ.get("USERPROFILE")
    return Surroundings(house.environ, Path(home) if home else None)


def place_everywhere(
    house: House, artifact: Artifact, uis: tuple[str, ...] | None, placing: Placing
) -> tuple[Placed, ...]:
    """Place in each WebUI meant; one that cannot take the file is a warning unless it was the only one."""
    check_placeable(house, artifact)
    chosen = targets(house, uis)
    placed: list[Placed] = []
    for ui in chosen:
        try:
            placed.append(place_in(house, ui, artifact, placing))
        except NotPlaceable as error:
            if len(chosen) == 1:
                raise
            house.warn(f"not placed in `{ui.name}`: {error.what} ({error.why})")
    return settled(house, placed) if placing.settle else tuple(placed)


def settled(house: House, placed: Sequence[Placed]) -> tuple[Placed, ...]:
    """The same answers after running WebUIs were asked to look at their folders again."""
    seen = house.desk.settle()
    return tuple(replace(one, refreshed=one.refreshed or one.ui in seen) for one in placed)


def check_placeable(house: House, artifact: Artifact) -> None:
    """Raise `UnsafeFile` for an artifact whose stored verdict forbids placing and that nobody allowed."""
    verdict = house.book.verdict_of(artifact.sha256 or "")
    if verdict is not None and not verdict.outcome.placeable and not house.settings.allow_unsafe:
        raise UnsafeFile(
            f"`{artifact.name}` is {verdict.outcome}",
            "only clean files are placed",
            ways(
                verdict,
                f"name:{artifact.name}",
                tensors=f"sdkeep convert name:{artifact.name}",
                as_it_is="`--allow-unsafe` places it as it is",
            ),
        )


def place_in(house: House, ui: Ui, artifact: Artifact, placing: Placing) -> Placed:
    """Place in one WebUI; where it reads only pickles, a clean torch zip of the same tensors is placed instead."""
    from sdkeep.actions.companions import write_beside
    from sdkeep.actions.repacking import clean_pickle_of
    from sdkeep.actions.scan import warn_of_config

    found = here(house, ui)
    present = _present(house, ui, artifact)
    if present:
        return _announced(house, found, artifact, _answer(found, artifact, present, placing, already=True), placing)
    try:
        target = _target(house, found, artifact, placing)
    except NotPlaceable as error:
        if error.needs not in (".pt", ".pth"):
            raise
        repacked = clean_pickle_of(house, artifact, error.needs)
        return place_in(house, ui, repacked, placing)
    if placing.dry_run:
        order = _order(house, found, artifact, target)
        return _answer(
            found, artifact, Location(str(target.path), artifact.sha256 or "", order[0], True, ui.name), placing
        )
    _forget_replaced(house, ui, artifact.sha256 or "")
    location = _place(house, found, artifact, target)
    write_beside(house, found, artifact, location, placing)
    warn_of_config(house, target.path)
    answer = replace(_answer(found, artifact, location, placing), notes=target.notes)
    return _announced(house, found, artifact, answer, placing)


def _announced(house: House, found: Installed, artifact: Artifact, answer: Placed, placing: Placing) -> Placed:
    """The answer after the WebUI was told: one that keeps a register takes the file in, others look again later."""
    from sdkeep.actions.running import Register

    if placing.dry_run:
        return answer
    if found.layout.server.api != "invokeai":
        if not answer.already:
            house.desk.changed(found, artifact.kind)
        return answer
    try:
        Register(house, found).enter(Path(answer.path), Path(answer.path).stem)
    except HubError as error:
        note = f"not in its list yet: {error.what} ({error.why}); {error.next}"
        return replace(answer, notes=(*answer.notes, note))
    return replace(answer, refreshed=True)


def place_beside(house: House, sha256: str, models: Sequence[Placed]) -> tuple[Placed, ...]:
    """Put a configuration beside placed checkpoints, under their stems; something in the way is a warning."""
    artifact = house.book.artifact(sha256)
    if artifact is None:
        return ()
    check_placeable(house, artifact)
    placed: list[Placed] = []
    for model in models:
        path = Path(model.path).with_suffix(split_name(artifact.file_name)[1] or ".yaml")
        found = here(house, registered(house, model.ui))
        known = house.book.location_at(str(path))
        try:
            target = Target(path.parent, "", path.name, path.stem)
            location = known if known and known.sha256 == sha256 else _place(house, found, artifact, target)
        except WouldOverwrite as error:
            house.warn(f"{error.what}: {error.why}")
            continue
        placed.append(_answer(found, artifact, location, Placing(), already=location is known))
    return tuple(placed)


def _present(house: House, ui: Ui, artifact: Artifact) -> Location | None:
    """Where this artifact, or the clean pickle made of it, is placed in this WebUI and still shows our bytes."""
    for location in house.book.locations_of(artifact.sha256 or ""):
        if location.ui == ui.name and Path(location.path).is_file() and _shows_ours(house, location):
            return location
    return None


def _shows_ours(house: House, location: Location) -> bool:
    """Whether a placed file is still the one that was put there: our link, or the copy as it was left."""
    path, store = Path(location.path), holder(house, location.sha256)
    if store is not None and location.method in (Method.HARDLINK, Method.SYMLINK):
        return still_ours(location, store.path_of(location.sha256))
    info = path.stat()
    return (info.st_size, mtime_of(info)) == (location.size, location.mtime_ns)


def _forget_replaced(house: House, ui: Ui, sha256: str) -> None:
    """Drop the records of places that somebody else's file has taken since."""
    for location in house.book.locations_of(sha256):
        if location.ui == ui.name and Path(location.path).is_file() and not _shows_ours(house, location):
            house.book.drop_location(location.path)


def _target(house: House, found: Installed, artifact: Artifact, placing: Placing) -> Target:
    stem, extension = split_name(artifact.file_name)
    release = placing.release or house.book.release_of(artifact.sha256 or "")
    facts = PlaceFacts(
        kind=artifact.kind,
        stem=_settled_stem(house, artifact) or stem,
        extension=extension,
        sha256=artifact.sha256 or "",
        family=artifact.family,
        base=artifact.base,
        creator=release.creator if release else "",
        release=release.id if release and release.hub == "civitai" else "",
    )
    shelf = found.layout.shelves.get(artifact.kind)
    folders = found.folders.get(artifact.kind, ())
    there = stems(folders, shelf, stem_key) if shelf else {}
    return plan_place(found, facts, lambda wanted: stem_key(wanted) in there, safe_stem)


def _settled_stem(house: House, artifact: Artifact) -> str:
    """The stem under which this artifact is placed already: derived once, the same in every WebUI."""
    placed = [one for one in house.book.locations_of(artifact.sha256 or "") if one.ours and one.ui]
    return Path(placed[0].path).stem if placed else ""


def _order(house: House, found: Installed, artifact: Artifact, target: Target) -> tuple[Method, ...]:
    store = holder(house, artifact.sha256 or "")
    root = store.root if store else house.settings.home
    return methods(root, target.folder, symlinks=found.layout.symlinks)


def _place(house: House, found: Installed, artifact: Artifact, target: Target) -> Location:
    sha256 = artifact.sha256 or ""
    store = holder(house, sha256)
    if store is None:
        raise NotFoundHere(
            f"the bytes of `{artifact.name}` are not in the store",
            "a file catalogued where it lies is not placed elsewhere",
            f"`sdkeep get {artifact.origin}`" if artifact.origin else "`sdkeep add FILE` without `--in-place`",
        )
    blob = store.path_of(sha256)
    with intending(house, PLACE, path=str(target.path), sha256=sha256, root=str(store.root), ui=found.ui.name):
        method = place(blob, target.path, _order(house, found, artifact, target), within=target.shelf)
        location = replace(locate(target.path, sha256, method, found.ui.name), blob_root=str(store.root))
        house.book.put_location(location)
    label(house, store, sha256)
    if method is Method.COPY:
        house.warn(f"`{target.path}` is a copy: neither links nor reflinks work between these places")
    return location


def _answer(
    found: Installed, artifact: Artifact, location: Location, placing: Placing, *, already: bool = False
) -> Placed:
    path = Path(location.path)
    weight = placing.weight if placing.weight is not None else WEIGHTS.get(artifact.kind, 1.0)
    paste = paste_line(
        found.layout, artifact.kind, path.stem, weight, below=_below(found, artifact.kind, path), extension=path.suffix
    )
    return Placed(found.ui.name, location.path, location.method, paste, found.layout.refresh, already)


def _below(found: Installed, kind: Kind, path: Path) -> str:
    for folder in found.folders.get(kind, ()):
        if path.is_relative_to(folder):
            inner = path.parent.relative_to(folder).as_posix()
            return "" if inner == "." else inner
    return ""


def paste_lines(house: House, artifact: Artifact) -> tuple[str, ...]:
    """What to paste for every place the artifact is in."""
    lines: dict[str, None] = {}
    for location in house.book.locations_of(artifact.sha256 or ""):
        ui = house.book.ui(location.ui) if location.ui else None
        if ui and Path(ui.root).is_dir():
            line = _answer(here(house, ui), artifact, location, Placing()).paste
            if line:
                lines[line] = None
    return tuple(lines)


def words_of(artifact: Artifact) -> tuple[str, ...]:
    """The trigger words one by one."""
    return trigger_words(artifact.trigger_words)


def still_ours(location: Location, blob: Path) -> bool:
    """Whether a recorded placement still shows the blob by link; copies are judged by their bytes elsewhere."""
    return points_at(Path(location.path), blob) is not None
