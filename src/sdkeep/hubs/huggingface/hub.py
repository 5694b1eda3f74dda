"""The hub itself: models, releases, search and account, as `ground.hub.Hub` asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

from sdkeep.ground.digest import Digest
from sdkeep.ground.errors import HubGarbled, KeepError, NotOnHub, UsageError
from sdkeep.ground.kinds import Kind, NsfwLevel
from sdkeep.ground.licence import Use
from sdkeep.ground.model import Model, Query, Release
from sdkeep.ground.ref import HfRef, HubRef
from sdkeep.ground.text import one_line
from sdkeep.hubs.huggingface import release as releases
from sdkeep.hubs.huggingface import words
from sdkeep.hubs.huggingface.problems import explain, login_needed, storage_refusal
from sdkeep.hubs.huggingface.release import Place
from sdkeep.hubs.huggingface.session import Session, active, library
from sdkeep.net.address import authority
from sdkeep.net.client import Answer, Web

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo
    from huggingface_hub.hf_api import ModelSort_T

T = TypeVar("T")


class HuggingFace:
    """Hugging Face at `endpoint`, spoken to through `web`, whose policy holds the token; threads may share it."""

    def __init__(self, web: Web, endpoint: str = "https://huggingface.co") -> None:
        self._web = web
        self._endpoint = endpoint.rstrip("/")

    @property
    def id(self) -> str:
        """`huggingface`."""
        return "huggingface"

    @property
    def signed_in(self) -> bool:
        """Whether questions carry a token."""
        return authority(self._endpoint) in self._web.policy.tokens

    def model(self, ref: HubRef) -> Model:
        """The repository with one release: the revision that `ref` names, else the main branch."""
        return releases.model(self.release(ref))

    def release(self, ref: HubRef) -> Release:
        """The repository at the revision that `ref` names; its path, if any, becomes the primary file.

        Raises `NotOnHub` also for a path that the revision does not hold as a model file.
        """
        wanted = _own(ref)
        session = Session(self._web)
        info = _read(session, lambda: self._info(wanted), wanted.repo)
        place = Place(self._endpoint, wanted.revision or "main", wanted.path or "")
        found = _released(info, place, session.seen)
        if wanted.path and not releases.is_listed(found, wanted.path):
            raise _no_such_file(found, wanted.path)
        return found

    def search(self, query: Query) -> Iterator[Model]:
        """Matching repositories in the hub's order. What the hub cannot filter by is sifted here.

        `period` means nothing to this hub and is ignored; repositories marked as not for all audiences are shown from
        level `x` on.
        """
        if query.permission and query.permission not in list(Use):
            raise UsageError(
                f"`{query.permission}` is no use of a model", "known are " + ", ".join(Use), "`sdkeep search`"
            )
        bases = words.bases_of(query.base)
        text = query.text if bases or not query.base else f"{query.text} {query.base}".strip()
        seen: set[str] = set()
        for base in bases or ("",):
            for info in self._listed(replace(query, text=text, base=base)):
                if len(seen) >= query.limit:
                    return
                if info.id in seen:
                    continue
                found = _released(info, Place(self._endpoint))
                if _fits(found, query):
                    seen.add(info.id)
                    yield releases.model(found)

    def by_digest(self, digest: Digest) -> tuple[Release, ...]:  # noqa: ARG002
        """Nothing: Hugging Face has no look-up by hash."""
        return ()

    def whoami(self) -> str:
        """The account name behind the token; raises `NeedsLogin`."""
        if not self.signed_in:
            raise login_needed()
        answer = self._web.get(f"{self._endpoint}/api/whoami-v2")
        if answer.status >= 400:
            raise explain(answer, signed_in=True)
        account = answer.json()
        name = account.get("name") if isinstance(account, dict) else None
        if not isinstance(name, str):
            raise _garbled("your account", "it has no name")
        return name

    def download_error(self, answer: Answer) -> KeepError:
        """What the answer to a refused download means, whether the hub or the storage behind it gave it."""
        ours = authority(answer.url) == authority(self._endpoint)
        if not ours or "xml" in answer.headers.get("content-type", ""):
            return storage_refusal(answer)
        return explain(answer, self.signed_in)

    def _info(self, ref: HfRef) -> ModelInfo:
        client = library(self._endpoint)
        from huggingface_hub.errors import HFValidationError

        try:
            return client.model_info(ref.repo, revision=ref.revision, files_metadata=True, securityStatus=True)
        except HFValidationError as error:
            why = one_line(str(error), 200)
            raise NotOnHub(
                f"`{ref.repo}` cannot be a repository", why, "check the spelling: `sdkeep search`"
            ) from error

    def _listed(self, query: Query) -> Iterator[ModelInfo]:
        """The hub's answers, page by page; `limit` is larger than asked for where some will be sifted out."""
        session = Session(self._web)
        tags = [words.tag_of_kind(query.kind) if query.kind else "", query.tag]
        tags += [
            words.tag_of_format(query.format) if query.format else "",
            f"base_model:{query.base}" if query.base else "",
        ]
        sort: ModelSort_T | None = words.sort_of(query.sort)  # type: ignore[assignment]  # words.toml knows its words
        items = iter(
            library(self._endpoint).list_models(
                filter=[tag for tag in tags if tag] or None,
                search=query.text or None,
                author=query.creator or None,
                pipeline_tag="text-to-image" if query.kind is Kind.CHECKPOINT else None,
                sort=sort,
                limit=2 * query.limit + 10,
                full=True,
                cardData=True,
            )
        )
        while (info := _read(session, lambda: next(items, None), "the search")) is not None:
            yield info


def _own(ref: HubRef) -> HfRef:
    if not isinstance(ref, HfRef):
        raise NotOnHub(f"`{ref}` names nothing on Hugging Face", "it belongs to another hub", f"`sdkeep show {ref}`")
    return ref


def _read(session: Session, question: Callable[[], T], about: str) -> T:
    """The library's answer, given through our session, with its exceptions as ours."""
    with active(session):
        return _understood(question, about)


def _understood(reading: Callable[[], T], about: str) -> T:
    try:
        return reading()
    except KeepError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _garbled(f"`{about}`", one_line(f"{type(error).__name__}: {error}", 200)) from error


def _released(info: ModelInfo, place: Place, raw: bytes = b"") -> Release:
    return _understood(lambda: releases.release(info, place, raw), info.id)


def _garbled(about: str, why: str) -> HubGarbled:
    return HubGarbled(
        f"the answer about {about} cannot be read", why, "try again later; `sdkeep doctor` checks the hubs"
    )


def _fits(release: Release, query: Query) -> bool:
    if release.nsfw and query.level.rank < NsfwLevel.X.rank:
        return False
    if query.kind and release.kind is not query.kind:
        return False
    if query.format and not any(file.format is query.format for file in release.files):
        return False
    if query.merged is not None and bool(release.merged) is not query.merged:
        return False
    return not query.permission or release.licence.allows.get(Use(query.permission)) is True


def _no_such_file(release: Release, path: str) -> NotOnHub:
    names = [file.id for file in release.files]
    close = get_close_matches(path, names, n=1) or [name for name in names if name.endswith(f"/{path}")][:1]
    why = f"the nearest is `{close[0]}`" if close else "no model file is called so"
    return NotOnHub(f"`{release.model_id}` has no model file `{path}`", why, f"`sdkeep show hf:{release.model_id}`")
