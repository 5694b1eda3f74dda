"""Which files that are here have a newer release for the same base model; and which models a person holds as they are.

A hub that does not show a model today may show it tomorrow: that is noted with its date, and nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sdkeep.actions import local
from sdkeep.actions.house import House
from sdkeep.actions.labels import label_uis
from sdkeep.catalogue.releases import Held
from sdkeep.ground.errors import KeepError, NotFoundHere, NotOnHub
from sdkeep.ground.events import stage
from sdkeep.ground.kinds import Access
from sdkeep.ground.model import Model, Release, RemoteFile
from sdkeep.ground.record import Artifact, Pin
from sdkeep.ground.ref import CivitaiRef, HfRef, HubRef

_WAITING = (Access.EARLY, Access.PAID)


@dataclass(frozen=True, slots=True)
class Newer:
    """A file that is here, and the newest release of its model for the same base model. Times are UTC ISO-8601.

    `access` other than `free` says what stands before the download; `pinned` that a person holds the model.
    """

    name: str
    title: str
    base: str
    here: str
    newer: str
    ref: str
    published: str
    size: int | None
    access: str
    access_until: str = ""
    pinned: bool = False
    note: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class Outdated:
    """What is out of date. `gone` are models that their hub does not show at the moment, with since when."""

    newer: tuple[Newer, ...]
    asked: int
    early: int = 0
    pinned: int = 0
    gone: dict[str, str] = field(default_factory=dict)
    failures: tuple[tuple[str, KeepError], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Pinned:
    """A model that is held, or is not any more."""

    ref: str
    title: str
    held: bool
    note: str = ""
    at: str = ""


def outdated(house: House, refs: Sequence[str] = (), *, early: bool = False, pinned: bool = False) -> Outdated:
    """Ask the hubs about every model of which something is here, or only about those that `refs` name.

    `early` shows releases that still have to be paid or waited for, `pinned` the models that are held.
    """
    models = _models(house, refs)
    pins = {(pin.hub, pin.model_id): pin for pin in house.book.pins()}
    found: list[Newer] = []
    gone: dict[str, str] = {}
    failures: list[tuple[str, KeepError]] = []
    waiting = held_back = 0
    with stage(house.report, "outdated", f"asking about {len(models)} models", len(models), "models") as moved:
        for number, ((hub, model_id), here) in enumerate(models.items(), 1):
            house.stop.check()
            moved(number)
            pin = pins.get((hub, model_id))
            if pin and not pinned:
                held_back += 1
                continue
            try:
                model = _asked(house, hub, model_id, here)
            except NotOnHub:
                house.book.mark_model(hub, model_id, gone=True)
                gone[here[0].name] = house.book.gone_since(hub, model_id)
                continue
            except KeepError as error:
                failures.append((here[0].name, error))
                continue
            newer = tuple(_newer(house, model, here))
            waiting += 0 if early else sum(1 for one in newer if Access.of(one.access) in _WAITING)
            found += [
                replace(one, pinned=pin is not None, note=pin.note if pin else "")
                for one in newer
                if early or Access.of(one.access) not in _WAITING
            ]
    return Outdated(tuple(found), len(models) - held_back, waiting, held_back, gone, tuple(failures))


def pin(house: House, ref: str, note: str = "") -> Pinned:
    """Hold the model that a catalogued file belongs to: `outdated` and `update` leave it alone."""
    artifact, release = _released(house, ref)
    house.book.put_pin(Pin(release.hub, release.model_id, release.id, note))
    label_uis(house)
    return Pinned(release.ref, artifact.title or artifact.name, held=True, note=note, at=house.now())


def unpin(house: House, ref: str) -> Pinned:
    """Hold it no longer; raises `NotFoundHere` when it was not held."""
    artifact, release = _released(house, ref)
    if not house.book.drop_pin(release.hub, release.model_id):
        raise NotFoundHere(f"`{artifact.name}` is not pinned", "", "`sdkeep pin` lists what is")
    label_uis(house)
    return Pinned(release.ref, artifact.title or artifact.name, held=False)


def pins(house: House) -> tuple[Pinned, ...]:
    """Everything that is held, oldest first."""
    return tuple(Pinned(_ref(one), one.model_name, held=True, note=one.note, at=one.at) for one in house.book.pins())


def _ref(pin: Pin) -> str:
    if pin.hub == "civitai":
        return f"civitai:{pin.model_id}" + (f"@{pin.release}" if pin.release else "")
    return f"hf:{pin.model_id}"


def _released(house: House, ref: str) -> tuple[Artifact, Release]:
    artifact = local.artifact(house, ref)
    release = house.book.release_of(artifact.sha256 or "")
    if release is None or release.hub == "web":
        raise NotFoundHere(
            f"`{artifact.name}` is not known to come from a hub",
            "only models of a hub have newer releases",
            "`sdkeep sync --look-up` asks the hubs by hash",
        )
    return artifact, release


def _models(house: House, refs: Sequence[str]) -> dict[tuple[str, str], list[Held]]:
    """What is here, by model; only the models that `refs` name where there are any."""
    wanted: set[tuple[str, str]] | None = None
    if refs:
        wanted = {(release.hub, release.model_id) for _, release in (_released(house, ref) for ref in refs)}
    found: dict[tuple[str, str], list[Held]] = {}
    for one in house.book.held():
        if wanted is None or (one.hub, one.model) in wanted:
            found.setdefault((one.hub, one.model), []).append(one)
    return found


def _asked(house: House, hub: str, model_id: str, here: Sequence[Held]) -> Model:
    """The model as its hub shows it now; that it was asked is noted, and that it is shown."""
    refs: dict[str, HubRef] = {"civitai": CivitaiRef(int(model_id) if model_id.isdecimal() else 0)}
    if hub == "huggingface":
        release = house.hub(hub).release(HfRef(model_id, here[-1].release or None))
        model = Model(hub, model_id, release.model_name, release.kind, (release,), release.page)
    else:
        model = house.hub(hub).model(refs[hub])
    house.book.mark_model(hub, model_id, gone=False)
    return model


def _newer(house: House, model: Model, here: Sequence[Held]) -> Iterable[Newer]:
    """For each base model of which a release is here, the newest one that is not, if it is newer."""
    if model.hub == "huggingface":
        yield from _changed_upstream(house, model, here)
        return
    recorded = {release.id: release for release in house.book.releases_for_model(model.hub, model.id)}
    shown = {release.id: release for release in model.releases}
    mine = {one.release for one in here}
    bases: dict[str, Release] = {}
    for id in mine:
        release = shown.get(id) or recorded.get(id)
        if release is None:
            continue
        key = release.base.casefold()
        if key not in bases or release.published > bases[key].published:
            bases[key] = release
    for key, current in bases.items():
        later = [
            release
            for release in model.releases
            if release.base.casefold() == key and release.id not in mine and release.published > current.published
        ]
        open_first = sorted(later, key=lambda release: (release.access not in _WAITING, release.published))
        if open_first:
            held = next(one for one in here if one.release == current.id)
            yield _line(held.name, current, open_first[-1])


def _changed_upstream(house: House, model: Model, here: Sequence[Held]) -> Iterable[Newer]:
    """A repository has no releases: a file in it is newer when its bytes are others than those here."""
    release = model.releases[0]
    for one in here:
        file = next((file for file in release.files if file.id == one.file), None)
        if file and file.sha256 and one.sha256 and file.sha256.value != one.sha256:
            recorded = house.book.release_of(one.sha256)
            published = _line(one.name, recorded or release, release, file)
            yield replace(
                published, here=one.sha256[:10], newer=file.sha256.value[:10], ref=f"hf:{model.id}#{file.name}"
            )


def _line(name: str, current: Release, newer: Release, file: RemoteFile | None = None) -> Newer:
    chosen = file or next((one for one in newer.files if one.primary), next(iter(newer.files), None))
    size = (chosen.size if chosen.size is not None else chosen.about) if chosen else None
    return Newer(
        name,
        newer.model_name,
        newer.base,
        current.name,
        newer.name,
        newer.ref,
        newer.published,
        size,
        str(newer.access),
        newer.access_until,
        page=newer.page,
    )
