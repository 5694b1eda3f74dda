"""What a reference means at the hubs: one release, chosen and explained, and the files wanted of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sdkeep.actions.byhash import known_model, places_asked, published
from sdkeep.actions.house import House
from sdkeep.formats.known import KnownModel, by_name, names
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import Ambiguous, NotFoundHere, NotOnHub, UsageError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.ref import CivitaiRef, DigestRef, HfRef, HubRef, NameRef, PathRef, Reference, UrlRef, WordRef, parse
from sdkeep.hubs.choose import Choice, Wish, choose_files, choose_release


@dataclass(frozen=True, slots=True)
class Other:
    """Another release of the same model, for another base or older."""

    ref: str
    name: str
    base: str


@dataclass(frozen=True, slots=True)
class Sought:
    """One release at a hub, the files to fetch, what could come with them, and why these."""

    ref: str
    release: Release
    files: tuple[RemoteFile, ...]
    companions: tuple[RemoteFile, ...] = ()
    why: tuple[str, ...] = ()
    others: tuple[Other, ...] = ()


def seek(house: House, text: str, wish: Wish) -> Sought:
    """Ask the hubs for what `text` names and choose; raises the hub's errors, `Ambiguous` or `NotFoundHere`."""
    return _seek(house, text, parse(text), wish)


def _seek(house: House, text: str, ref: Reference, wish: Wish) -> Sought:
    match ref:
        case CivitaiRef() | HfRef():
            return _at_hub(house, text, ref, wish)
        case DigestRef(digest):
            return _by_digest(house, text, (digest,), wish)
        case NameRef(name):
            return _by_short_name(house, text, name, wish)
        case WordRef(word):
            if by_name(word):
                return _by_short_name(house, text, word, wish)
            readings = Digest.readings(word)
            if readings:
                return _by_digest(house, text, readings, wish)
            raise _unknown_word(word)
        case PathRef(path):
            raise UsageError(f"`{path}` is a path", "`get` fetches from the hubs", f"`sdkeep add '{path}'` takes it in")
        case UrlRef(url):
            return _plain_address(text, url)


def _at_hub(house: House, text: str, ref: HubRef, wish: Wish) -> Sought:
    hub = house.hub(ref.hub)
    others: tuple[Other, ...] = ()
    why: tuple[str, ...] = ()
    if isinstance(ref, HfRef) or ref.version is not None:
        release = hub.release(ref)
    else:
        picked = choose_release(hub.model(ref), wish)
        release, why = picked.release, picked.why
        others = tuple(Other(other.ref, other.name, other.base) for other in picked.others)
    part = ref.path if isinstance(ref, HfRef) else str(ref.file or "")
    choice = choose_files(release, replace(wish, file=part) if part else wish)
    return _sought(text, release, choice, why, others)


def _sought(text: str, release: Release, choice: Choice, why: tuple[str, ...], others: tuple[Other, ...]) -> Sought:
    return Sought(text, release, choice.files, choice.companions, (*why, *choice.why), others)


def _by_digest(house: House, text: str, digests: tuple[Digest, ...], wish: Wish) -> Sought:
    known = known_model(digests)
    if known:
        return _from_mirrors(house, text, known, wish)
    hits = published(house, digests)
    if not hits:
        raise NotOnHub(
            f"no hub knows a file with `{text}`",
            f"asked were {places_asked(house)}; Hugging Face only about repositories that the catalogue knows",
            "`sdkeep search WORDS` looks by name",
        )
    shas = {hit.file.sha256 for hit in hits if hit.file}
    if len(hits) > 1 and len(shas) != 1:
        raise Ambiguous(f"`{text}` fits {len(hits)} releases", tuple(hit.release.ref for hit in hits))
    hit = hits[0]
    choice = choose_files(hit.release, replace(wish, file=hit.file.id or hit.file.name) if hit.file else wish)
    return _sought(text, hit.release, choice, (f"the file with this hash, says {hit.place}",), ())


def _by_short_name(house: House, text: str, name: str, wish: Wish) -> Sought:
    known = by_name(name)
    if known is None:
        raise _unknown_word(name)
    return _from_mirrors(house, text, known, wish)


def _from_mirrors(house: House, text: str, known: KnownModel, wish: Wish) -> Sought:
    """The first of a known model's published places that still answers, and with the bytes that are known."""
    gone: NotOnHub | None = None
    wrong: NotOnHub | None = None
    for ref in known.refs:
        try:
            sought = _seek(house, text, parse(ref), wish)
        except NotOnHub as error:
            gone = error
            house.say(f"`{ref}` does not serve it any more; trying the next place")
            continue
        wrong = _other_bytes(sought, known)
        if wrong is None:
            return _held_to(sought, known)
        house.warn(f"`{ref}` is passed over: {wrong.what}")
    raise wrong or gone or NotOnHub(f"`{text}` is {known.title}, and no place to fetch it from is known")


def _other_bytes(sought: Sought, known: KnownModel) -> NotOnHub | None:
    """The error that a mirror earns by publishing another SHA-256 than the confirmed one."""
    if not (known.confirmed and known.sha256):
        return None
    for file in sought.files:
        if file.sha256 and file.sha256.value != known.sha256:
            why = f"its published SHA-256 is {file.sha256.value}, that of {known.title} is {known.sha256}"
            return NotOnHub(f"`{file.name}` is not {known.title}", why, f"`sdkeep get sha256:{known.sha256}`")
    return None


def _held_to(sought: Sought, known: KnownModel) -> Sought:
    """The same, with the confirmed SHA-256 as what the transfer must prove where the hub publishes none."""
    if not (known.confirmed and known.sha256):
        return sought
    wanted = Digest(DigestKind.SHA256, known.sha256)
    files = tuple(file if file.sha256 else replace(file, digests=(*file.digests, wanted)) for file in sought.files)
    return replace(sought, files=files)


def _unknown_word(word: str) -> NotFoundHere:
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), names(), n=3)
    why = "the nearest short names are " + ", ".join(near) if near else "it is no name, no hash and no reference"
    return NotFoundHere(f"`{word}` names nothing to fetch", why, f"`sdkeep search {word}` looks at the hubs")


def _plain_address(text: str, url: str) -> Sought:
    name = url.partition("?")[0].rstrip("/").rpartition("/")[2] or "download"
    file = RemoteFile(url, name, url)
    release = Release("web", url, "", name, "", Kind.UNKNOWN, files=(file,), page=url)
    return Sought(text, release, (file,))
