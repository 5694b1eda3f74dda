"""What a hub can be asked. Two real ones stand behind this: Civitai and Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sdkeep.ground.digest import Digest
from sdkeep.ground.model import Model, Query, Release
from sdkeep.ground.ref import HubRef


class Hub(Protocol):
    """A place that publishes models. Every method may raise the `HubError` family; none downloads weights."""

    @property
    def id(self) -> str:
        """`civitai` or `huggingface`."""
        ...

    def model(self, ref: HubRef) -> Model:
        """The page that `ref` points into, with every release the hub shows there."""
        ...

    def release(self, ref: HubRef) -> Release:
        """Exactly the release that `ref` names by version or revision."""
        ...

    def search(self, query: Query) -> Iterator[Model]:
        """Matching models, following the hub's cursors lazily up to `query.limit`."""
        ...

    def by_digest(self, digest: Digest) -> tuple[Release, ...]:
        """The releases that hold a file with this digest; empty when the hub has none or cannot look up by hash."""
        ...

    def whoami(self) -> str:
        """The account name the current token belongs to; raises `NeedsLogin` without or with a refused token."""
        ...
