"""Make this machine hold what a lock names: from its own stores, from neighbours, from the hubs, in that order.

Every byte is held against the lock's SHA-256, and scanned as if it came from anywhere. Nothing is removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdkeep.actions.get import conversions
from sdkeep.actions.house import House
from sdkeep.actions.intake import Arrival, Terms, take_in
from sdkeep.actions.lock import kind_of, needed_uis
from sdkeep.actions.lockfile import NAME, LockedFile, LockedModel, read_lock
from sdkeep.actions.neighbours import Neighbour
from sdkeep.actions.placing import Placed, Placing, place_everywhere
from sdkeep.actions.stores import store_near
from sdkeep.actions.transferring import fetched
from sdkeep.ground.digest import sha256 as sha256_digest
from sdkeep.ground.errors import DigestMismatch, HubError, KeepError, NotFoundHere, NotPlaceable, UnknownUi
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import Licence
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.record import Artifact
from sdkeep.ground.ref import CivitaiRef, HfRef, parse
from sdkeep.store.blobs import Store


@dataclass(frozen=True, slots=True)
class Matched:
    """One locked file: `here` already, `taken` (`source` says where from), `missing` where it would have to come."""

    model: str
    file_name: str
    sha256: str
    size: int
    outcome: str
    source: str = ""
    placed: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class Matching:
    """What became of a lock; `failures` are the models that could not be had, with the reason."""

    path: str
    files: tuple[Matched, ...]
    failures: tuple[tuple[str, KeepError], ...] = ()


def match(house: House, sources: Sequence[str], *, dry_run: bool, path: Path | None = None) -> Matching:
    """Bring, verify, scan and place every file of `sdkeep.lock` (or of the lock at `path`)."""
    file = path or house.cwd / NAME
    models = read_lock(file).models
    neighbours = [Neighbour(house, text) for text in sources]
    uis = needed_uis(house)
    done: list[Matched] = []
    failures: list[tuple[str, KeepError]] = []
    try:
        for name, model in models.items():
            for one in model.files:
                house.stop.check()
                try:
                    done.append(_match(house, model, one, neighbours, uis.get(name), dry_run=dry_run))
                except KeepError as error:
                    failures.append((f"{name}: {one.name}", error))
    finally:
        for neighbour in neighbours:
            neighbour.close()
    return Matching(str(file), tuple(done), tuple(failures))


def _uis_here(house: House, wanted: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The WebUIs meant: by the name they have here, else by their layout, for machines name theirs differently."""
    if wanted is None:
        return None
    registered = house.book.uis()
    chosen: list[str] = []
    for word in wanted:
        found = [ui.name for ui in registered if ui.name == word] or [ui.name for ui in registered if ui.layout == word]
        if not found:
            raise UnknownUi(
                f"no WebUI is registered as `{word}`", "the project places the file there", "`sdkeep ui add DIR`"
            )
        chosen += found
    return tuple(dict.fromkeys(chosen))


def _match(
    house: House,
    model: LockedModel,
    file: LockedFile,
    neighbours: Sequence[Neighbour],
    uis: tuple[str, ...] | None,
    *,
    dry_run: bool,
) -> Matched:
    here = _present(house, file)
    answer = Matched(model.name, file.name, file.became or file.sha256, file.became_size or file.size, "here")
    if dry_run:
        return answer if here else replace(answer, outcome="missing", source=file.url)
    if here is None:
        here, source = _taken(house, model, file, neighbours)
        answer = replace(answer, sha256=here.sha256 or "", size=here.size or 0, outcome="taken", source=source)
    placed: tuple[Placed, ...] = ()
    if here.kind is not Kind.CONFIG:
        try:
            known = Placing(house.book.release_of(here.sha256 or ""))
            placed = place_everywhere(house, here, _uis_here(house, uis), known)
        except NotPlaceable as error:
            house.warn(f"`{file.name}` is in the store and not placed: {error.what} ({error.why})")
    return replace(answer, placed=placed)


def _present(house: House, file: LockedFile) -> Artifact | None:
    """The stored artifact that the lock means: the conversion it names, the file itself, or a conversion of it."""
    if file.became:
        made = house.book.artifact(file.became)
        return made if made and made.stored else None
    original = house.book.artifact(file.sha256)
    if original is None:
        return None
    return next((one for one in (original, *conversions(house, file.sha256)) if one.stored), None)


def _taken(house: House, model: LockedModel, file: LockedFile, neighbours: Sequence[Neighbour]) -> tuple[Artifact, str]:
    store = store_near(house, None)
    damaged: KeepError | None = None
    for neighbour in neighbours:
        try:
            taken = _from_neighbour(house, store, model, file, neighbour)
        except DigestMismatch as error:
            house.warn(f"{error.what}; it is passed over")
            damaged = error
            continue
        if taken is not None:
            return taken, neighbour.text
    if damaged is not None and (not file.url or house.settings.offline):
        raise damaged
    if not file.url:
        raise NotFoundHere(
            f"`{file.name}` is nowhere to be had",
            "no hub is known for it" + (" and no neighbour holds it" if neighbours else ""),
            "`sdkeep sync --locked --from FOLDER` takes it from another store",
        )
    release, published = _release(house, model, file)
    with fetched(house, store.staging, release, published) as came:
        known = release if release.hub != "web" and release.files else None
        arrival = Arrival(came.path, file.name, model.release, known, published if known else None)
        taken = take_in(house, store, arrival, _terms(model, file)).artifact
        return _recorded(house, taken, model, file), file.url


def _from_neighbour(
    house: House, store: Store, model: LockedModel, file: LockedFile, neighbour: Neighbour
) -> Artifact | None:
    """The converted file where the neighbour has it, else the published one; None when it has neither."""
    converted = Path(file.name).with_suffix(".safetensors").name
    for sha256, size, name in ((file.became, file.became_size, converted), (file.sha256, file.size, file.name)):
        if not sha256:
            continue
        with neighbour.bring(sha256, size, name, store.staging) as staged:
            if staged is not None:
                taken = take_in(house, store, Arrival(staged, name, model.release), _terms(model, file))
                return _recorded(house, taken.artifact, model, file)
    return None


def _terms(model: LockedModel, file: LockedFile) -> Terms:
    return Terms(kind=kind_of(model, file))


def _release(house: House, model: LockedModel, file: LockedFile) -> tuple[Release, RemoteFile]:
    """The release as its hub shows it now, for all that a lock does not hold; the file as it is locked, always."""
    digests = (sha256_digest(file.sha256),)
    locked = RemoteFile("", file.name, file.url, size=file.size, digests=digests)
    reference = parse(model.release) if model.release else None
    if isinstance(reference, CivitaiRef | HfRef):
        try:
            release = house.hub(reference.hub).release(reference)
        except HubError as error:
            house.say(f"`{model.name}` is fetched as locked; its page was not read: {error.what}")
        else:
            same = next((one for one in release.files if one.sha256 and one.sha256.value == file.sha256), None)
            return release, replace(same, url=file.url, size=file.size) if same else locked
        return Release(reference.hub, "", "", model.title, "", Kind.UNKNOWN), locked
    return Release("web", "", "", model.title, "", Kind.UNKNOWN, page=file.url), locked


def _recorded(house: House, artifact: Artifact, model: LockedModel, file: LockedFile) -> Artifact:
    """Hold the result against the lock, and note what the lock knows of it."""
    if file.became and artifact.sha256 not in (file.became, file.sha256):
        raise DigestMismatch(
            f"`{file.name}` was converted to other bytes than the lock names",
            file.became,
            artifact.sha256 or "",
            f"`sdkeep lock --update {model.name}` takes what this version makes",
        )
    with house.book.transaction():
        kept = house.book.put_artifact(
            replace(artifact, title=artifact.title or model.title, base=artifact.base or model.base)
        )
        if model.licence and house.book.licence_of(artifact.sha256 or "") is None:
            licence = Licence(model.licence, url=model.licence_url, source=NAME, seen=house.now())
            house.book.put_licence(artifact.sha256 or "", licence)
    return kept
