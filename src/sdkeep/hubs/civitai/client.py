"""The questions that Civitai can be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

from sdkeep.ground.digest import Digest, sha256
from sdkeep.ground.errors import BadReference, HubGarbled, NeedsLogin, NotOnHub
from sdkeep.ground.kinds import NsfwLevel
from sdkeep.ground.model import Model, Query, Release
from sdkeep.ground.ref import CivitaiRef, HubRef
from sdkeep.hubs.civitai.errors import LOGIN, document
from sdkeep.hubs.civitai.files import Site
from sdkeep.hubs.civitai.lenient import mapping, mappings
from sdkeep.hubs.civitai.search import Params, Sieve, parameters
from sdkeep.hubs.civitai.wire import Page, read_model, read_page, read_release, version_of
from sdkeep.net.client import Web

OFFICIAL = "https://civitai.com"
MATURE = "https://civitai.red"
HIGHEST_ID = 2**31 - 1
_HASHES_A_POST = 100
_IDS_A_POST = 10_000
_BARREN_PAGES = 50


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Civitai:
    """Civitai, asked over `web`; `base_url` may be any hub that speaks its API.

    civitai.com shows nothing adult, so what it does not know is asked of civitai.red too: `mature_url` replaces that
    second host. `clock` decides whether an early access is over, and dates the licences.
    """

    id = "civitai"

    def __init__(
        self,
        web: Web,
        base_url: str = OFFICIAL,
        clock: Callable[[], datetime] = _utc_now,
        mature_url: str = "",
    ) -> None:
        self._web = web
        self._base = base_url.rstrip("/")
        self._clock = clock
        official = urlsplit(self._base).hostname == urlsplit(OFFICIAL).hostname
        self._mature = mature_url.rstrip("/") or (MATURE if official else self._base)

    def model(self, ref: HubRef) -> Model:
        """The page that `ref` points into, with the version that `ref` names even where the page leaves it out.

        When the page is gone, a version that still answers stands for it.
        """
        ref = _checked(ref)
        if ref.model is None:
            version, site = self._version(ref)
            return self._page_of(version) or _lone(read_release(version, site))
        try:
            body, site = self._model(ref.model)
        except NotOnHub:
            if ref.version is None:
                raise
            version, site = self._version(ref)
            return _lone(read_release(version, site))
        return self._with_named(read_model(body, site), mapping(body), ref)

    def release(self, ref: HubRef) -> Release:
        """The version that `ref` names, with what only its model's page knows: creator, licence, tags."""
        ref = _checked(ref)
        release = self._completed(*self._version(ref))
        if ref.model is not None and release.model_id not in ("", str(ref.model)):
            raise NotOnHub(
                f"version {ref.version} is not one of model {ref.model}",
                f"Civitai says that it belongs to model {release.model_id}",
                f"`sdkeep show {release.ref}`",
            )
        return release

    def search(self, query: Query) -> Iterator[Model]:
        """Matching models, each once, page by page as they are taken.

        Pages may be empty; only the missing cursor ends them. After fifty pages in a row without a match we stop all
        the same, since what we filter ourselves may match nothing on the whole hub.
        """
        return self._search(query, parameters(query), Sieve.of(query))

    def by_digest(self, digest: Digest) -> tuple[Release, ...]:
        """The release that holds a file with this digest of any kind; empty when Civitai knows none."""
        try:
            body, site = self._get(f"model-versions/by-hash/{digest.value.upper()}", f"file with {digest}")
        except NotOnHub:
            return ()
        return (self._completed(mapping(body), site),)

    def by_hashes(self, values: Iterable[str]) -> dict[str, Release]:
        """The releases that hold files with these SHA-256 values, by value in lower case; unknown ones are absent.

        One request for a hundred values. The releases lack what only their model's page knows: creator, licence, tags.
        """
        wanted = _distinct(values)
        found: dict[str, Release] = {}
        for batch in _batches(wanted, _HASHES_A_POST):
            body, site = self._post("model-versions/by-hash", batch)
            for item in mappings(body):
                if not version_of(item).id:
                    continue
                release = read_release(item, site)
                published = {file.sha256.value for file in release.files if file.sha256}
                for value in published & set(batch):
                    found.setdefault(value, release)
        return found

    def locate(self, values: Iterable[str]) -> dict[str, CivitaiRef]:
        """Model and version ids for these SHA-256 values, ten thousand a request; unknown ones are absent."""
        wanted = _distinct(values)
        found: dict[str, CivitaiRef] = {}
        for batch in _batches(wanted, _IDS_A_POST):
            body, _ = self._post("model-versions/by-hash/ids", batch)
            for item in mappings(body):
                value, version, model = (item.get(name) for name in ("hash", "modelVersionId", "modelId"))
                if isinstance(value, str) and isinstance(version, int) and value.lower() in batch:
                    found.setdefault(value.lower(), CivitaiRef(model if isinstance(model, int) else None, version))
        return found

    def whoami(self) -> str:
        """The account that our key belongs to; raises `NeedsLogin` without a key or with a refused one."""
        body, _ = self._get("me", "your account")
        name = mapping(body).get("username")
        if not isinstance(name, str) or not name:
            raise NeedsLogin("Civitai knows no account for this key", "", LOGIN)
        return name

    def _search(self, query: Query, asked: Params, sieve: Sieve) -> Iterator[Model]:
        base = self._mature if query.level.rank >= NsfwLevel.R.rank else self._base
        pages, seen, barren = self._pages(base, asked), set[str](), 0
        while len(seen) < query.limit and barren < _BARREN_PAGES and (page := next(pages, None)):
            fresh = [model for model in page.models if model.id not in seen and sieve.keeps(model)]
            barren = 0 if fresh else barren + 1
            for model in fresh[: query.limit - len(seen)]:
                seen.add(model.id)
                yield model

    def _pages(self, base: str, asked: Params) -> Iterator[Page]:
        cursors = {""}
        cursor: Params = []
        while True:
            answer = self._web.get(f"{base}/api/v1/models?{urlencode([*asked, *cursor])}")
            page = read_page(document(answer, "what it found"), self._site(base))
            yield page
            if page.cursor in cursors:
                return
            cursors.add(page.cursor)
            cursor = [("cursor", page.cursor)]

    def _model(self, id_: int) -> tuple[object, Site]:
        return self._get(f"models/{id_}", f"model {id_}")

    def _version(self, ref: CivitaiRef) -> tuple[dict[str, object], Site]:
        if ref.version is None:
            raise BadReference(str(ref), "it names no version: write civitai:MODEL@VERSION")
        body, site = self._get(f"model-versions/{ref.version}", f"version {ref.version}")
        return mapping(body), site

    def _with_named(self, page: Model, body: dict[str, object], ref: CivitaiRef) -> Model:
        """`page` with the version that `ref` names: the hub at times forgets versions that it still has."""
        if ref.version is None or any(release.id == str(ref.version) for release in page.releases):
            return page
        try:
            version, site = self._version(ref)
        except NotOnHub:
            return page
        if version_of(version).model_id != ref.model:
            return page
        return replace(page, releases=(*page.releases, read_release(version, site, body)))

    def _page_of(self, version: dict[str, object]) -> Model | None:
        """The page that a version stands on; None when it is gone."""
        owner = version_of(version).model_id
        if not owner:
            return None
        try:
            return read_model(*self._model(owner))
        except NotOnHub:
            return None

    def _completed(self, version: dict[str, object], site: Site) -> Release:
        """The release behind a version, with its model's answer where that is to be had."""
        owner = version_of(version).model_id
        if not owner:
            return read_release(version, site)
        try:
            body, site = self._model(owner)
        except NotOnHub:
            return read_release(version, site)
        return read_release(version, site, mapping(body))

    def _get(self, path: str, subject: str) -> tuple[object, Site]:
        answer = self._web.get(f"{self._base}/api/v1/{path}")
        shown = self._base
        if answer.status == 404 and self._mature != self._base:
            answer, shown = self._web.get(f"{self._mature}/api/v1/{path}"), self._mature
        return document(answer, subject), self._site(shown)

    def _post(self, path: str, values: list[str]) -> tuple[object, Site]:
        answer = self._web.post_json(f"{self._base}/api/v1/{path}", [value.upper() for value in values])
        body = document(answer, "these hashes")
        if not isinstance(body, list):
            raise HubGarbled("Civitai's answer about these hashes cannot be read", "it is no list")
        return body, self._site(self._base)

    def _site(self, shown: str) -> Site:
        return Site(self._base, self._clock(), shown)


def _checked(ref: HubRef) -> CivitaiRef:
    """`ref` when Civitai can be asked for it."""
    if not isinstance(ref, CivitaiRef):
        raise BadReference(str(ref), "it does not point to Civitai")
    if any(id_ is not None and not 0 < id_ <= HIGHEST_ID for id_ in (ref.model, ref.version, ref.file)):
        raise BadReference(str(ref), f"Civitai's ids lie between 1 and {HIGHEST_ID}")
    return ref


def _lone(release: Release) -> Model:
    """A page of which only one version still answers."""
    return Model(release.hub, release.model_id, release.model_name, release.kind, (release,), release.page, release.raw)


def _distinct(values: Iterable[str]) -> list[str]:
    """The values as digests in lower case, each once; raises ValueError for what is no SHA-256."""
    return list(dict.fromkeys(sha256(value).value for value in values))


def _batches(values: list[str], size: int) -> list[list[str]]:
    return [values[at : at + size] for at in range(0, len(values), size)]
