"""Fetch: resolve a reference, transfer, prove, convert, record, place. The main job, end to end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from sdkeep.actions.byhash import here
from sdkeep.actions.house import House
from sdkeep.actions.intake import Arrival, Taken, Terms, take_in
from sdkeep.actions.peek import refuse_early
from sdkeep.actions.placing import Placed, Placing, place_beside, place_everywhere, targets
from sdkeep.actions.previews import fetch_preview
from sdkeep.actions.remote import Other, Sought, seek
from sdkeep.actions.stores import store_near
from sdkeep.actions.transferring import fetched
from sdkeep.actions.unpacking import is_archive, unpack_arrival
from sdkeep.ground.digest import Digest
from sdkeep.ground.errors import KeepError, NotPlaceable
from sdkeep.ground.kinds import Kind, Role
from sdkeep.ground.lineage import Relation
from sdkeep.ground.model import Claim, Release, RemoteFile
from sdkeep.ground.record import Artifact
from sdkeep.ground.ref import DigestRef, NameRef, WordRef, parse
from sdkeep.hubs.choose import Wish
from sdkeep.net.transfer import Fetched
from sdkeep.store.blobs import Store
from sdkeep.store.names import split_name


@dataclass(frozen=True, slots=True)
class GetRequest:
    """What `get` was asked. `uis` are names of registered WebUIs; None means the default, empty means none."""

    wish: Wish = field(default_factory=Wish)
    terms: Terms = field(default_factory=Terms)
    uis: tuple[str, ...] | None = None
    companions: bool = False
    previews: bool = True
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What became of one file. `confirmed` says that the published SHA-256 is that of the bytes that came."""

    name: str
    file_name: str
    kind: Kind
    family: str
    base: str
    size: int | None
    sha256: str
    verdict: str
    confirmed: bool
    already_here: bool = False
    converted_from: str = ""
    original_kept: bool = False
    tensors: int = 0
    placed: tuple[Placed, ...] = ()
    claims: tuple[Claim, ...] = ()
    preview: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A file that would be fetched (`--dry-run`)."""

    file_name: str
    size: int | None
    sha256: str
    role: Role
    url: str


@dataclass(frozen=True, slots=True)
class Got:
    """The answer to one reference."""

    ref: str
    release: str
    title: str
    page: str
    why: tuple[str, ...]
    files: tuple[FileAnswer, ...] = ()
    planned: tuple[Planned, ...] = ()
    companions: tuple[Planned, ...] = ()
    others: tuple[Other, ...] = ()
    trigger_words: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    failures: tuple[tuple[str, KeepError], ...] = field(default=(), repr=False)


def get(house: House, ref: str, request: GetRequest) -> Got:
    """Fetch what `ref` names and file it; raises the first error when nothing at all could be taken in."""
    known = _catalogued(house, ref)
    if known is not None and known.stored:
        return _here_by_name(house, ref, known, request)
    sought = seek(house, known.origin if known and known.origin else ref, request.wish)
    if request.dry_run:
        return _answer(sought, planned=_plan(sought.files))
    for ui in request.uis or ():
        targets(house, (ui,))  # an unknown name is an error before a byte is fetched
    wanted = (*sought.files, *(sought.companions if request.companions else ()))
    answers: list[FileAnswer] = []
    failures: list[tuple[str, KeepError]] = []
    for file in wanted:
        try:
            answers.extend(_bring(house, sought.release, file, request, failures))
        except KeepError as error:
            if len(wanted) == 1:
                raise
            failures.append((file.name, error))
    if failures and not answers:
        raise failures[0][1]
    answers = _configs_beside(house, answers, request)
    return _answer(sought, files=tuple(answers), failures=tuple(failures), offered=not request.companions)


def _catalogued(house: House, ref: str) -> Artifact | None:
    """The artifact that `ref` calls by its catalogue name, or the one file here with the hash that it is."""
    match parse(ref):
        case NameRef(name):
            return house.book.by_name(name)
        case WordRef(word):
            return house.book.by_name(word) or _only(here(house, Digest.readings(word)))
        case DigestRef(digest):
            return _only(here(house, (digest,)))
        case _:
            return None


def _only(found: tuple[Artifact, ...]) -> Artifact | None:
    return found[0] if len(found) == 1 else None


def _here_by_name(house: House, ref: str, artifact: Artifact, request: GetRequest) -> Got:
    """The answer for a stored artifact that was called by its name: nothing to fetch, only to place."""
    release = house.book.release_of(artifact.sha256 or "") or Release(
        "web", "", "", artifact.name, "", artifact.kind, page=artifact.origin
    )
    sought = Sought(ref, release, (), why=(f"`{artifact.name}` is in the catalogue",))
    if request.dry_run:
        return _answer(sought)
    published = {artifact.sha256, *(edge.parent.value for edge in house.book.parents_of(artifact.sha256 or ""))}
    file = next((f for f in release.files if f.sha256 and f.sha256.value in published), None)
    arrived = _Arrived(release, file or RemoteFile("", artifact.file_name, ""))
    return _answer(sought, files=(_filed(house, artifact, None, arrived, request),))


def _configs_beside(house: House, answers: list[FileAnswer], request: GetRequest) -> list[FileAnswer]:
    """WebUIs read a checkpoint's configuration from a file of the same stem beside it, so there it goes."""
    models = [placed for answer in answers if answer.kind is Kind.CHECKPOINT for placed in answer.placed]
    if not models or request.uis == ():
        return answers
    return [
        replace(answer, placed=place_beside(house, answer.sha256, models)) if answer.kind is Kind.CONFIG else answer
        for answer in answers
    ]


def _answer(
    sought: Sought,
    files: tuple[FileAnswer, ...] = (),
    planned: tuple[Planned, ...] = (),
    failures: tuple[tuple[str, KeepError], ...] = (),
    offered: bool = True,
) -> Got:
    release = sought.release
    named = release.hub != "web"
    title = f"{release.model_name} {release.name}".strip() if release.hub == "civitai" else release.model_name
    return Got(
        ref=sought.ref,
        release=release.ref if named else release.page,
        title=title if named else "",
        page=release.page,
        why=sought.why,
        files=files,
        planned=planned,
        companions=_plan(sought.companions) if offered else (),
        others=sought.others,
        trigger_words=release.trigger_words,
        flags=release.marks,
        failures=failures,
    )


def _plan(files: tuple[RemoteFile, ...]) -> tuple[Planned, ...]:
    return tuple(
        Planned(f.name, f.size if f.size is not None else f.about, f.sha256.value if f.sha256 else "", f.role, f.url)
        for f in files
    )


def _bring(
    house: House, release: Release, file: RemoteFile, request: GetRequest, failures: list[tuple[str, KeepError]]
) -> list[FileAnswer]:
    here = _already_here(house, file)
    if here is not None:
        return [_filed(house, here, None, _Arrived(release, file), request)]
    members = _unpacked_before(house, release, file)
    if members:
        return [_filed(house, one, None, _Arrived(release, file), request) for one in members]
    store = store_near(house, _first_target(house, request.uis))
    if not (request.terms.disarm or request.terms.allow_unsafe):
        refuse_early(house, release, file)
    with fetched(house, store.staging, release, file) as came:
        here = _already_here(house, file)
        if here is not None:
            came.path.unlink(missing_ok=True)
            return [_filed(house, here, None, _Arrived(release, file), request)]
        taken = _taken(house, store, _arrival(release, file, came), request, failures)
    return [_filed(house, one.artifact, one, _Arrived(release, file), request) for one in taken]


def _taken(
    house: House, store: Store, arrival: Arrival, request: GetRequest, failures: list[tuple[str, KeepError]]
) -> list[Taken]:
    if not is_archive(arrival):
        return [take_in(house, store, arrival, request.terms)]
    taken: list[Taken] = []
    became: dict[str, str] = {}
    whole = True
    for number, member in enumerate(unpack_arrival(house, store, arrival)):
        try:
            taken.append(take_in(house, store, member, request.terms))
            became[f"{number}/{member.file_name}"] = taken[-1].artifact.sha256 or ""
        except KeepError as error:
            whole = False
            failures.append((f"{arrival.file_name}/{member.file_name}", error))
        finally:
            member.path.unlink(missing_ok=True)
    if whole and arrival.release and arrival.file and arrival.release.hub != "web":
        house.book.put_unpacked(arrival.release.hub, arrival.release.id, arrival.file.id, became)
    arrival.path.unlink(missing_ok=True)
    return taken


def _unpacked_before(house: House, release: Release, file: RemoteFile) -> list[Artifact]:
    """What came out of this very archive before, when all of it is still in the store; empty otherwise."""
    members = list(house.book.unpacked(release.hub, release.id, file.id).values())
    if not members or not all(one.stored for one in members):
        return []
    recorded = (one for one in house.book.releases_for_model(release.hub, release.model_id) if one.id == release.id)
    same = any(old.id == file.id and old.digests == file.digests for one in recorded for old in one.files)
    return members if same else []


def _first_target(house: House, uis: tuple[str, ...] | None) -> Path | None:
    chosen = targets(house, uis)
    return Path(chosen[0].root) if chosen else None


def _already_here(house: House, file: RemoteFile) -> Artifact | None:
    """The stored artifact with the published SHA-256, or the stored conversion of it."""
    if file.sha256 is None:
        return None
    known = house.book.artifact(file.sha256.value)
    if known is None:
        return None
    candidates = [known, *conversions(house, file.sha256.value)]
    return next((one for one in candidates if one.stored), None)


def conversions(house: House, sha256: str) -> tuple[Artifact, ...]:
    """What was converted from these bytes."""
    children = house.book.children_of(sha256)
    return tuple(child for child, edge in children if edge.relation is Relation.CONVERTED_FROM)


def _arrival(release: Release, file: RemoteFile, came: Fetched) -> Arrival:
    return Arrival(
        path=came.path,
        file_name=local_name(release, file, came.name),
        origin=release.ref if release.hub != "web" else release.page,
        release=release,
        file=file,
        kind=kind_of_role(file.role),
    )


GENERIC_STEMS = frozenset(
    {
        "model",
        "weights",
        "lora",
        "pytorch_model",
        "pytorch_lora_weights",
        "diffusion_pytorch_model",
        "learned_embeds",
        "adapter_model",
    }
)


def local_name(release: Release, file: RemoteFile, sent: str) -> str:
    """The file name to keep: the published one without folders, else what the server sent along.

    Training scripts call every result `pytorch_lora_weights`; such a file takes its repository's name instead.
    """
    name = file.name.replace("\\", "/").rpartition("/")[2] or sent or "download"
    stem, extension = split_name(name)
    if release.hub == "huggingface" and stem.lower() in GENERIC_STEMS:
        return release.model_id.rpartition("/")[2] + extension
    return name


def kind_of_role(role: Role) -> Kind:
    """What kind a companion is by its role; a model's own files are what the release says."""
    roles = {
        Role.VAE: Kind.VAE,
        Role.CONFIG: Kind.CONFIG,
        Role.TEXT_ENCODER: Kind.TEXT_ENCODER,
        Role.DIFFUSION_MODEL: Kind.DIFFUSION_MODEL,
        Role.WORKFLOW: Kind.WORKFLOW,
    }
    return roles.get(role, Kind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Arrived:
    release: Release
    file: RemoteFile


def _filed(house: House, artifact: Artifact, taken: Taken | None, arrived: _Arrived, request: GetRequest) -> FileAnswer:
    preview = fetch_preview(house, artifact, arrived.release) if request.previews else ""
    artifact = replace(artifact, preview=preview or artifact.preview)
    placed: tuple[Placed, ...] = ()
    try:
        uis = () if artifact.kind is Kind.CONFIG else request.uis
        placed = place_everywhere(house, artifact, uis, Placing(release=arrived.release))
    except NotPlaceable as error:
        house.warn(f"`{artifact.file_name}` is in the store and not placed: {error.what} ({error.why})")
    original = taken.original if taken else None
    return FileAnswer(
        name=artifact.name,
        file_name=artifact.file_name,
        kind=artifact.kind,
        family=str(artifact.family),
        base=artifact.base,
        size=artifact.size,
        sha256=artifact.sha256 or "",
        verdict=str(taken.verdict.outcome) if taken else _known_verdict(house, artifact),
        confirmed=arrived.file.sha256 is not None,  # the transfer ends with an error where they differ
        already_here=taken is None,
        converted_from=original.sha256 or "" if original else "",
        original_kept=original is not None and original.stored,
        tensors=taken.tensors if taken else 0,
        placed=placed,
        claims=arrived.file.claims,
        preview=preview,
    )


def _known_verdict(house: House, artifact: Artifact) -> str:
    verdict = house.book.verdict_of(artifact.sha256 or "")
    return str(verdict.outcome) if verdict else ""
