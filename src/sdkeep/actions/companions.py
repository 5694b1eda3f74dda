"""What lies beside a placed file: the WebUI's own sidecar and a preview, written without losing a word of others'."""

from __future__ import annotations

from pathlib import Path

from sdkeep.actions.house import House
from sdkeep.actions.placing import Placing, words_of
from sdkeep.ground.errors import KeepError
from sdkeep.ground.kinds import Kind
from sdkeep.ground.record import Artifact, Location, Sidecar
from sdkeep.layouts.folders import Installed
from sdkeep.layouts.preview import write_preview
from sdkeep.layouts.sidecars import Card, write_a1111
from sdkeep.layouts.writing import Written

ADAPTERS = (Kind.LORA, Kind.LYCORIS)


def write_beside(house: House, found: Installed, artifact: Artifact, location: Location, placing: Placing) -> None:
    """Write the sidecars that this layout wants; trouble with one is a warning, the model stays placed."""
    model = Path(location.path)
    for dialect in found.layout.sidecars:
        try:
            written = _WRITERS[dialect](house, found, artifact, model, placing) if dialect in _WRITERS else None
        except KeepError as error:
            house.warn(f"{error.what}: {error.why}")
            continue
        if written is not None and written.created:
            house.book.put_sidecar(Sidecar(str(written.path), artifact.sha256 or "", written.sha256, found.ui.name))


def _write_card(house: House, found: Installed, artifact: Artifact, model: Path, placing: Placing) -> Written | None:
    adapter = artifact.kind in ADAPTERS
    card = Card(
        kind=artifact.kind,
        family=artifact.family,
        description=artifact.description[:4000],
        activation=", ".join(words_of(artifact)) if adapter else "",
        weight=placing.weight or 0.0,
        notes=artifact.origin,
    )
    return write_a1111(found.layout, model, card, _ours(house, model.with_suffix(".json")))


def _write_picture(
    house: House, found: Installed, artifact: Artifact, model: Path, _placing: Placing
) -> Written | None:
    picture = house.settings.home / artifact.preview if artifact.preview else None
    if picture is None or not picture.is_file():
        return None
    return write_preview(found.layout, model, picture.read_bytes())


def _ours(house: House, path: Path) -> str:
    sidecar = house.book.sidecar_at(str(path))
    return sidecar.content if sidecar else ""


_WRITERS = {"a1111-json": _write_card, "preview-png": _write_picture}
