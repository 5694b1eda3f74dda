"""Catalogue a library where it lies: a list at once, digests after that, names from the hubs last. No byte is touched.

Each phase is kept as it goes and can be the last one for today; whatever is left, the next `add` or `sync` does.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions.examine import Examined, Examiner
from sdkeep.actions.folders import Root, Seen, given, walk
from sdkeep.actions.hashing import HashOutcome, hash_waiting
from sdkeep.actions.house import House
from sdkeep.actions.intake import Arrival, Terms, claimed_licence, describe, refusal
from sdkeep.actions.labels import label_uis
from sdkeep.actions.placing import here, surroundings
from sdkeep.actions.scan import warn_of_config
from sdkeep.catalogue.foreign import foreign_rows
from sdkeep.catalogue.sightings import Sighting
from sdkeep.formats.metadata import edges
from sdkeep.ground.digest import Digest
from sdkeep.ground.errors import KeepError
from sdkeep.ground.events import stage
from sdkeep.ground.kinds import Family, Kind, NsfwLevel
from sdkeep.ground.record import Artifact, Location, Ui
from sdkeep.ground.text import plain
from sdkeep.layouts.caches import read_caches
from sdkeep.layouts.detect import detect
from sdkeep.layouts.folders import Installed, installed
from sdkeep.layouts.sidecar_reading import Sidecars, read_sidecars

_BATCH = 200
_LONGEST = 20_000
_LONGEST_TITLE = 300
_NEAR = 5
"""How many folders above a file a WebUI's root may lie."""

_KINDS = {
    "lora": Kind.LORA, "locon": Kind.LYCORIS, "lycoris": Kind.LYCORIS, "checkpoint": Kind.CHECKPOINT, "vae": Kind.VAE,
    "textualinversion": Kind.EMBEDDING, "hypernetwork": Kind.HYPERNETWORK, "controlnet": Kind.CONTROLNET,
    "upscaler": Kind.UPSCALER,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AdoptRequest:
    """How far to go: `hash` the files, `look_up` their hashes at the hubs. `kind` is what the person says they are."""

    hash: bool = True
    look_up: bool = False
    kind: Kind | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Glance:
    """What the first look at a file found: its facts, its verdict, and the name it got (empty before it has one)."""

    path: str
    size: int
    kind: Kind
    family: Family
    verdict: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of the paths: looked at now, on record before and unchanged, hashed, failed (with the path).

    `identified` counts the files that a hub or an archive knew.
    """

    glances: dict[str, Glance]
    standing: dict[str, Location]
    hashes: HashOutcome
    failed: tuple[tuple[str, KeepError], ...] = ()
    identified: int = 0


def adopt(house: House, paths: Sequence[Path], request: AdoptRequest) -> Adoption:
    """Catalogue files, and the models below folders, where they lie."""
    folders = [path.absolute() for path in paths if path.is_dir()]
    walked = walk([Root(folder) for folder in folders])
    for path, why in walked.unreadable.items():
        house.warn(f"`{path}` cannot be read: {why}")
    files = [*walked.files.values(), *given(path for path in paths if not path.is_dir())]
    fresh, standing = _told_apart(house, with_uis(house, files))
    if request.dry_run:
        glances, failed = _glances(house, fresh, request.kind)
        return Adoption(glances, standing, HashOutcome(()), failed)
    _remember(house, folders)
    glances, failed = sight(house, fresh, walked.names, request.kind)
    if glances.keys() - walked.files.keys():
        label_uis(house)
    if glances:
        house.say("1 file is listed" if len(glances) == 1 else f"{len(glances):,} files are listed")
    hashes = hash_waiting(house) if request.hash else HashOutcome(())
    identified = 0
    if request.look_up:
        from sdkeep.actions.lookups import look_up

        identified = look_up(house).found
    return Adoption(glances, standing, hashes, failed, identified)


def _remember(house: House, folders: Sequence[Path]) -> None:
    """Note that these folders are adopted, in the catalogue and beside it."""
    known = house.book.adopted()
    fresh = [str(folder) for folder in folders if str(folder) not in known]
    for folder in fresh:
        house.book.put_adopted(folder)
    if fresh:
        label_uis(house)


def sight(
    house: House, files: Sequence[Seen], names: Mapping[str, Collection[str]], kind: Kind | None = None
) -> tuple[dict[str, Glance], tuple[tuple[str, KeepError], ...]]:
    """The first phase: headers, sizes, sidecars and caches, kept in batches. What was seen by path, and failures.

    Headers and pickles are read, payloads are not: a verdict needs no more, so what can run code is known from here on.
    `names` are the names in each folder, where they are at hand.
    """
    hints, examiner = cache_hints(house, files), Examiner()
    glances: dict[str, Glance] = {}
    failed: list[tuple[str, KeepError]] = []
    batch: list[Sighting] = []
    with stage(house.report, "looking", f"looking at {len(files)} files", len(files), "files") as moved:
        try:
            for number, one in enumerate(files, 1):
                house.stop.check()
                moved(number)
                try:
                    examined = examiner.examine(Path(one.path), house.stop)
                except KeepError as error:
                    failed.append((one.path, error))
                    continue
                glances[one.path] = _glance(one, examined, kind)
                listed = names.get(os.path.dirname(one.path))  # noqa: PTH120 - ten thousand times
                batch.append(_sighting(house, one, examined, kind, (hints.get(one.path, ()), listed)))
                if len(batch) >= _BATCH:
                    _keep(house, batch, glances)
        finally:
            _keep(house, batch, glances)
    return glances, tuple(failed)


def with_uis(house: House, files: Iterable[Seen]) -> list[Seen]:
    """The same files, each with the registered WebUI that would show it."""
    folders = [(f"{folder}{os.sep}", found.ui.name) for found in here_now(house) for folder in _folders(found)]
    return [
        replace(one, ui=next((ui for folder, ui in folders if one.path.startswith(folder)), "")) if not one.ui else one
        for one in files
    ]


def here_now(house: House) -> Iterator[Installed]:
    """The registered WebUIs whose folders are there."""
    for ui in house.book.uis():
        try:
            yield here(house, ui)
        except KeepError:
            continue


def cache_hints(house: House, files: Sequence[Seen]) -> dict[str, tuple[Digest, ...]]:
    """What the caches of the WebUIs around these files claim about them."""
    if not files:
        return {}
    wanted = {one.path for one in files}
    found: dict[str, tuple[Digest, ...]] = {}
    for installed_ui in _around(house, files):
        for hint in read_caches(installed_ui, foreign_rows):
            if (path := str(hint.path)) in wanted:
                found[path] = (*found.get(path, ()), hint.digest)
    return found


def _around(house: House, files: Sequence[Seen]) -> list[Installed]:
    """The WebUIs that hold these files: registered ones, and others that lie around them."""
    found = {str(one.root): one for one in here_now(house)}
    folders = {os.path.dirname(one.path) for one in files}  # noqa: PTH120 - ten thousand times
    parents = {parent for folder in folders for parent in [Path(folder), *Path(folder).parents][:_NEAR]}
    for folder in sorted(parents):
        seen = detect(folder, house.layouts) if str(folder) not in found else None
        if seen is not None and str(seen.root) not in found:
            ui = Ui(seen.layout.id, seen.layout.id, str(seen.root))
            found[str(seen.root)] = installed(ui, seen.layout, surroundings(house))
    return list(found.values())


def _folders(found: Installed) -> Iterator[Path]:
    for folders in found.folders.values():
        yield from folders


def _told_apart(house: House, files: Iterable[Seen]) -> tuple[list[Seen], dict[str, Location]]:
    """Files to look at, and those that are on record as they are. Stored blobs under another name are the latter."""
    recorded = {one.path: one for one in house.book.locations(unhashed=True)}
    fresh, standing = [], {}
    for one in files:
        location = recorded.get(one.path)
        if location is not None and one.fits(location):
            standing[one.path] = location
        else:
            fresh.append(one)
    house.book.mark_missing([path for path, one in standing.items() if one.missing], missing=False)
    return fresh, standing


def _keep(house: House, batch: list[Sighting], glances: dict[str, Glance]) -> None:
    if batch:
        for one, name in zip(batch, house.book.put_sightings(batch), strict=True):
            glances[one.location.path] = replace(glances[one.location.path], name=name)
        batch.clear()


def _glances(
    house: House, files: Sequence[Seen], kind: Kind | None
) -> tuple[dict[str, Glance], tuple[tuple[str, KeepError], ...]]:
    found: dict[str, Glance] = {}
    examiner = Examiner()
    failed: list[tuple[str, KeepError]] = []
    for one in files:
        house.stop.check()
        try:
            found[one.path] = _glance(one, examiner.examine(Path(one.path), house.stop), kind)
        except KeepError as error:
            failed.append((one.path, error))
    return found, tuple(failed)


def _glance(one: Seen, seen: Examined, kind: Kind | None) -> Glance:
    identity = seen.identity
    return Glance(one.path, one.size, kind or identity.kind, identity.family, str(seen.verdict.outcome))


def _sighting(
    house: House,
    one: Seen,
    seen: Examined,
    kind: Kind | None,
    around: tuple[tuple[Digest, ...], Collection[str] | None],
) -> Sighting:
    path, (hints, listed) = Path(one.path), around
    sidecars = read_sidecars(path, listed)
    arrival = Arrival(path, path.name, f"path:{path}")
    facts = _with_claims(describe(house, arrival, seen, Terms(kind=kind)), sidecars)
    if not seen.verdict.outcome.placeable:
        error = refusal(arrival, seen.verdict)
        house.warn(f"{error.what}: {error.why}; it is catalogued and stays where it is")
    if sidecars.config is not None:
        warn_of_config(house, path, seen.contents.container)
    lineage = tuple(edges(seen.contents.metadata, seen.contents.extras))
    claimed = tuple(dict.fromkeys((*hints, *sidecars.digests)))
    return Sighting(facts, one.in_place(), seen.verdict, lineage, claimed, claimed_licence(house, seen))


def _with_claims(facts: Artifact, sidecars: Sidecars) -> Artifact:
    """The facts, with what sidecars say where the file itself says nothing."""
    said = sidecars.said
    return replace(
        facts,
        title=facts.title or plain(f"{said.name} {said.version_name}".strip())[:_LONGEST_TITLE],
        base=facts.base or said.base,
        kind=facts.kind if facts.kind is not Kind.UNKNOWN else _kind_claimed(said.kind_text),
        trigger_words=facts.trigger_words or said.trigger_words,
        description=facts.description or plain(said.description)[:_LONGEST],
        level=max(facts.level, said.level or NsfwLevel.PG, key=lambda level: level.rank),
    )


def _kind_claimed(text: str) -> Kind:
    return _KINDS.get(text.strip().lower(), Kind.UNKNOWN)
