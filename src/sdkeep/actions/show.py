"""All that is known of one thing: a catalogued file, a release at a hub, or a file on disk."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdkeep.actions import local
from sdkeep.actions.house import House
from sdkeep.ground.digest import Digest
from sdkeep.ground.errors import NotFoundHere
from sdkeep.ground.events import Stop
from sdkeep.ground.identity import Identity
from sdkeep.ground.kinds import Kind
from sdkeep.ground.licence import ADVICE, Licence, Permission
from sdkeep.ground.lineage import Edge
from sdkeep.ground.model import Model, Release
from sdkeep.ground.record import Artifact, Location
from sdkeep.ground.ref import CivitaiRef, DigestRef, HfRef, WordRef, parse
from sdkeep.ground.verdict import Verdict

if TYPE_CHECKING:
    from sdkeep.actions.examine import Examined

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


@dataclass(frozen=True, slots=True)
class Child:
    """A file made from the shown one."""

    name: str
    relation: str


@dataclass(frozen=True, slots=True)
class ShownArtifact:
    """A catalogued file with everything recorded about it; `metadata` is read from its bytes where it was asked for."""

    artifact: Artifact
    path: str
    verdict: Verdict | None
    licence: Licence | None
    locations: tuple[Location, ...]
    parents: tuple[Edge, ...]
    children: tuple[Child, ...]
    paste: tuple[str, ...]
    trigger_words: tuple[str, ...]
    page: str = ""
    flags: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    base_model: str = ""
    permissions: tuple[Permission, ...] = ()
    advice: str = ADVICE
    gone: str = ""
    hashed: bool = True
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file on disk, read without a catalogue; digests only where they were asked for."""

    path: str
    size: int
    container: str
    identity: Identity
    verdict: Verdict
    tensors: int
    metadata: dict[str, str]
    extras: dict[str, str | int | float | bool | None]
    notes: tuple[str, ...]
    digests: tuple[Digest, ...] = ()
    base_model: str = ""


@dataclass(frozen=True, slots=True)
class ShownModel:
    """A model page at a hub, or one of its releases."""

    model: Model
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class Needed:
    """One model that a picture needs. `here` is the name of a catalogued file that answers to it; `ref` fetches it."""

    kind: Kind
    name: str
    weight: float | None
    digests: tuple[str, ...]
    ref: str
    here: str = ""
    by: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture with the parameters it carries."""

    path: str
    container: str
    width: int
    height: int
    tool: str
    prompt: str
    negative: str
    settings: dict[str, str]
    needs: tuple[Needed, ...]
    problems: tuple[str, ...] = ()


Shown = ShownArtifact | ShownFile | ShownModel | ShownPicture


def show(house: House, text: str, *, metadata: bool = False) -> Shown:
    """What `text` names: the catalogue first, then, for hub references, the hub."""
    found = local.artifacts(house, text)
    if len(found) == 1:
        shown = of_artifact(house, found[0])
        return replace(shown, metadata=_metadata_at(shown.path, house.stop)) if metadata and shown.path else shown
    ref = parse(text)
    if isinstance(ref, CivitaiRef | HfRef):
        model = house.hub(ref.hub).model(ref)
        exact = isinstance(ref, HfRef) or ref.version is not None
        return ShownModel(model, house.hub(ref.hub).release(ref) if exact else None)
    if found:
        return of_artifact(house, local.artifact(house, text))
    if isinstance(ref, DigestRef) or (isinstance(ref, WordRef) and Digest.readings(ref.word)):
        return _published(house, text)
    raise local.missing(house, text)


def _published(house: House, text: str) -> ShownModel:
    """The release that holds a file with a hash that is not here; the places are those of `byhash`."""
    from sdkeep.actions.remote import seek
    from sdkeep.hubs.choose import Wish

    release = seek(house, text, Wish()).release
    page = Model(release.hub, release.model_id, release.model_name, release.kind, (release,), release.page)
    return ShownModel(page, release)


def _metadata_at(path: str, stop: Stop) -> dict[str, str]:
    from sdkeep.actions.examine import examine
    from sdkeep.formats.readable import within

    return within(examine(Path(path), stop).contents.metadata)[0]


def of_artifact(house: House, artifact: Artifact) -> ShownArtifact:
    """Everything the catalogue records about an artifact."""
    from sdkeep.actions.lineage import base_model
    from sdkeep.actions.placing import paste_lines, words_of
    from sdkeep.actions.stores import bytes_of

    if artifact.sha256 is None:
        return _of_sighting(house, artifact)
    book, sha256 = house.book, artifact.sha256
    base, permissions = base_model(house, artifact)
    release = book.release_of(sha256)
    try:
        path = str(bytes_of(house, artifact))
    except NotFoundHere:
        path = ""
    claims = (
        [f"{claim.scanner}: {claim.result} {claim.message}".strip() for f in release.files for claim in f.claims]
        if release
        else []
    )
    return ShownArtifact(
        artifact=artifact,
        path=path,
        verdict=book.verdict_of(sha256),
        licence=book.licence_of(sha256),
        locations=book.locations_of(sha256),
        parents=book.parents_of(sha256),
        children=tuple(Child(child.name, str(edge.relation)) for child, edge in book.children_of(sha256)),
        paste=paste_lines(house, artifact),
        trigger_words=words_of(artifact),
        page=release.page if release else "",
        flags=release.marks if release else (),
        gone=book.gone_since(release.hub, release.model_id) if release else "",
        claims=tuple(claims),
        base_model=base,
        permissions=permissions,
    )


def _of_sighting(house: House, artifact: Artifact) -> ShownArtifact:
    """What is known of a file that is catalogued where it lies and not hashed yet, or of a parent known by name."""
    from sdkeep.actions.placing import words_of

    seen = house.book.sighting(artifact.name)
    locations = seen.locations if seen else ()
    return ShownArtifact(
        artifact=artifact,
        path=next((one.path for one in locations if Path(one.path).is_file()), ""),
        verdict=seen.verdict if seen else None,
        licence=None,
        locations=locations,
        parents=seen.edges if seen else (),
        children=(),
        paste=(),
        trigger_words=words_of(artifact),
        hashed=False,
    )


def _about_picture(path: Path, seen: Examined) -> tuple[str, ...]:
    """Why a file that is called a picture tells nothing of how it was made."""
    if path.suffix.lower() not in PICTURE_SUFFIXES or seen.contents.tensors:
        return ()
    from sdkeep.actions.pictures import PICTURES

    if seen.contents.container not in PICTURES:
        return ("it is called a picture, and is no PNG, JPEG or WebP",)
    return ("the picture does not say how it was made: many sites and programs remove that",)


def show_file(path: Path, stop: Stop) -> ShownFile | ShownPicture:
    """Identify a file on disk, or read how a picture was made. Opens no catalogue and hashes nothing."""
    if path.suffix.lower() in PICTURE_SUFFIXES:
        from sdkeep.actions import pictures

        if picture := pictures.read(path):
            return picture
    from sdkeep.actions.examine import examine
    from sdkeep.actions.lineage import base_by_metadata
    from sdkeep.formats.readable import within

    seen = examine(path, stop)
    metadata, cut = within(seen.contents.metadata)
    base = base_by_metadata(path.name, seen.contents.metadata, seen.contents.extras)
    return ShownFile(
        path=str(path),
        size=seen.size,
        container=str(seen.contents.container),
        identity=seen.identity,
        verdict=seen.verdict,
        tensors=len(seen.contents.tensors),
        metadata=metadata,
        extras=seen.contents.extras,
        notes=(*seen.contents.notes, *((cut,) if cut else ()), *_about_picture(path, seen)),
        base_model=base,
    )
