"""Take in files that are already on this machine: copied into the store, or catalogued where they lie, untouched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdkeep.actions.batch import Failure
from sdkeep.actions.byhash import published
from sdkeep.actions.examine import Examined, examine_fully
from sdkeep.actions.house import House
from sdkeep.actions.intake import Arrival, Terms, take_in
from sdkeep.actions.paths import files_of, place_of
from sdkeep.actions.placing import Placed, Placing, place_everywhere
from sdkeep.actions.scan import warn_of_config
from sdkeep.actions.stores import store_near
from sdkeep.ground.errors import HubError, KeepError, NotFoundHere, NotPlaceable, StoreError
from sdkeep.ground.kinds import Family, Kind
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.record import Location
from sdkeep.store.copying import copy_new
from sdkeep.store.platform import private_name


@dataclass(frozen=True, slots=True)
class AddRequest:
    """How to take files in. `uis` as in `get`; `look_up` asks the hubs what the files are, by their hashes.

    Without `hash` files in place are listed at once and hashed by a later run.
    """

    in_place: bool = False
    terms: Terms = field(default_factory=Terms)
    uis: tuple[str, ...] | None = ()
    look_up: bool = False
    dry_run: bool = False
    hash: bool = True


@dataclass(frozen=True, slots=True)
class Added:
    """One file taken in. `already` says that the catalogue knew these bytes; no `sha256` means not hashed yet."""

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
    """Copy one file into the store; raises `UnsafeFile` for a bad one."""
    if request.dry_run:
        seen = examine_fully(path, house.report, house.stop, house.allowed)
        warn_of_config(house, path, seen.contents.container)
        return _added(path, seen, "", request, already=house.book.artifact(seen.sha256) is not None)
    return _copy_in(house, path, request)


def add_in_place(house: House, texts: Sequence[str], request: AddRequest) -> tuple[list[Added], list[Failure]]:
    """Catalogue files and folders where they lie, untouched: what was taken in, and what was not."""
    from sdkeep.actions.adopt import AdoptRequest, adopt

    paths: list[Path] = []
    failed: list[Failure] = []
    for text in texts:
        try:
            paths.append(place_of(text))
        except KeepError as error:
            failed.append(Failure(text, error))
    wanted = AdoptRequest(request.hash, request.look_up, request.terms.kind, request.dry_run)
    adopted = adopt(house, paths, wanted)
    failed += [Failure(path, error) for path, error in adopted.failed]
    failed += [Failure(path, StoreError(f"`{path}` was not hashed", why)) for path, why in adopted.hashes.failed]
    settled = {one.path: one for one in adopted.hashes.settled}
    added = []
    for glance in adopted.glances.values():
        one = settled.get(glance.path)
        name, sha256 = (one.name, one.sha256) if one else (glance.name, "")
        known = one is not None and one.known
        added.append(
            Added(
                glance.path, name, glance.kind, glance.family, glance.size, sha256, glance.verdict, True, already=known
            )
        )
    return [*added, *(_standing(house, location) for location in adopted.standing.values())], failed


def _standing(house: House, location: Location) -> Added:
    """The answer for a path that is on record as it is."""
    found = house.book.artifact(location.sha256) if location.sha256 else house.book.by_name(location.name)
    verdict = house.book.verdict_of(location.sha256)
    kind, family = (found.kind, found.family) if found else (Kind.UNKNOWN, Family.UNKNOWN)
    return Added(
        location.path,
        found.name if found else location.name,
        kind,
        family,
        location.size,
        location.sha256,
        str(verdict.outcome) if verdict else "",
        True,
        already=True,
    )


def _copy_in(house: House, path: Path, request: AddRequest) -> Added:
    store = store_near(house, None)
    staged = store.staging / private_name("add", ".part")
    try:
        copy_new(path, staged, stop=house.stop)
        seen = examine_fully(staged, house.report, house.stop, house.allowed, path.name)
        warn_of_config(house, path, seen.contents.container)
        before = house.book.artifact(seen.sha256)
        release, file = _origin(house, seen, request)
        origin = f"path:{path.absolute()}" if release is None else ""
        taken = take_in(house, store, Arrival(staged, path.name, origin, release, file, seen=seen), request.terms)
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
    """The release these bytes were published in, when asked to look it up and some place knows."""
    if not request.look_up:
        return None, None
    try:
        digest = next(d for d in seen.digests if d.value == seen.sha256)
        hits = published(house, (digest,))
    except HubError as error:
        house.warn(f"`{seen.path.name}` was not looked up: {error.what}")
        return None, None
    for hit in hits:
        for file in hit.release.files:
            if file.sha256 and file.sha256.value == seen.sha256:
                return hit.release, file
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
