"""What lies beside a placed file: the WebUI's own sidecar and a preview, written without losing a word of others'."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.actions.labels import label
from sdkeep.actions.placing import Placing, words_of
from sdkeep.actions.stores import holder
from sdkeep.ground.digest import Digest, DigestKind
from sdkeep.ground.errors import BadSetting, KeepError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Artifact, Location, Sidecar
from sdkeep.layouts.folders import Installed
from sdkeep.layouts.preview import preview_path, write_preview
from sdkeep.layouts.reading import SIDECARS
from sdkeep.layouts.sidecars import Card, Published, sidecar_path, write_sidecar
from sdkeep.layouts.writing import Written

ADAPTERS = (Kind.LORA, Kind.LYCORIS)
PICTURE = "preview-png"
NONE = "none"


def write_beside(house: House, found: Installed, artifact: Artifact, location: Location, placing: Placing) -> None:
    """Write the sidecars that this layout wants; trouble with one is a warning, the model stays placed."""
    model, sha256, wrote = Path(location.path), artifact.sha256 or "", False
    for dialect in sorted(dialects(house, found), key=lambda one: one != PICTURE):
        try:
            written = (
                _write_picture(house, found, artifact, model)
                if dialect == PICTURE
                else _write_card(house, found, artifact, model, placing, dialect)
            )
        except KeepError as error:
            house.warn(f"{error.what}: {error.why}")
            continue
        if written is not None and written.created:
            house.book.put_sidecar(Sidecar(str(written.path), sha256, written.sha256, found.ui.name))
            wrote = True
    store = holder(house, sha256) if wrote else None
    if store is not None:
        label(house, store, sha256)


def dialects(house: House, found: Installed) -> tuple[str, ...]:
    """What to write beside models: what the person chose, else what the layout wants. Raises `BadSetting`."""
    chosen = house.settings.sidecars
    for name in chosen:
        if name not in (*SIDECARS, NONE):
            known = ", ".join((*SIDECARS, NONE))
            raise BadSetting(f"`{name}` is no kind of sidecar", f"known are {known}", "`sdkeep config set sidecars ''`")
    return tuple(name for name in chosen if name != NONE) if chosen else found.layout.sidecars


def _write_card(
    house: House, found: Installed, artifact: Artifact, model: Path, placing: Placing, dialect: str
) -> Written | None:
    adapter = artifact.kind in ADAPTERS
    card = Card(
        kind=artifact.kind,
        family=artifact.family,
        description=artifact.description[:4000],
        activation=", ".join(words_of(artifact)) if adapter else "",
        weight=placing.weight or 0.0,
        notes=artifact.origin,
        published=_published(house, found, artifact, model, placing),
    )
    return write_sidecar(dialect, found.layout, model, card, _ours(house, sidecar_path(dialect, model)))


def _published(house: House, found: Installed, artifact: Artifact, model: Path, placing: Placing) -> Published:
    release = placing.release or house.book.release_of(artifact.sha256 or "")
    picture = preview_path(found.layout, model)
    known = Published(
        base=artifact.base,
        model_name=artifact.title,
        file_name=artifact.file_name,
        words=words_of(artifact),
        level=artifact.level,
        digests=_digests(artifact),
        size=artifact.size or 0,
        imported=artifact.added,
        preview=picture.as_posix() if picture.is_file() else "",
    )
    if release is None or release.hub != "civitai" or not (release.id.isdecimal() and release.model_id.isdecimal()):
        return known
    return replace(
        known,
        model_id=release.model_id,
        version_id=release.id,
        model_name=release.model_name,
        version_name=release.name,
        base=release.base or artifact.base,
        kind_text=release.kind_text,
        creator=release.creator,
    )


def _digests(artifact: Artifact) -> tuple[Digest, ...]:
    own = Digest.of(DigestKind.SHA256, artifact.sha256 or "")
    return tuple(dict.fromkeys((*((own,) if own else ()), *artifact.digests)))


def _write_picture(house: House, found: Installed, artifact: Artifact, model: Path) -> Written | None:
    picture = house.settings.home / artifact.preview if artifact.preview else None
    if picture is None or not picture.is_file():
        return None
    return write_preview(found.layout, model, picture.read_bytes())


def _ours(house: House, path: Path) -> str:
    sidecar = house.book.sidecar_at(str(path))
    return sidecar.content if sidecar else ""
