"""What the hubs know of files that are here, asked by hash: Civitai ten thousand at once, then opted-in archives.

Hugging Face cannot be asked by hash, so only repositories that the catalogue knows already are looked through. A place
is not asked twice for the same bytes within a month.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from sdkeep.actions.house import House
from sdkeep.catalogue.listing import Filter
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import HubError, KeepError
from sdkeep.ground.events import stage
from sdkeep.ground.kinds import Kind
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.record import Artifact, Lookup
from sdkeep.ground.ref import HfRef
from sdkeep.ground.text import plain

CIVITAI = "civitai"
_PATIENCE = timedelta(days=30)
_IDS_AT_ONCE = 10_000
_RELEASES_AT_ONCE = 100
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class LookUpOutcome:
    """How many files were asked about, and how many of them some place knew."""

    asked: int
    found: int


def look_up(house: House, sha256s: Sequence[str] | None = None) -> LookUpOutcome:
    """Ask where these files (by default all that are here) come from; a place that fails is a warning."""
    unknown = _unknown(house) if sha256s is None else [one for one in sha256s if house.book.release_of(one) is None]
    if not unknown:
        return LookUpOutcome(0, 0)
    found: set[str] = set()
    for place, ask in _places(house):
        rest = [one for one in unknown if one not in found]
        since = f"{house.moment() - _PATIENCE:%Y-%m-%dT%H:%M:%SZ}"
        asked = house.book.unasked(place, rest, since)
        if not asked:
            continue
        try:
            found |= ask(house, asked)
        except HubError as error:
            house.warn(f"{place} was not asked about {len(asked)} files: {error.what}")
    return LookUpOutcome(len(unknown), len(found))


def record_release(house: House, sha256: str, release: Release, file: RemoteFile) -> None:
    """Note that these bytes are that published file, with what the release tells of them."""
    book = house.book
    known = book.artifact(sha256)
    if known is None:
        return
    title = f"{release.model_name} {release.name}".strip() if release.hub == CIVITAI else release.model_name
    with book.transaction():
        book.put_release(release)
        book.link_file(sha256, release.hub, release.id, file.id)
        book.put_artifact(
            Artifact(
                sha256=sha256,
                name="",
                file_name="",
                kind=release.kind if known.kind is Kind.UNKNOWN else Kind.UNKNOWN,
                base=release.base,
                title=title,
                trigger_words=release.trigger_words,
                origin=release.ref,
                level=release.level,
                description=plain(release.description)[:_LONGEST],
            )
        )
        if release.parents:
            book.put_edges(sha256, release.parents)


def _unknown(house: House) -> list[str]:
    """The files that are here and of which no release is recorded."""
    linked = {one.sha256 for one in house.book.held()}
    here = house.book.list(Filter(present=True), limit=None).items
    return [one.sha256 for one in here if one.sha256 and one.sha256 not in linked]


Ask = Callable[[House, Sequence[str]], set[str]]


def _places(house: House) -> tuple[tuple[str, Ask], ...]:
    """Where to ask, in the order of `byhash`; archives are those that the settings name."""
    archives = ((urlsplit(base).hostname or base, partial(_ask_archive, base)) for base in house.settings.archives)
    return ((CIVITAI, _ask_civitai), *archives, ("huggingface", _ask_known_repositories))


def _ask_archive(base: str, house: House, sha256s: Sequence[str]) -> set[str]:
    """A server that answers `model-versions/by-hash/HASH` as Civitai does, and need do no more: one by one."""
    from sdkeep.hubs.civitai.client import Civitai

    archive, place, found = Civitai(house.web, base, clock=house.moment), urlsplit(base).hostname or base, set[str]()
    with stage(house.report, f"look-up:{place}", f"asking {place}", len(sha256s), "files") as moved:
        for number, sha256 in enumerate(sha256s, 1):
            house.stop.check()
            releases = archive.by_digest(Digest(DigestKind.SHA256, sha256))
            taken = _take(house, dict.fromkeys((sha256,), releases[0])) if releases else set()
            house.book.note_lookups([Lookup(sha256, place, bool(taken))])
            found |= taken
            moved(number)
    return found


def _ask_civitai(house: House, sha256s: Sequence[str]) -> set[str]:
    found: set[str] = set()
    with stage(house.report, "look-up", f"asking Civitai about {len(sha256s)} files", len(sha256s), "files") as moved:
        for start in range(0, len(sha256s), _IDS_AT_ONCE):
            batch = sha256s[start : start + _IDS_AT_ONCE]
            located = list(house.civitai.locate(batch))
            for at in range(0, len(located), _RELEASES_AT_ONCE):
                house.stop.check()
                found |= _take(house, house.civitai.by_hashes(located[at : at + _RELEASES_AT_ONCE]))
                moved(start + at)
            known = set(located)
            house.book.note_lookups(Lookup(one, CIVITAI, one in known) for one in batch)
    return found


def _ask_known_repositories(house: House, sha256s: Sequence[str]) -> set[str]:
    """The repositories of which something is here already: their other files may be here too."""
    wanted, found = set(sha256s), set[str]()
    for repo in sorted({one.model for one in house.book.held() if one.hub == "huggingface"}):
        house.stop.check()
        try:
            model = house.hub("huggingface").model(HfRef(repo))
        except KeepError as error:
            house.warn(f"`hf:{repo}` was not looked through: {error.what}")
            continue
        for release in model.releases:
            published = {file.sha256.value: release for file in release.files if file.sha256}
            found |= _take(house, {one: published[one] for one in wanted & published.keys()})
    house.book.note_lookups(Lookup(one, "huggingface", one in found) for one in sha256s)
    return found


def _take(house: House, releases: Mapping[str, Release]) -> set[str]:
    taken: set[str] = set()
    for sha256, release in releases.items():
        for file in release.files:
            if file.sha256 and file.sha256.value == sha256:
                record_release(house, sha256, release, file)
                taken.add(sha256)
                break
    return taken
