"""Bytes from a neighbour: another store on this machine or a mounted one, or a static web server over one.

Nothing a neighbour says is believed: a file counts when its SHA-256 is the one asked for. No token is ever sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from sdkeep.actions.house import USER_AGENT, House
from sdkeep.actions.transferring import PATIENCE
from sdkeep.ground.errors import DigestMismatch, HubDown, HubError, NotFoundHere, TransferError
from sdkeep.ground.events import stage
from sdkeep.net.client import Web, WebPolicy
from sdkeep.net.transfer import TransferOptions, Wanted, claim, forget, transfer
from sdkeep.store import platform
from sdkeep.store.copying import copy_new
from sdkeep.store.trouble import told

_BELOW = ("", "store", "sdkeep-store")
_PLACES = 3


class Neighbour:
    """One place that may have blobs: a folder (a home, a store, or what a store lies in) or an address."""

    def __init__(self, house: House, text: str) -> None:
        """Raises `NotFoundHere` for a folder without a store."""
        self.text = text
        self._house = house
        self._web: Web | None = None
        self._roots: list[Path] = []
        if urlsplit(text).scheme in ("http", "https"):
            return
        folder = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - `..` goes, links stay
        self._roots = [folder / below for below in _BELOW if (folder / below / "blobs" / "sha256").is_dir()]
        if not self._roots:
            raise NotFoundHere(f"`{text}` holds no store", "no `blobs/sha256` is in it", "name a home or a store")

    @contextmanager
    def bring(self, sha256: str, size: int, name: str, staging: Path) -> Iterator[Path | None]:
        """The bytes in `staging`, proved, for as long as the block lasts; None when this neighbour has none.

        Raises `DigestMismatch` for a copy that is not what its name promises.
        """
        if self._roots:
            with self._copied(sha256, name, staging) as path:
                yield path
        else:
            with self._fetched(sha256, size, name, staging) as path:
                yield path

    def close(self) -> None:
        """Let go of connections."""
        if self._web is not None:
            self._web.close()

    @contextmanager
    def _copied(self, sha256: str, name: str, staging: Path) -> Iterator[Path | None]:
        found = (root / "blobs" / "sha256" / sha256[:2] / sha256 for root in self._roots)
        blob = next((path for path in found if path.is_file() and not platform.is_link(path)), None)
        if blob is None:
            yield None
            return
        staged = staging / platform.private_name(f"neighbour-{sha256[:12]}", ".part")
        try:
            with told(f"cannot copy `{blob}`"):
                size = blob.stat().st_size
                with stage(self._house.report, sha256, f"copying {name}", size) as moved:
                    copied = copy_new(blob, staged, moved=moved, stop=self._house.stop)
            if copied.sha256 != sha256:
                raise DigestMismatch(
                    f"the copy of `{name}` in `{self.text}` is damaged", sha256, copied.sha256, "`sdkeep verify` there"
                )
            yield staged
        finally:
            staged.unlink(missing_ok=True)

    @contextmanager
    def _fetched(self, sha256: str, size: int, name: str, staging: Path) -> Iterator[Path | None]:
        house, base = self._house, self.text.rstrip("/")
        if house.settings.offline:
            raise HubDown("the network is switched off", "`offline` is set", "name a folder instead of an address")
        tail = f"blobs/sha256/{sha256[:2]}/{sha256}"
        addresses = tuple(f"{base}/{below}/{tail}" if below else f"{base}/{tail}" for below in _BELOW)
        wanted = Wanted(addresses[0], addresses[1:_PLACES], size or None, sha256, name, kind_is_model=False)
        options = TransferOptions(connections=house.settings.connections, lock_wait=PATIENCE)
        with claim(staging, wanted.key, wait=PATIENCE, stop=house.stop):
            came = None
            try:
                came = transfer(self._client(), wanted, staging, report=house.report, stop=house.stop, options=options)
            except DigestMismatch:
                raise
            except (HubError, TransferError) as error:
                house.say(f"`{self.text}` does not serve {name}: {error.what}")
            try:
                yield came.path if came else None
            finally:
                if came:
                    with suppress(FileNotFoundError):
                        came.path.unlink()
                    forget(staging, wanted.key)

    def _client(self) -> Web:
        """A client without a single token; plain http is fine, since the bytes prove themselves."""
        if self._web is None:
            settings = self._house.settings
            policy = WebPolicy(
                user_agent=USER_AGENT,
                proxy=settings.proxy or None,
                no_proxy=settings.no_proxy,
                ca=str(settings.ca_bundle) if settings.ca_bundle else None,
                read_timeout=settings.timeout,
                plain_hosts=frozenset({urlsplit(self.text).hostname or ""}),
            )
            self._web = Web(policy, sleep=self._house.stop.wait)
        return self._web
