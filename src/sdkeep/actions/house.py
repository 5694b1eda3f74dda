"""What every action works with: settings, catalogue, stores, hubs, layouts, opened when first asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sdkeep import __version__
from sdkeep.ground.errors import HubDown
from sdkeep.ground.events import Report, Said, Stop
from sdkeep.ground.hub import Hub

if TYPE_CHECKING:
    from sdkeep.actions.running import Desk
    from sdkeep.audit.policy import Allowed
    from sdkeep.catalogue.book import Book
    from sdkeep.hubs.civitai.client import Civitai
    from sdkeep.hubs.huggingface.hub import HuggingFace
    from sdkeep.layouts.values import Layout
    from sdkeep.net.client import Web
    from sdkeep.settings.tokens import Tokens
    from sdkeep.settings.values import Loaded, Settings

USER_AGENT = f"sdkeep/{__version__} (+https://github.com/sdkeep/sdkeep)"


@dataclass
class House:
    """One run's way to everything below. Nothing is opened until a property is read; `close` closes what was."""

    loaded: Loaded
    report: Report
    stop: Stop
    environ: Mapping[str, str]
    cwd: Path
    extra_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    _open: list[object] = field(default_factory=list, repr=False)

    @classmethod
    def open(cls, flags: Mapping[str, str], report: Report, stop: Stop) -> House:
        """Read the settings of this process, `flags` first."""
        from sdkeep.settings.load import load

        cwd = Path.cwd()
        return cls(load(os.environ, cwd, flags=flags), report, stop, os.environ, cwd)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    def preferred(self, name: str) -> str:
        """A preference that somebody really stated; empty where only the default stands."""
        source = self.loaded.sources.get(name)
        return str(getattr(self.settings, name)) if source and source.origin != "default" else ""

    def with_token(self, host: str, token: str) -> House:
        """A house whose client shows `token` to `host`, whatever else is stored; for trying a new one."""
        return House(self.loaded, self.report, self.stop, self.environ, self.cwd, {host: token})

    def moment(self) -> datetime:
        """This moment, aware."""
        return datetime.now(UTC)

    def now(self) -> str:
        """This moment, UTC ISO-8601 to the second."""
        return f"{self.moment():%Y-%m-%dT%H:%M:%SZ}"

    def warn(self, text: str) -> None:
        """Tell the person something worth knowing."""
        self.report(Said("warning", text))

    def say(self, text: str) -> None:
        """Tell the person how things go."""
        self.report(Said("info", text))

    @cached_property
    def book(self) -> Book:
        """The catalogue, migrated to today's schema."""
        from sdkeep.catalogue.book import Book
        from sdkeep.store.platform import is_network
        from sdkeep.store.trouble import told

        home = self.settings.catalogue.parent
        with told(f"cannot use `{home}` for the catalogue"):
            home.mkdir(parents=True, exist_ok=True)
        book = Book.open(self.settings.catalogue, clock=self.moment, wal=not is_network(home))
        self._open.append(book)
        return book

    def allowed(self, sha256: str) -> Allowed:
        """What people allowed to exactly these bytes."""
        from sdkeep.audit.policy import allowed_for

        return allowed_for(self.book.allowances(sha256) if sha256 else (), sha256)

    @cached_property
    def tokens(self) -> Tokens:
        """Where the hubs' tokens come from."""
        from sdkeep.settings.keyrings import SystemKeyring
        from sdkeep.settings.tokens import Tokens

        return Tokens(self.environ, self.settings.home, SystemKeyring())

    @cached_property
    def web(self) -> Web:
        """The HTTP client of this run."""
        from sdkeep.net.client import Web, WebPolicy

        settings = self.settings
        if settings.offline:
            raise HubDown("the network is switched off", "`offline` is set", "`sdkeep config set offline false`")
        hosts = {**self.tokens.for_hosts(settings, self.loaded.sources), **self.extra_tokens}
        for warning in self.tokens.warnings:
            self.warn(warning)
        policy = WebPolicy(
            user_agent=USER_AGENT,
            tokens=hosts,
            proxy=settings.proxy or None,
            no_proxy=settings.no_proxy,
            ca=str(settings.ca_bundle) if settings.ca_bundle else None,
            read_timeout=settings.timeout,
            plain_hosts=frozenset(map(_plain_host, (settings.civitai_url, settings.hf_url, *settings.archives))) - {""},
        )
        web = Web(policy, sleep=self.stop.wait)
        self._open.append(web)
        return web

    @cached_property
    def civitai(self) -> Civitai:
        """Civitai, or the mirror that the settings name."""
        from sdkeep.hubs.civitai.client import Civitai

        return Civitai(self.web, self.settings.civitai_url, clock=self.moment)

    @cached_property
    def huggingface(self) -> HuggingFace:
        """Hugging Face, or the mirror that the settings name."""
        from sdkeep.hubs.huggingface.hub import HuggingFace

        return HuggingFace(self.web, self.settings.hf_url)

    def hub(self, name: str) -> Hub:
        """The hub called `civitai` or `huggingface`."""
        return self.huggingface if name == "huggingface" else self.civitai

    @cached_property
    def layouts(self) -> tuple[Layout, ...]:
        """The built-in WebUI layouts and the person's own."""
        from sdkeep.layouts.layout import layouts

        folder = self.settings.layouts_dir
        return layouts(folder if folder.is_dir() else None)

    @cached_property
    def desk(self) -> Desk:
        """The way to running WebUIs."""
        from sdkeep.actions.running import Desk

        return Desk(self)

    def closing(self, web: Web) -> Web:
        """`web`, closed with the house."""
        self._open.append(web)
        return web

    def close(self) -> None:
        """Close what was opened, last first."""
        while self._open:
            closing = self._open.pop()
            closing.close()  # type: ignore[attr-defined]


def _plain_host(address: str) -> str:
    """The host of an address that the person set to plain http; empty for https."""
    parts = urlsplit(address)
    return (parts.hostname or "") if parts.scheme == "http" else ""
