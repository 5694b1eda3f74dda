"""Look for models at the hubs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sdkeep.actions.house import House
from sdkeep.ground.errors import HubError, KeepError, UsageError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.model import Model, Query

HUBS = ("civitai", "huggingface")


@dataclass(frozen=True, slots=True)
class Hit:
    """One model found. `bases` are those its releases are for, `ref` fetches it."""

    ref: str
    hub: str
    name: str
    kind: Kind
    creator: str
    bases: tuple[str, ...]
    size: int | None
    downloads: int
    rating: float | None
    trigger_words: tuple[str, ...]
    flags: tuple[str, ...]
    page: str


@dataclass(frozen=True, slots=True)
class Found:
    """All hits, and the hubs that could not answer."""

    hits: tuple[Hit, ...]
    failures: tuple[tuple[str, KeepError], ...] = ()


def search(house: House, query: Query, hubs: tuple[str, ...] = HUBS) -> Found:
    """Ask each hub; one that fails does not hide what the other found, unless none answers."""
    unknown = [hub for hub in hubs if hub not in HUBS]
    if unknown:
        raise UsageError(f"`{unknown[0]}` is no hub", "known are " + ", ".join(HUBS), "`--hub civitai`")
    hits: list[Hit] = []
    failures: list[tuple[str, KeepError]] = []
    for hub in hubs:
        try:
            hits.extend(_hits(house, hub, query))
        except HubError as error:
            failures.append((hub, error))
    if failures and len(failures) == len(hubs):
        raise failures[0][1]
    return Found(tuple(hits), tuple(failures))


def _hits(house: House, hub: str, query: Query) -> Iterator[Hit]:
    for model in house.hub(hub).search(query):
        house.stop.check()
        yield _hit(model)


def _hit(model: Model) -> Hit:
    newest = model.releases[0] if model.releases else None
    main = next((file for file in newest.files if file.primary), newest.files[0]) if newest and newest.files else None
    return Hit(
        ref=f"civitai:{model.id}" if model.hub == "civitai" else f"hf:{model.id}",
        hub=model.hub,
        name=model.name,
        kind=model.kind,
        creator=newest.creator if newest else "",
        bases=tuple(dict.fromkeys(release.base for release in model.releases if release.base)),
        size=(main.size if main.size is not None else main.about) if main else None,
        downloads=newest.downloads if newest else 0,
        rating=newest.rating if newest else None,
        trigger_words=newest.trigger_words if newest else (),
        flags=newest.marks if newest else (),
        page=model.page,
    )
