"""What a reference means in this catalogue: the artifacts it names, or an error that helps."""

from __future__ import annotations

from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import Ambiguous, NotFoundHere
from sdkeep.ground.record import Artifact
from sdkeep.ground.ref import CivitaiRef, DigestRef, HfRef, NameRef, PathRef, Reference, UrlRef, WordRef, parse


def artifact(house: House, text: str) -> Artifact:
    """The one catalogued artifact that `text` names; raises `NotFoundHere` or `Ambiguous`."""
    found = artifacts(house, text)
    if not found:
        raise missing(house, text)
    if len(found) > 1:
        raise Ambiguous(f"`{text}` names {len(found)} files", tuple(f"name:{one.name}" for one in found))
    return found[0]


def artifacts(house: House, text: str) -> tuple[Artifact, ...]:
    """Every catalogued artifact that `text` can mean, the strongest reading first; empty when none."""
    return _by_reference(house, parse(text))


def missing(house: House, text: str) -> NotFoundHere:
    """The error for a name that the catalogue does not hold, with the nearest ones it does."""
    ref = parse(text)
    if isinstance(ref, PathRef):
        why = "it lies here and was never added" if existing_path(ref) else "and nothing lies there"
        return NotFoundHere(f"`{text}` is not in the catalogue", why, f"`sdkeep add '{ref.path}'` takes it in")
    near = house.book.nearest_names(text)
    why = "the nearest names are " + ", ".join(f"`{name}`" for name in near) if near else "no name comes near it"
    return NotFoundHere(f"`{text}` is not in the catalogue", why, f"`sdkeep get {text}` fetches, `sdkeep ls` lists")


def existing_path(ref: Reference) -> Path | None:
    """The file or folder on this machine that a reference means, if it exists."""
    match ref:
        case PathRef(path):
            found = Path(path).expanduser()
        case WordRef(word):
            found = Path(word)
        case _:
            return None
    return found if found.exists() else None


def _by_reference(house: House, ref: Reference) -> tuple[Artifact, ...]:
    book = house.book
    match ref:
        case NameRef(name):
            named = book.by_name(name)
            return (named,) if named else ()
        case WordRef(word):
            named = book.by_name(word)
            return (named,) if named else _by_digests(house, Digest.readings(word)) or _at_path(house, Path(word))
        case DigestRef(digest):
            return _by_digests(house, (digest,))
        case PathRef(path):
            return _at_path(house, Path(path).expanduser())
        case CivitaiRef(model, version, _):
            return _of_release(house, "civitai", str(model or ""), str(version or ""))
        case HfRef(repo, revision, _):
            return _of_release(house, "huggingface", repo, revision or "")
        case UrlRef(url):
            return _of_release(house, "web", url, "")


def _by_digests(house: House, digests: tuple[Digest, ...]) -> tuple[Artifact, ...]:
    found: dict[str, Artifact] = {}
    for digest in digests:
        if digest.kind is DigestKind.SHA256 and (exact := house.book.artifact(digest.value)):
            found[exact.name] = exact
        for one in house.book.by_digest(digest):
            found[one.name] = one
    kept = [one for one in found.values() if one.stored]
    return tuple(kept or found.values())


def _at_path(house: House, path: Path) -> tuple[Artifact, ...]:
    location = house.book.location_at(str(path.absolute()))
    if location is None:
        return ()
    found = house.book.artifact(location.sha256) if location.sha256 else house.book.by_name(location.name)
    return (found,) if found else ()


def _of_release(house: House, hub: str, model: str, release: str) -> tuple[Artifact, ...]:
    releases = [release] if release else [one.id for one in house.book.releases_for_model(hub, model)]
    found = {one.name: one for id in releases for one in house.book.by_origin(hub, id)}
    kept = [one for one in found.values() if one.stored]
    return tuple(kept or found.values())
