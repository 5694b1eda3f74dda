"""A set of models as code: what `sdkeep.toml` asks for is looked up once and written down to the byte."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sdkeep.actions.get import conversions
from sdkeep.actions.house import House
from sdkeep.actions.local import artifacts
from sdkeep.actions.lockfile import NAME, Lock, LockedFile, LockedModel, read_lock, write_lock
from sdkeep.actions.placing import registered
from sdkeep.actions.remote import seek
from sdkeep.ground.errors import BadSetting, HubError, NotFoundHere
from sdkeep.ground.kinds import Extent, Format, Kind, Precision
from sdkeep.ground.licence import Licence
from sdkeep.ground.lineage import Edge, Relation
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.record import Artifact
from sdkeep.ground.ref import CivitaiRef, HfRef, UrlRef, WordRef, parse
from sdkeep.hubs.choose import Wish
from sdkeep.settings.load import PROJECT_FILE
from sdkeep.settings.project import Needed, add_needed, read_needed


@dataclass(frozen=True, slots=True)
class LockState:
    """One model: `locked`, `kept` as it was, `new`, `changed`, `dropped`; with `--check` what a lock would change."""

    name: str
    state: str
    release: str = ""
    files: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Locked:
    """The lock and what became of each model; `stale` where the file is not what the project asks for."""

    path: str
    models: tuple[LockState, ...]
    stale: bool
    added: tuple[str, ...] = ()


def check(house: House) -> Locked:
    """Compare the lock with the project file; nothing is asked of any hub."""
    needed = {one.name: one for one in _project(house)}
    path = house.cwd / NAME
    models = read_lock(path).models if path.exists() else {}
    states: list[LockState] = []
    for name in sorted({*needed, *models}):
        model = models.get(name)
        if model is None:
            states.append(LockState(name, "new"))
        elif name not in needed:
            states.append(_state(model, "dropped"))
        else:
            states.append(_state(model, "kept" if dict(model.asked) == needed[name].asked else "changed"))
    return Locked(str(path), tuple(states), any(one.state != "kept" for one in states) or not path.exists())


def lock(house: House, update: Collection[str], *, everything: bool = False) -> Locked:
    """Write the lock. Models that it holds as they are asked for stay at their release, unless they are to be updated.

    Raises the first error; then the file stays as it was.
    """
    needed = _project(house)
    unknown = sorted(set(update) - {one.name for one in needed})
    if unknown:
        raise NotFoundHere(
            f"`{unknown[0]}` is not in `{PROJECT_FILE}`", "", f"it lists {', '.join(n.name for n in needed)}"
        )
    path = house.cwd / NAME
    before = read_lock(path).models if path.exists() else {}
    models: dict[str, LockedModel] = {}
    states: list[LockState] = []
    for one in needed:
        old = before.get(one.name)
        if old and dict(old.asked) == one.asked and not everything and one.name not in update:
            models[one.name] = old
            states.append(_state(old, "kept"))
            continue
        models[one.name] = resolve(house, one)
        states.append(_state(models[one.name], "locked"))
    states += [_state(before[name], "dropped") for name in sorted(set(before) - set(models))]
    write_lock(path, Lock(models))
    return Locked(str(path), tuple(states), False)


def from_ui(house: House, ui: str) -> Locked:
    """List what a WebUI shows in the project file, and lock it as the catalogue knows it. Nothing is fetched."""
    root = Path(registered(house, ui).root)
    shown: dict[str, Artifact] = {}
    for location in house.book.locations():
        if location.ui == ui or Path(location.path).is_relative_to(root):
            found = house.book.artifact(location.sha256)
            if found is not None:
                shown.setdefault(found.name, found)
    if not shown:
        raise NotFoundHere(
            f"the catalogue knows no file in `{ui}`",
            "what lies there was never taken in",
            f"`sdkeep add --in-place '{root}'`",
        )
    needed = [Needed(name, _reference(house, one), (ui,)) for name, one in sorted(shown.items())]
    project = house.cwd / PROJECT_FILE
    added = add_needed(project, needed)
    path = house.cwd / NAME
    models = dict(read_lock(path).models) if path.exists() else {}
    listed = {one.name: one for one in read_needed(project)}
    for name in added:
        models[name] = _of_artifacts(house, listed[name], [shown[name]])
    write_lock(path, Lock(models))
    states = [_state(models[name], "locked" if name in added else "kept") for name in sorted(models)]
    return Locked(str(path), tuple(states), False, added)


def _reference(house: House, artifact: Artifact) -> str:
    """The reference to exactly this file: at its hub where it is known to come from there, else by its bytes."""
    release = house.book.release_of(artifact.sha256 or "")
    file = _catalogued(house, artifact, release)
    published = [one for one in release.files if one.url == file.url] if release and file.url else []
    if release and published and release.hub == "civitai" and published[0].id:
        return f"{release.ref}#{published[0].id}"
    if release and published and release.hub == "huggingface":
        return f"{release.ref}/{published[0].name}"
    return f"sha256:{artifact.sha256}"


def resolve(house: House, needed: Needed) -> LockedModel:
    """One model to the byte: from its hub, else from the catalogue for what no hub is asked about or none answers."""
    reference = parse(needed.ref)
    known = [one for one in artifacts(house, needed.ref) if one.sha256]
    at_hub = isinstance(reference, CivitaiRef | HfRef | UrlRef) or (isinstance(reference, WordRef) and not known)
    if not at_hub:
        if not known:
            raise NotFoundHere(
                f"`{needed.ref}` (`{needed.name}`) is not in the catalogue",
                "it names bytes, not a place at a hub",
                "`sdkeep ls`",
            )
        return _of_artifacts(house, needed, known[:1])
    try:
        sought = seek(house, needed.ref, _wish(needed))
    except HubError as error:
        if not known:
            raise
        house.warn(f"`{needed.name}` is locked as it is here: {error.what}")
        return _of_artifacts(house, needed, known)
    files = (*sought.files, *(sought.companions if needed.companions else ()))
    locked = tuple(_published(house, needed, sought.release, file) for file in files)
    return _model(needed, sought.release, locked, house)


def _project(house: House) -> tuple[Needed, ...]:
    path = house.cwd / PROJECT_FILE
    if not path.is_file():
        raise BadSetting(
            f"`{PROJECT_FILE}` is not here",
            "it lists what a project needs under [models]",
            "`sdkeep lock --from-ui UI`",
        )
    return read_needed(path)


def _wish(needed: Needed) -> Wish:
    from sdkeep.actions.vocabulary import member

    return Wish(
        needed.word("base"),
        member(Format, needed.word("format"), "format"),
        member(Precision, needed.word("precision"), "precision"),
        member(Extent, needed.word("size"), "size"),
        needed.word("file"),
    )


def _published(house: House, needed: Needed, release: Release, file: RemoteFile) -> LockedFile:
    """A hub's file to the byte: as published, else as it was when it was fetched."""
    if file.sha256 is None or file.size is None:
        known = [one for one in house.book.by_origin(release.hub, release.id) if one.file_name == _base_name(file.name)]
        if not known or known[0].sha256 is None:
            raise NotFoundHere(
                f"`{file.name}` of `{needed.name}` cannot be locked",
                "its hub publishes no SHA-256 and it was never fetched here",
                f"`sdkeep get {release.ref}`",
            )
        return LockedFile(_base_name(file.name), known[0].sha256, known[0].size or 0, str(known[0].kind), file.url)
    made = _made(house, file.sha256.value)
    return LockedFile(_base_name(file.name), file.sha256.value, file.size, needed.word("kind"), file.url, *made)


def _base_name(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _made(house: House, sha256: str) -> tuple[str, int]:
    """What was converted from these bytes here, if anything was."""
    made = (
        [one for one in conversions(house, sha256) if one.format is Format.SAFETENSORS]
        if house.book.artifact(sha256)
        else []
    )
    return (made[0].sha256 or "", made[0].size or 0) if made else ("", 0)


def _of_artifacts(house: House, needed: Needed, found: Iterable[Artifact]) -> LockedModel:
    chosen = list(found)
    release = house.book.release_of(chosen[0].sha256 or "")
    files = tuple(_catalogued(house, one, release) for one in chosen)
    if release is None or release.hub == "web":
        origin = chosen[0].origin if not chosen[0].origin.startswith("path:") else ""
        bare = Release("web", "", "", chosen[0].title, "", chosen[0].kind, base=chosen[0].base, page=origin)
        return _model(needed, bare, files, house)
    return _model(needed, release, files, house)


def _catalogued(house: House, artifact: Artifact, release: Release | None) -> LockedFile:
    sha256 = artifact.sha256 or ""
    sources = {edge.parent.value for edge in house.book.parents_of(sha256) if edge.relation is Relation.CONVERTED_FROM}
    for file in release.files if release else ():
        published = file.sha256.value if file.sha256 else ""
        if published == sha256:
            return LockedFile(_base_name(file.name), sha256, artifact.size or 0, str(artifact.kind), file.url)
        if published in sources:
            original = house.book.artifact(published)
            size = file.size or (original.size if original else 0) or 0
            return LockedFile(
                _base_name(file.name), published, size, str(artifact.kind), file.url, sha256, artifact.size or 0
            )
    return LockedFile(artifact.file_name, sha256, artifact.size or 0, str(artifact.kind))


def _model(needed: Needed, release: Release, files: tuple[LockedFile, ...], house: House) -> LockedModel:
    hub = release.hub != "web"
    licence = release.licence
    parents = list(release.parents)
    for file in files:
        if house.book.artifact(file.sha256):
            parents += house.book.parents_of(file.sha256)
            licence = licence if licence.id else house.book.licence_of(file.sha256) or Licence()
    return LockedModel(
        needed.name,
        needed.asked,
        release.ref if hub else release.page,
        f"{release.model_name} {release.name}".strip() if release.hub == "civitai" else release.model_name,
        release.base,
        licence.id,
        licence.url,
        tuple(sorted({_spelt(edge) for edge in parents})),
        files,
    )


def _spelt(edge: Edge) -> str:
    return f"{edge.relation} {edge.parent.trust}:{edge.parent.value}"


def _state(model: LockedModel, state: str) -> LockState:
    return LockState(model.name, state, model.release, len(model.files), sum(file.size for file in model.files))


def kind_of(model: LockedModel, file: LockedFile) -> Kind | None:
    """The kind that was asked for, or is known of the file."""
    word = str(model.asked.get("kind", "")) or file.kind
    kind = Kind.of(word) if word else Kind.UNKNOWN
    return None if kind is Kind.UNKNOWN else kind


def needed_uis(house: House) -> dict[str, tuple[str, ...] | None]:
    """The WebUIs that the project file names for each model, where there is such a file."""
    try:
        return {one.name: one.uis for one in _project(house)}
    except BadSetting:
        return {}
