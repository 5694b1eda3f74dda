"""A look before the download: the parts of a remote pickle that can run code, read by ranges. Stops, never clears."""

from __future__ import annotations

from dataclasses import replace

from sdkeep.actions.house import House
from sdkeep.audit.judge import judge
from sdkeep.audit.policy import NOBODY, Allowed
from sdkeep.audit.report import summary
from sdkeep.formats.look import look
from sdkeep.ground.errors import AccessError, HubError, StoreError, TransferError, UnsafeFile
from sdkeep.ground.events import Said
from sdkeep.ground.kinds import Format
from sdkeep.ground.model import Release, RemoteFile
from sdkeep.ground.verdict import Basis, Verdict
from sdkeep.net.ranges import HttpSource, RangeLimits

WORTH_IT = 16 << 20
MOST_BYTES = 1 << 20
MOST_REQUESTS = 12


def refuse_early(house: House, release: Release, file: RemoteFile) -> None:
    """Raise `UnsafeFile` when a big pickle shows by its ranges that it can run code; otherwise say nothing."""
    from sdkeep.actions.transferring import refused

    size = file.size or file.about or 0
    if size < WORTH_IT or file.format is Format.SAFETENSORS:
        return
    limits = RangeLimits(MOST_BYTES, MOST_REQUESTS)
    source = HttpSource(
        house.web,
        file.url,
        limits=limits,
        fallbacks=file.fallbacks,
        refused=lambda answer: refused(house, release, answer),
    )
    try:
        published = file.sha256.value if file.sha256 else ""
        verdict = peek(source, house, house.allowed(published))
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
            f"`sdkeep get {ref} --disarm` keeps its tensors only; `--allow-unsafe` takes it as it is",
        )


def peek(source: HttpSource, house: House, allowed: Allowed = NOBODY) -> Verdict:
    """A provisional verdict from ranges: what was read can condemn, what was not read cannot clear."""
    return replace(judge(look(source, thorough=False, stop=house.stop), allowed=allowed), basis=Basis.RANGES)
