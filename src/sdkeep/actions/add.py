"""Take in files that are already on this machine: copied into the store, or catalogued where they lie, untouched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdkeep.actions.examine import Examined, examine_fully
from sdkeep.actions.house import House
from sdkeep.actions.intake import Arrival, Terms, describe, refusal, take_in
from sdkeep.actions.paths import files_of
from sdkeep.actions.placing import Placed, Placing, place_everywhere
from sdkeep.actions.stores import store_near
from sdkeep.formats.metadata import edges
from sdkeep.ground.errors import HubError, KeepError, NotFoundHere, NotPlaceable
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.record import Location, Method
from sdkeep.store.copying import copy_new
from sdkeep.store.platform import private_name


@dataclass(frozen=True, slots=True)
class AddRequest:
    """How to take files in. `uis` as in `get`; `look_up` asks Civitai what the file is, by its hash."""

    in_place: bool = False
    terms: Terms = field(default_factory=Terms)
    uis: tuple[str, ...] | None = ()
    look_up: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """One file taken in. `already` says that the catalogue knew these bytes."""

    path: str
    name: str
    kind: Kind
    family: Family
    size: int | None
    sha256: str
    verdict: str
    in_place: bool
    already: bool = False
    converted_from: str = ""
    placed: tuple[Placed, ...] = ()


def paths_of(text: str) -> tuple[Path, ...]:
    """The files that an argument means; a folder means every likely model below it."""
    found = files_of(text)
    if found is None:
        raise NotFoundHere(f"`{text}` is no file or folder here", "`add` takes paths", f"`sdkeep get {text}` fetches")
    return found


def add(house: House, path: Path, request: AddRequest) -> Added:
    """Take in one file; raises `UnsafeFile` for a bad one that would have to be copied into the store."""
    if request.dry_run:
        seen = examine_fully(path, house.report, house.stop, house.allowed)
        return _added(path, seen, "", request, already=house.book.artifact(seen.sha256) is not None)
    return _catalogue_there(house, path, request) if request.in_place else _copy_in(house, path, request)


def _catalogue_there(house: House, path: Path, request: AddRequest) -> Added:
    seen = examine_fully(path, house.report, house.stop, house.allowed)
    release, file = _origin(house, seen, request)
    before = house.book.artifact(seen.sha256)
    arrival = Arrival(path, path.name, "" if release else f"path:{path}", release, file)
    facts = describe(house, arrival, seen, request.terms)
    info = path.stat()
    location = Location(
        str(path.absolute()), seen.sha256, Method.IN_PLACE, False, "", info.st_ino, info.st_mtime_ns, info.st_size
    )
    with house.book.transaction():
        kept = house.book.put_artifact(facts)
        house.book.put_verdict(seen.sha256, seen.verdict)
        house.book.put_location(location)
        if release is not None:
            house.book.put_release(release)
            house.book.link_file(seen.sha256, release.hub, release.id, file.id if file else "")
        house.book.put_edges(
            seen.sha256, (*edges(seen.contents.metadata, seen.contents.extras), *(release.parents if release else ()))
        )
    if not seen.verdict.outcome.placeable:
        error = refusal(arrival, seen.verdict)
        house.warn(f"{error.what}: {error.why}; it is catalogued and stays where it is")
    return _added(path, seen, kept.name, request, already=before is not None)


def _copy_in(house: House, path: Path, request: AddRequest) -> Added:
    store = store_near(house, None)
    staged = store.staging / private_name("add", ".part")
    try:
        copy_new(path, staged, stop=house.stop)
        seen = examine_fully(staged, house.report, house.stop, house.allowed)
        before = house.book.artifact(seen.sha256)
        release, file = _origin(house, seen, request)
        origin = f"path:{path.absolute()}" if release is None else ""
        taken = take_in(house, store, Arrival(staged, path.name, origin, release, file), request.terms)
    finally:
        staged.unlink(missing_ok=True)
    placed: tuple[Placed, ...] = ()
    try:
        placed = place_everywhere(house, taken.artifact, request.uis, Placing(release))
    except NotPlaceable as error:
        house.warn(f"`{path.name}` is in the store and not placed: {error.what} ({error.why})")
    answer = _added(path, seen, taken.artifact.name, request, already=before is not None)
    artifact, original = taken.artifact, taken.original
    return replace(
        answer,
        kind=artifact.kind,
        size=artifact.size,
        sha256=artifact.sha256 or "",
        converted_from=original.sha256 or "" if original else "",
        placed=placed,
    )


def _origin(house: House, seen: Examined, request: AddRequest) -> tuple[Release | None, RemoteFile | None]:
    """The release these bytes were published in, when asked to look it up and Civitai knows."""
    if not request.look_up:
        return None, None
    try:
        digest = next(d for d in seen.digests if d.value == seen.sha256)
        releases = house.civitai.by_digest(digest)
    except HubError as error:
        house.warn(f"`{seen.path.name}` was not looked up: {error.what}")
        return None, None
    for release in releases:
        for file in release.files:
            if file.sha256 and file.sha256.value == seen.sha256:
                return release, file
    return None, None


def _added(path: Path, seen: Examined, name: str, request: AddRequest, *, already: bool) -> Added:
    return Added(
        str(path),
        name,
        request.terms.kind or seen.identity.kind,
        seen.identity.family,
        seen.size,
        seen.sha256,
        str(seen.verdict.outcome),
        request.in_place,
        already,
    )


def expanded(texts: list[str]) -> Iterator[tuple[str, Path | KeepError]]:
    """Each argument's files, or the error that the argument is."""
    for text in texts:
        try:
            for path in paths_of(text):
                yield str(path), path
        except KeepError as error:
            yield text, error
