"""A look before the download: the parts of a remote pickle that can run code, read by ranges. Stops, never clears."""

from __future__ import annotations

from sdkeep.actions.afar import look_from_afar
from sdkeep.actions.house import House
from sdkeep.actions.ways import ways
from sdkeep.audit.report import summary
from sdkeep.ground.errors import AccessError, HubError, StoreError, TransferError, UnsafeFile
from sdkeep.ground.events import Said
from sdkeep.ground.kinds import Format
from sdkeep.ground.model import Release, RemoteFile

WORTH_IT = 16 << 20


def refuse_early(house: House, release: Release, file: RemoteFile) -> None:
    """Raise `UnsafeFile` when a big pickle shows by its ranges that it can run code; otherwise say nothing."""
    size = file.size or file.about or 0
    if size < WORTH_IT or file.format is Format.SAFETENSORS:
        return
    try:
        verdict = look_from_afar(house, release, file).verdict
    except AccessError:
        raise
    except (HubError, TransferError, StoreError) as error:
        house.report(Said("debug", f"no look before the download: {error.what}"))
        return
    if verdict.outcome.rank >= 3:
        ref = release.ref if release.hub != "web" else release.page
        raise UnsafeFile(
            f"`{file.name}` is {verdict.outcome}, by a look before the download",
            summary(verdict),
            ways(verdict, ref, tensors=f"sdkeep get {ref} --disarm", as_it_is="`--allow-unsafe` takes it as it is"),
        )
