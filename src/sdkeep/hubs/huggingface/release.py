"""A repository at one revision as a ground release."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.kinds import Access, Family, Format, Kind, NsfwLevel
from sdkeep.ground.lineage import Relation
from sdkeep.ground.model import Claim, Model, Preview, Release, RemoteFile
from sdkeep.hubs.huggingface import card as cards
from sdkeep.hubs.huggingface import files, words

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo
    from huggingface_hub.hf_api import RepoSibling

ADULT = "not-for-all-audiences"
_UNTOLD = frozenset({"spaces", "widgetData", "model-index", "transformersInfo"})
_MACHINE = ("license:", "region:", "arxiv:", "doi:", "base_model:", "diffusers:", "dataset:", "template:")
_REPO = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_SCANNER = "huggingface"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository was read: the hub's address, the revision asked for, the file meant if one was named."""

    endpoint: str
    revision: str = "main"
    path: str = ""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is read of a repository before its parts are put together."""

    repo: str
    commit: str
    tags: tuple[str, ...]
    card: cards.Card
    kind: Kind
    issues: Mapping[str, str]
    scanned: bool


def release(info: ModelInfo, place: Place, raw: bytes = b"") -> Release:
    """What huggingface_hub read of a repository, as a release. File addresses are pinned to the commit.

    Raises ValueError for an answer without a usable repository id.
    """
    facts = _facts(info, place)
    page = f"{place.endpoint}/{facts.repo}"
    siblings = [sibling for sibling in info.siblings or () if _is_path(sibling.rfilename)]
    listed = [s for s in siblings if files.format_of(s.rfilename) is not Format.UNKNOWN]
    main = place.path or files.primary([s.rfilename for s in listed], facts.kind)
    bases = cards.base_models(facts.card, facts.tags)
    edges = cards.edges(facts.card, facts.tags, facts.kind)
    family = words.family((*bases, facts.repo), facts.tags)
    adult = ADULT in facts.tags
    return Release(
        hub="huggingface",
        model_id=facts.repo,
        id=place.revision,
        model_name=facts.repo.rpartition("/")[2],
        name=place.revision,
        kind=facts.kind,
        kind_text=cards.text(info.pipeline_tag) or cards.text(info.library_name),
        base=bases[0] if bases else "",
        family=family,
        files=tuple(_file(sibling, facts, page, main) for sibling in listed),
        trigger_words=cards.trigger_words(facts.card),
        creator=cards.text(info.author) or facts.repo.partition("/")[0],
        tags=tuple(tag for tag in facts.tags if not tag.startswith(_MACHINE)),
        licence=cards.licence(facts.card, facts.tags, page),
        level=NsfwLevel.X if adult else NsfwLevel.PG,
        nsfw=adult,
        merged=any(edge.relation is Relation.MERGE_OF for edge in edges) or "merge" in facts.tags or None,
        access=_access(info),
        published=_time(info.last_modified or info.created_at),
        previews=_previews(siblings, facts, page, adult),
        page=page if place.revision == "main" else f"{page}/tree/{quote(place.revision, safe='')}",
        air=_air(facts, family, place.revision),
        parents=edges,
        downloads=info.downloads if isinstance(info.downloads, int) else 0,
        raw=_raw(raw),
    )


def model(release: Release) -> Model:
    """The page around a release."""
    return Model(
        hub="huggingface",
        id=release.model_id,
        name=release.model_name,
        kind=release.kind,
        releases=(release,),
        page=release.page,
        raw=release.raw,
    )


def _facts(info: ModelInfo, place: Place) -> _Facts:
    if not _REPO.fullmatch(str(info.id)):
        raise ValueError("its repository id is none")
    tags = cards.texts(info.tags)
    card = _card(info.card_data)
    names = [sibling.rfilename for sibling in info.siblings or () if _is_path(sibling.rfilename)]
    status = info.security_repo_status if isinstance(info.security_repo_status, dict) else {}
    issues = status.get("filesWithIssues")
    return _Facts(
        repo=info.id,
        commit=cards.text(info.sha) or place.revision,
        tags=tags,
        card=card,
        kind=_kind(info, (*tags, *cards.texts(card.get("tags"))), names),
        issues={
            cards.text(issue.get("path")): cards.text(issue.get("level")) or "issue"
            for issue in (issues if isinstance(issues, list) else ())
            if isinstance(issue, dict)
        },
        scanned=status.get("scansDone") is True,
    )


def _card(data: object) -> cards.Card:
    from huggingface_hub import CardData

    return data.to_dict() if isinstance(data, CardData) else {}  # type: ignore[no-untyped-call]


def _kind(info: ModelInfo, tags: tuple[str, ...], names: list[str]) -> Kind:
    found = words.kind(tags, names, info.id)
    if found is not Kind.UNKNOWN:
        return found
    paints = info.pipeline_tag in ("text-to-image", "image-to-image") or "stable-diffusion" in tags
    single = any("/" not in name and files.format_of(name) in files.WEIGHTS for name in names)
    return Kind.CHECKPOINT if paints and single else Kind.UNKNOWN


def _file(sibling: RepoSibling, facts: _Facts, page: str, main: str) -> RemoteFile:
    path = sibling.rfilename
    digest = Digest.of(DigestKind.SHA256, str(sibling.lfs.sha256)) if sibling.lfs else None
    size = sibling.lfs.size if sibling.lfs else sibling.size
    return RemoteFile(
        id=path,
        name=path.rpartition("/")[2],
        url=_address(page, facts.commit, path),
        size=size if isinstance(size, int) else None,
        digests=(digest,) if digest else (),
        role=files.role_of(path, facts.kind),
        format=files.format_of(path),
        precision=files.precision_of(path),
        extent=files.extent_of(path),
        primary=path == main,
        claims=_claims(path, facts),
    )


def _claims(path: str, facts: _Facts) -> tuple[Claim, ...]:
    if path in facts.issues:
        return (Claim(_SCANNER, facts.issues[path]),)
    return (Claim(_SCANNER, "no issue found"),) if facts.scanned else ()


def _previews(siblings: list[RepoSibling], facts: _Facts, page: str, adult: bool) -> tuple[Preview, ...]:
    level = NsfwLevel.X if adult else None
    return tuple(
        Preview(_address(page, facts.commit, s.rfilename), level, video=files.is_clip(s.rfilename))
        for s in siblings
        if files.is_picture(s.rfilename)
    )


def _is_path(path: object) -> bool:
    return isinstance(path, str) and bool(path) and all(part not in ("", ".", "..") for part in path.split("/"))


def _address(page: str, commit: str, path: str) -> str:
    return f"{page}/resolve/{quote(commit, safe='')}/{quote(path)}"


def _access(info: ModelInfo) -> Access:
    if info.disabled:
        return Access.DISABLED
    if info.gated:
        return Access.GATED
    return Access.LOGIN if info.private else Access.FREE


def _time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _air(facts: _Facts, family: Family, revision: str) -> str:
    ecosystem = "other" if family is Family.UNKNOWN else family.value
    kind = "unknown" if facts.kind is Kind.UNKNOWN else facts.kind.value
    return f"urn:air:{ecosystem}:{kind}:huggingface:{facts.repo}@{revision}"


def _raw(body: bytes) -> str:
    if not body:
        return ""
    data = json.loads(body)
    return json.dumps({key: value for key, value in data.items() if key not in _UNTOLD}, ensure_ascii=False)


def is_listed(release: Release, path: str) -> bool:
    """Whether the release offers this path."""
    return any(file.id == path for file in release.files)
