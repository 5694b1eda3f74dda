"""Where a file with a hash is published: one order of places, for every verb that has no more than a hash.

The catalogue first, then the known models, then Civitai, then the archives that are switched on, then the repositories
of Hugging Face that the catalogue knows, for that hub has no look-up by hash. The first place that answers is believed;
one that cannot be reached is a warning, and an error only when no other place answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sdkeep.actions.house import House
from sdkeep.formats import known
from sdkeep.formats.known import KnownModel
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import DigestMismatch, HubError, KeepError, NotFoundHere, StoreError, TransferError
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.record import Artifact
from sdkeep.ground.ref import HfRef

if TYPE_CHECKING:
    from sdkeep.hubs.civitai.client import Civitai

MOST_REPOSITORIES = 20
"""Known repositories that are looked through for one hash."""

_WEAK = 8
"""Digits of hashes that collide in practice: one file here does not mean that no other is meant."""


@dataclass(frozen=True, slots=True)
class Published:
    """A release that holds a file with the hash, and which place said so; `file` is None where that is not told."""

    place: str
    digest: Digest
    release: Release
    file: RemoteFile | None


def here(house: House, digests: Iterable[Digest]) -> tuple[Artifact, ...]:
    """The catalogued files with one of these digests whose bytes are here, or what was converted from them.

    AutoV1 and CRC32 find nothing: they fit several files, and those that are not here would be forgotten.
    """
    found: dict[str, Artifact] = {}
    for digest in digests:
        if len(digest.value) <= _WEAK:
            continue
        for one in house.book.by_digest(digest):
            children = house.book.children_of(one.sha256) if one.sha256 and not one.stored else ()
            for artifact in (one, *(child for child, edge in children if edge.relation == "converted-from")):
                if artifact.stored:
                    found[artifact.name] = artifact
    return tuple(found.values())


def known_model(digests: Iterable[Digest]) -> KnownModel | None:
    """The known model whose confirmed SHA-256 this is."""
    whole = (digest for digest in digests if digest.kind is DigestKind.SHA256)
    return next((model for digest in whole if (model := known.by_sha256(digest.value))), None)


def published(house: House, digests: Iterable[Digest]) -> tuple[Published, ...]:
    """The releases that hold a file with one of these digests, from the first place that knows any."""
    wanted = tuple(digests)
    troubles: list[HubError] = []
    for place, ask in _places(house):
        try:
            found = ask(wanted)
        except HubError as error:
            troubles.append(error)
            house.say(f"{place} was not asked: {error.what}")
            continue
        if found:
            return tuple(replace(one, place=place) for one in found)
    if troubles:
        raise troubles[0]
    return ()


def places_asked(house: House) -> str:
    """The places that a hash is looked for at, in order, for an error that says so."""
    return ", ".join(("the known models", *(place for place, _ in _places(house))))


Ask = Callable[[tuple[Digest, ...]], tuple[Published, ...]]


def _places(house: House) -> tuple[tuple[str, Ask], ...]:
    archives = (
        (f"archive {urlsplit(base).hostname}", partial(_at_archive, house, base)) for base in house.settings.archives
    )
    return (
        ("civitai", lambda digests: _at_civitai(house.civitai, digests)),
        *archives,
        ("huggingface", partial(_in_known_repositories, house)),
    )


def _at_archive(house: House, base: str, digests: tuple[Digest, ...]) -> tuple[Published, ...]:
    """Any server that answers `GET BASE/api/v1/model-versions/by-hash/HASH` as Civitai does."""
    from sdkeep.hubs.civitai.client import Civitai

    return _at_civitai(Civitai(house.web, base, clock=house.moment), digests)


def _at_civitai(civitai: Civitai, digests: tuple[Digest, ...]) -> tuple[Published, ...]:
    values = {digest.value: digest for digest in reversed(digests)}  # Civitai matches a value of any kind
    found: dict[str, Published] = {}
    for digest in values.values():
        for release in civitai.by_digest(digest):
            file = next((one for one in release.files if any(d.value == digest.value for d in one.digests)), None)
            found[release.ref] = Published("", digest, release, file)
    return tuple(found.values())


def _in_known_repositories(house: House, digests: tuple[Digest, ...]) -> tuple[Published, ...]:
    """The repositories of which something is in the catalogue, looked through for a SHA-256."""
    wanted = {digest.value: digest for digest in digests if digest.kind is DigestKind.SHA256}
    repos = sorted({one.model for one in house.book.held() if one.hub == "huggingface"}) if wanted else []
    for repo in repos[:MOST_REPOSITORIES]:
        house.stop.check()
        try:
            release = house.huggingface.release(HfRef(repo))
        except KeepError as error:
            house.say(f"`hf:{repo}` was not looked through: {error.what}")
            continue
        for file in release.files:
            if file.sha256 and file.sha256.value in wanted:
                return (Published("", wanted[file.sha256.value], release, file),)
    return ()


def from_neighbour(house: House, wanted: RemoteFile, staging: Path) -> Path | None:
    """A copy in `staging` of the bytes with the file's SHA-256 from a neighbour; None where no neighbour has them.

    Neighbours are homes or stores of other sdkeeps that the settings name, by folder or address. None is trusted.
    """
    if wanted.sha256 is None or not house.settings.neighbours:
        return None
    from sdkeep.actions.neighbours import Neighbour

    sha256 = wanted.sha256.value
    for text in house.settings.neighbours:
        try:
            with (
                closing(Neighbour(house, text)) as near,
                near.bring(sha256, wanted.size or 0, wanted.name, staging) as path,
            ):
                if path is not None:
                    house.say(f"taken from the neighbour {text}")
                    return path.replace(staging / f"{sha256}.{os.getpid()}.neighbour")
        except DigestMismatch as error:
            house.warn(f"{error.what}, and is passed over")
        except NotFoundHere as error:  # a drive that is not mounted today
            house.say(error.what)
        except (StoreError, HubError, TransferError) as error:
            house.warn(f"the neighbour `{text}` was not asked: {error.what}")
    return None
