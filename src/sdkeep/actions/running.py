"""Running WebUIs: asked to look at their folders again, or, where they keep a register, to take a file into it."""

from __future__ import annotations

import posixpath
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from sdkeep.actions.house import USER_AGENT, House
from sdkeep.ground.errors import HubDown, HubGarbled, KeepError, NotPlaceable, UsageError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.text import one_line
from sdkeep.layouts.folders import Installed
from sdkeep.net.client import Answer, Web, WebPolicy
from sdkeep.net.probe import answers
from sdkeep.net.retry import RetryPolicy

SECONDS = 10.0
TRIES = 60
PAUSE = 0.5
_PROBES = {"a1111": ("/sdapi/v1/options", "sd_model_checkpoint"), "comfyui": ("/system_stats", "system")}
"""By what each interface is known before anything is sent to it: an address that only reads, and a key it answers."""


def checked_url(text: str) -> str:
    """An address that a person gave, without its last slash; raises `UsageError` for what is none."""
    parts = urlsplit(text.strip())
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.username or parts.query:
        raise UsageError(f"`{one_line(text, 100)}` is no address of a WebUI", "", "`--url http://127.0.0.1:7860`")
    return text.strip().rstrip("/")


class Desk:
    """One run's way to running WebUIs: who answers is found out once, and each is asked to look again once."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._there: dict[str, Web | None] = {}
        self._stale: dict[str, tuple[Installed, dict[str, None]]] = {}

    def changed(self, here: Installed, kind: Kind) -> None:
        """Remember that a WebUI has new files of a kind."""
        shelf = here.layout.shelves.get(kind)
        self._stale.setdefault(here.ui.name, (here, {}))[1].update(dict.fromkeys(shelf.refresh if shelf else ()))

    def settle(self) -> frozenset[str]:
        """Ask every WebUI with new files to read its folders again; the names of those that did."""
        stale, self._stale = self._stale, {}
        return frozenset(name for name, (here, paths) in stale.items() if self._refreshed(here, tuple(paths)))

    def _refreshed(self, here: Installed, paths: tuple[str, ...]) -> bool:
        """Trouble is nothing but a no: the files are placed all the same."""
        web = self.web(here.url) if paths else None
        if web is None:
            return False
        try:
            if not _is_one(web, here):
                return False
            statuses = [web.ask("POST", here.url + path, {}).status for path in paths]
        except KeepError:
            return False
        return all(status in (200, 204) for status in statuses)

    def web(self, url: str) -> Web | None:
        """A client for this address, None when nobody answers there or the network is switched off."""
        if url not in self._there:
            there = bool(url) and not self._house.settings.offline and answers(url)
            self._there[url] = self._client(url) if there else None
        return self._there[url]

    def _client(self, url: str) -> Web:
        host = urlsplit(url).hostname or ""
        policy = WebPolicy(
            user_agent=USER_AGENT,
            connect_timeout=1.0,
            read_timeout=SECONDS,
            plain_hosts=frozenset({host}),
            answer_limit=32 << 20,
            retry=RetryPolicy(attempts=1),
        )
        return self._house.closing(Web(policy, sleep=self._house.stop.wait))


def _is_one(web: Web, here: Installed) -> bool:
    """Whether what answers is a WebUI of that sort: any program may listen at a usual address."""
    path, key = _PROBES.get(here.layout.server.api, ("", ""))
    if not path:
        return False
    answer = web.ask("GET", here.url + path, None)
    said = answer.json() if answer.status == 200 else None
    return isinstance(said, dict) and key in said


class Register:
    """InvokeAI's model manager: files are entered where they lie, with `inplace=true`, which leaves them there."""

    def __init__(self, house: House, here: Installed) -> None:
        self._house = house
        self._here = here

    def enter(self, path: Path, name: str) -> str:
        """Enter a file; the answer is its key. Raises `HubDown` when nobody answers, `NotPlaceable` when it is refused.

        A file inside InvokeAI's own folder is never entered: taking it out again would delete it.
        """
        self._check_outside(path)
        known = self.key_of(path)
        if known:
            return known
        query = urlencode({"source": str(path), "inplace": "true"}, quote_via=quote)
        answer = self._ask("POST", f"/api/v2/models/install?{query}", {"name": name})
        if answer.status not in (200, 201):
            raise self._refused(path, _detail(answer))
        return self._wait(path, _member(answer, "id"))

    def leave(self, path: Path) -> bool:
        """Take the file out of the register; whether it was in it. The file itself stays. Raises `HubDown`."""
        self._check_outside(path)
        key = self.key_of(path)
        if not key:
            return False
        answer = self._ask("DELETE", f"/api/v2/models/i/{quote(key, safe='')}", None)
        return answer.status in (200, 204)

    def key_of(self, path: Path) -> str:
        """Under which key the file is in the register; empty when it is not. Raises `HubDown`."""
        said = self._ask("GET", "/api/v2/models/", None).json()
        models = said.get("models") if isinstance(said, dict) else None
        if not isinstance(models, list):
            raise HubGarbled(f"what answers at {self._here.url} is no InvokeAI", "", self._next())
        wanted = path.as_posix()
        for model in models:
            if isinstance(model, dict) and posixpath.normpath(str(model.get("path", ""))) == wanted:
                return str(model.get("key", ""))
        return ""

    def _wait(self, path: Path, job: str) -> str:
        for _ in range(TRIES):
            answer = self._ask("GET", f"/api/v2/models/install/{quote(job, safe='')}", None)
            status = _member(answer, "status")
            if status == "completed":
                return self.key_of(path)
            if status in ("error", "cancelled") or answer.status >= 400:
                raise self._refused(path, _member(answer, "error_reason") or _member(answer, "error") or status)
            self._house.stop.wait(PAUSE)
        raise self._refused(path, "it has not finished reading the file; it may yet appear in its list")

    def _ask(self, method: str, path: str, payload: object) -> Answer:
        web = self._house.desk.web(self._here.url)
        if web is None:
            why = "`offline` is set" if self._house.settings.offline else f"nobody answers at {self._here.url}"
            raise HubDown(f"{self._here.layout.title} is not running", why, self._next())
        return web.ask(method, self._here.url + path, payload)

    def _next(self) -> str:
        return (
            f"start it and run the same command again; `sdkeep ui add '{self._here.root}' --url URL` moves the address"
        )

    def _check_outside(self, path: Path) -> None:
        for folder in (*self._here.models, self._here.root / "models"):
            if path.resolve().is_relative_to(folder.resolve()):
                raise NotPlaceable(
                    f"`{path}` lies in the folder that {self._here.layout.title} manages itself",
                    "whatever is taken out of its list there is deleted",
                )

    def _refused(self, path: Path, why: str) -> NotPlaceable:
        return NotPlaceable(f"{self._here.layout.title} does not take `{path.name}`", one_line(why, 300))


def _detail(answer: Answer) -> str:
    return _member(answer, "detail") or f"it answers {answer.status}"


def _member(answer: Answer, key: str) -> str:
    try:
        said = answer.json()
    except HubGarbled:
        return ""
    value = said.get(key) if isinstance(said, dict) else None
    return str(value) if isinstance(value, str | int) else ""
